"""From a run to explanations, by the method and by the command."""

import sys
from pathlib import Path

import pytest
import torch
from explained import TEXT, VOCABULARY, classifier, network, reviews
from PIL import Image

import trainyard
from trainyard.cli.main import run_command
from trainyard.errors import UserError
from trainyard.explain.classes import class_index
from trainyard.explain.explain import Explainer
from trainyard.explain.samples import Sample
from trainyard.models.bert import BERT
from trainyard.models.gpt import GPT
from trainyard.tasks.causal_lm import CausalLM
from trainyard.tasks.masked_lm import MaskedLM

PARTS = {"optimizer": torch.optim.SGD, "scheduler": torch.optim.lr_scheduler.ConstantLR}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two images in folders that are called after classes of the shapes, and a file that is no image."""
    for name, gray in (("ring", 60), ("disc", 200)):
        (tmp_path / name).mkdir()
        Image.new("RGB", (50, 40), (gray, gray, 90)).save(tmp_path / name / "one.png")
    (tmp_path / "ring" / "two.png").write_bytes(b"not an image")
    return tmp_path


def test_a_picture_is_written_for_each_image_that_can_be_read(
    run: trainyard.Run, pictures: Path, capsys: pytest.CaptureFixture
) -> None:
    out = pictures / "out"
    with pytest.raises(SystemExit) as ended:
        run_command(["explain", str(run.path), str(pictures), "--method", "gradient_x_input", "--out", str(out),
                     "--check", "--device", "cpu"])  # fmt: skip
    told = capsys.readouterr()
    assert ended.value.code == 1 and "two.png cannot be read as an image" in told.err
    assert sorted(file.name for file in out.iterdir()) == ["one_2_gradient_x_input.png", "one_gradient_x_input.png"]
    assert Image.open(out / "one_gradient_x_input.png").size > (900, 300)
    for part in ("label: disc", "label: ring", "in random order", "shuffled weights: rank correlation"):
        assert part in told.out


def test_samples_of_the_test_split_come_with_their_labels(run: trainyard.Run) -> None:
    found = run.explain(method="gradient_x_input", samples=3, target="star", device="cpu")
    assert [each.name for each in found] == ["test 0", "test 50", "test 99"]
    assert [each.label for each in found] == ["disc", "disc", "waves"] and {each.target for each in found} == {"star"}
    assert all(each.values.shape == (32, 32) and each.image.shape == (3, 32, 32) for each in found)
    probability = run.predict(torch.stack([(255 * each.image).round().byte() for each in found]), device="cpu")
    assert [each.target_probability for each in found] == pytest.approx(probability[:, 5].tolist(), abs=1e-6)
    assert "explained: star" in found[0].title and found[0].page() is None


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"method": "gradcam"}, "method=gradcam does not fit MLP on inputs of the kind image; choose one of integ"),
        ({"method": "lime"}, "method=lime is no method for MLP"),
        ({"target": "stra"}, "target=stra is not one of the 10 classes. Did you mean star.*; choose one of disc, "),
        ({"device": "abc"}, "device=abc cannot be used"),
        ({"samples": 101}, "samples=101 must be 1 to 100, the size of the test split"),
        ({"inputs": "nowhere.png"}, "nowhere.png cannot be read as an image"),
        ({"inputs": [torch.zeros(3, 8, 8, dtype=torch.uint8)]}, r"input 0: the images are \(1, 3, 8, 8\), and"),
    ],
)
def test_what_cannot_be_explained_is_one_sentence(run: trainyard.Run, options: dict, answer: str) -> None:
    with pytest.raises(UserError, match=answer):
        run.explain(**options)


def test_nothing_to_explain_is_told(run: trainyard.Run) -> None:
    with pytest.raises(UserError, match="there is nothing to explain: name inputs after the run, or set --samples"):
        run_command(["explain", str(run.path)])
    with pytest.raises(UserError, match="nothing was explained: no input could be read"):
        run_command(["explain", str(run.path), "nowhere.png"])


def test_without_captum_the_extra_is_named(run: trainyard.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "captum"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NoCaptum(), *sys.meta_path])
    with pytest.raises(UserError, match=r"captum is not installed: pip install 'trainyard\[explain\]'"):
        run.explain(samples=1, method="saliency")
    assert run.explain(samples=1, method="gradient_x_input")


class NoCaptum:
    """An import system in which captum is not installed."""

    def find_spec(self, name: str, path=None, target=None) -> None:
        if name.partition(".")[0] == "captum":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_a_text_becomes_a_picture_and_a_page(tmp_path: Path) -> None:
    explainer = Explainer(classifier(network("gru")), reviews(), "gradient_x_input", device="cpu")
    found = explainer.explain(Sample(f"{TEXT} <b>", f"{TEXT} <b>"))
    files = found.save(tmp_path)
    assert [file.suffix for file in files] == [".png", ".html"] and files[0].stat().st_size > 2000
    page = files[1].read_text()
    assert "&lt;" in page and "<b>" not in page and "3 of 11 words are unknown" in page
    assert found.prediction in ("against", "for") and found.probability >= 0.5


def test_numbers_become_a_table(capsys: pytest.CaptureFixture, short: list[str]) -> None:
    run = trainyard.train([*short, "model=mlp", "model.widths=[4]", "data=xor"])
    capsys.readouterr()
    run_command(["explain", str(run.path), "0,1", "1,1", "--method", "gradient_x_input", "--device", "cpu"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("0,1: ") and lines[1].split()[:2] == ["0", "0"] and lines[2].split()[:2] == ["1", "1"]
    assert float(lines[1].split()[2]) == 0 != float(lines[2].split()[2])
    assert not (run.path / "explanations").exists()


@pytest.mark.parametrize(("task", "net", "text"), [(CausalLM, GPT, TEXT), (MaskedLM, BERT, "the [MASK] was dull")])
def test_language_models_are_explained_by_the_word_that_they_predict(task, net, text: str) -> None:
    torch.manual_seed(0)
    model = task(net=net(VOCABULARY, 32, dim=16, depth=1, heads=2, ff_dim=32), **PARTS).eval()
    for method in ("gradient_x_input", "rollout", "occlusion"):
        found = Explainer(model, reviews(), method, target="film", check=True, device="cpu").explain(Sample("", text))
        assert found.target == "film" and 0 < found.target_probability < 1 and len(found.values) == len(found.words)
        assert found.checks is None or found.checks.deletion > 0
    if task is MaskedLM:
        with pytest.raises(ValueError, match=r"write \[MASK\] in its place"):
            Explainer(model, reviews()).explain(Sample("", TEXT))


def test_classes_have_names_or_numbers() -> None:
    assert class_index("b", ["a", "b"]) == class_index("1", ["a", "b"]) == 1
    assert class_index("1", ["1", "0"]) == 0  # the name comes first
    with pytest.raises(ValueError, match="target=2 is not one of the 2 classes"):
        class_index("2", ["a", "b"])


@pytest.mark.parametrize(
    ("name", "default"),
    [("gru", "integrated_gradients"), ("bert", "integrated_gradients"), ("bow", "integrated_gradients")],
)
def test_each_network_has_a_default(name: str, default: str) -> None:
    assert Explainer(classifier(network(name)), reviews(), device="cpu").method == default
