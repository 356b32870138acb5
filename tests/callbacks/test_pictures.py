"""Pictures while a network trains: which there are, what they cost, that they change nothing."""

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT
from interrupt import cut_off
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import trainyard
from trainyard.callbacks.pictures import budget, validation
from trainyard.callbacks.pictures.kept import PENDING, Kept
from trainyard.callbacks.pictures.pictures import Pictures
from trainyard.durability.signals import Stopped
from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.tasks.base import Scored

sys.path.append(str(ROOT / "tests" / "durability"))
from variants import VARIANTS

ALL = ["callbacks.pictures.share=1", "callbacks.pictures.at_least=0"]
IMAGES = ["data=shapes", "data.size=200", "data.test_size=100", "data.augment=standard"]
VIT = [*IMAGES, "model=vit", "model.dim=8", "model.depth=1", "model.heads=2", "model.ff_dim=8", "model.patch_size=8"]
REVIEWS = ["data=reviews", "data.size=200", "data.test_size=100", "model=transformer", "model.dim=8", "model.depth=1",
           "model.heads=2", "model.ff_dim=8"]  # fmt: skip
MLP = [*IMAGES, "model=mlp", "model.widths=[8]"]
MANY, TWO = {"confusion", "mistakes", "reliability"}, {"confusion", "reliability", "precision_recall"}
BOUNDARY, TEXTS = {"boundary", "boundary_over_time"}, {"run/config", "data/training_batch"}
RUNS: dict[str, tuple[list[str], set[str], set[str]]] = {  # the words, the PNG files, the texts in TensorBoard
    "images": (VIT, {"training_batch", "attention", *MANY}, {"run/config"}),
    "texts": (REVIEWS, {*TWO, "mistakes", "attention"}, TEXTS),
    "points": (["data=xor", "model=mlp"], {*TWO, *BOUNDARY}, {"run/config"}),
    "perceptron": (["data=xor", "model=perceptron"], {*TWO, *BOUNDARY}, {"run/config"}),
    "causal_lm": (VARIANTS["causal language model"], {"attention"}, TEXTS),
    "masked_lm": (VARIANTS["masked language model"], {"attention"}, TEXTS),
    "plain data module": (VARIANTS["plain data module"], TWO, {"run/config"}),
}


def files(run: trainyard.Run) -> set[str]:
    return {file.stem for file in (run.path / "pictures").glob("*.png")}


def events(run: trainyard.Run) -> EventAccumulator:
    return EventAccumulator(str(run.path), size_guidance={"images": 0, "tensors": 0}).Reload()


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in ("images", "points") else [pytest.mark.slow]) for kind in RUNS]
)
def test_each_kind_of_run_has_the_pictures_that_fit_it(kind: str, short: list[str], caplog) -> None:
    words, pictures, texts = RUNS[kind]
    run = trainyard.train([*short, *words, *ALL])
    assert not [record for record in caplog.records if "picture" in record.getMessage()]
    assert files(run) == pictures
    found = events(run)
    slider = {"boundary_slider"} if pictures >= BOUNDARY else set()
    assert {tag.rpartition("/")[2] for tag in found.Tags()["images"]} == pictures | slider
    assert {tag.removesuffix("/text_summary") for tag in found.Tags()["tensors"] if "samples" not in tag} == texts
    for tag in found.Tags()["images"]:
        steps = [event.step for event in found.Images(tag)]
        repeated = tag.startswith("validation/") or "attention" in tag or tag.endswith(("boundary", "slider"))
        assert len(steps) == (3 if tag.endswith("slider") else 2 if repeated else 1) and steps == sorted(set(steps))
        shown = found.Images(tag)[-1].encoded_image_string
        image = Image.open(BytesIO(shown)).convert("RGBA")
        assert min(image.size) > 100 and len(image.getcolors(1 << 24) or []) > 3
        if not tag.endswith("slider"):
            assert shown == (run.path / "pictures" / f"{tag.rpartition('/')[2]}.png").read_bytes()
    has_samples = kind != "plain data module"
    assert found.Tags()["graph"] == (run.path / "projector_config.pbtxt").exists() == has_samples


def test_the_projector_gets_points_labels_and_small_images(short: list[str]) -> None:
    run = trainyard.train([*short, *MLP, *ALL])
    points, labels = (
        (run.path / "projector" / f"{name}.tsv").read_text().splitlines() for name in ("points", "labels")
    )
    assert len(points) == 20 and len(labels) == 21 and labels[0] == "label\tprediction"
    assert {len(line.split("\t")) for line in points} == {8} and set(labels[1].split("\t")) <= set(run.data().classes)
    assert Image.open(run.path / "projector" / "sprites.png").size == (5 * 32, 5 * 32)


def test_each_can_be_left_out_and_all_of_them(short: list[str]) -> None:
    off = [f"callbacks.pictures.{name}=false" for name in ("mistakes", "batch", "graph", "projector", "config")]
    run = trainyard.train([*short, *MLP, *ALL, *off])
    assert files(run) == {"confusion", "reliability"} and not events(run).Tags()["graph"]
    assert not (run.path / "projector").exists()
    for word in ("callbacks.pictures=null", "callbacks.pictures.at_least=1000"):
        assert not (trainyard.train([*short, *MLP, word]).path / "pictures").exists()


def weights(run: trainyard.Run) -> dict[str, Any]:
    return torch.load(run.path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def assert_same(one: trainyard.Run, other: trainyard.Run) -> None:
    expected, found = weights(one), weights(other)
    assert expected.keys() == found.keys() and one.summary["best"] == other.summary["best"]
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


FAST = ("own randomness", "ema")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in VARIANTS]
)
def test_they_change_no_bit(name: str, short: list[str]) -> None:
    words = [*short, *VARIANTS[name], "trainer.limit_train_batches=8"]
    assert_same(trainyard.train([*words, "callbacks.pictures=null"]), trainyard.train([*words, *ALL]))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_compiled_network_is_called_uncompiled(precision: str, short: list[str], caplog) -> None:
    """What is drawn has other shapes than the batches, for each of which torch would compile anew."""
    words = [*short, *VIT, "hardware.compile=true", f"hardware.precision={precision}", "callbacks.pictures.graph=true"]
    without, drawn = trainyard.train([*words, "callbacks.pictures=null"]), trainyard.train([*words, *ALL])
    assert_same(without, drawn)
    assert files(drawn) == {"training_batch", "attention", *MANY} and (drawn.path / "projector").exists()
    assert not [record for record in caplog.records if "could not be drawn" in record.getMessage()]


def test_a_resumed_run_is_still_the_uninterrupted_one(short: list[str], tmp_path: Path) -> None:
    words = [*short, *VARIANTS["own randomness"], "trainer.limit_train_batches=4", "model.dropout=0.5"]
    whole = trainyard.train([*words, "callbacks.pictures=null"])
    cut_off([*words, *ALL, "callbacks.resume.every_n_steps=1"], tmp_path / "cut", after=6)
    resumed = trainyard.train([f"resume={tmp_path}/cut"])
    assert_same(whole, resumed)
    assert files(resumed) >= {*MANY, "training_batch"}


def test_one_that_fails_is_named_once_and_the_training_goes_on(short: list[str], tmp_path: Path, caplog) -> None:
    (tmp_path / "file").touch()
    run = trainyard.train([*short, *MLP, *ALL, f"callbacks.pictures.folder={tmp_path}/file"])
    messages = [record.getMessage() for record in caplog.records if "could not be drawn" in record.getMessage()]
    names = {message.split()[2] for message in messages}
    assert names == {"data/training_batch", *(f"validation/{name}" for name in MANY)} and len(messages) == 4
    assert run.summary["epochs"] == 2


def test_a_signal_while_drawing_ends_the_training(short: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(scene: Any) -> None:
        raise Stopped(75)

    monkeypatch.setattr(validation, "confusion_of", stop)
    with pytest.raises(Stopped):
        trainyard.train([*short, *MLP, *ALL])


def test_what_cannot_be_kept_is_named_and_ends_no_training(short: list[str], monkeypatch, caplog) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError("too many")

    monkeypatch.setattr(Kept, "add", fail)
    run = trainyard.train([*short, *MLP, *ALL])
    assert files(run) == {"training_batch"}
    told = [record.getMessage() for record in caplog.records if "no pictures of predictions" in record.getMessage()]
    assert told == ["no pictures of predictions: MemoryError: too many"]


def test_mistakes_of_a_loader_in_another_order_are_not_shown(short: list[str], monkeypatch) -> None:
    seen = validation.seen
    monkeypatch.setattr(validation, "seen", lambda data, count: seen(data, count).flip(0))
    assert files(trainyard.train([*short, *MLP, *ALL])) == {"training_batch", "confusion", "reliability"}


def test_a_picture_of_predictions_has_the_step_of_its_validation(short: list[str]) -> None:
    words = ["trainer.max_epochs=3", "trainer.check_val_every_n_epoch=2", "callbacks.pictures.share=0"]
    run = trainyard.train([*short, *MLP, *words, "callbacks.pictures.at_least=0"])
    shown = [image.step for image in events(run).Images("validation/confusion")]
    (validated,) = {row["step"] + 1 for row in read_metrics(run.path) if "val/loss" in row}
    assert shown == [validated]


@pytest.mark.parametrize("word", ["=false", ".at_least=null", ".share=null"])
def test_a_wrong_value_is_refused(word: str, short: list[str]) -> None:
    with pytest.raises(UserError, match="callbacks.pictures.*must be"):
        trainyard.train([*short, *MLP, f"callbacks.pictures{word}"])


def test_the_budget_is_kept_between_and_not_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock of the test's own: a validation each second, of pictures that take half a second."""
    now = [0.0]
    monkeypatch.setattr(budget, "perf_counter", lambda: now[0])
    held = budget.Budget(share=0.02)
    assert not held.allows("a", 0.0001)
    held.start()
    drawn = []
    for second in range(1, 201):
        now[0] = second + held.spent
        if held.allows("a", guess=0.1):
            with held.spend("a"):
                now[0] += 0.5
            drawn.append(second)
        assert held.spent <= 0.01 * held.elapsed + 0.4  # the first one took longer than was guessed
    assert drawn == [10, 100, 149, 199]
    with pytest.raises(ValueError, match="share=2 must be in"):
        Pictures("x", share=2)


def test_what_is_kept_of_a_validation_is_small() -> None:
    kept, steps = Kept(), 6
    scores = torch.randn(steps, 100, 1000)
    for logits in scores:
        kept.add(Scored(torch.tensor(0.0), 100, logits, logits.argmax(1)))
        assert sum(logits.numel() for logits, _ in kept.pending) <= PENDING
    found = kept.predicted()
    assert found is not None and len(found) == steps * 100 and torch.equal(found.guesses, found.labels)
    assert torch.equal(found.confidence, scores.flatten(0, 1).softmax(1).amax(1))
    kept.clear()
    assert kept.predicted() is None
