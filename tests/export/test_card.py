"""Exports of real runs: by the command line and as a method, with card, tokenizer and metadata beside the weights."""

import json
import re
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

import trainyard
from trainyard.cli.main import run_command
from trainyard.errors import UserError
from trainyard.export.card import text

IMAGE = torch.arange(3 * 32 * 32).remainder(256).to(torch.uint8).view(1, 3, 32, 32)


def read_pt2(file: Path) -> tuple[torch.nn.Module, dict[str, str]]:
    """The program and its metadata."""
    extra = {"metadata.json": ""}
    program = torch.export.load(str(file), extra_files=extra).module()
    return program, json.loads(extra["metadata.json"])


@pytest.fixture(scope="module")
def pt2(run: trainyard.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shapes' network, exported by the command line."""
    file = tmp_path_factory.mktemp("exported") / "shapes.pt2"
    run_command(["export", str(run.path), "--format", "pt2", "--out", str(file)])
    return file


def test_a_program_takes_bytes_and_returns_what_predict_returns(pt2: Path, run: trainyard.Run) -> None:
    program, metadata = read_pt2(pt2)
    torch.testing.assert_close(program(IMAGE), run.predict(IMAGE, device="cpu"))
    example = torch.export.load(str(pt2)).example_inputs
    assert example and (example[0][0] == 1).all(), "a program carries no sample of the data"
    assert metadata["trainyard_version"] == trainyard.__version__
    assert json.loads(metadata["classes"])[:2] == ["disc", "ring"]
    assert json.loads(metadata["input_shape"]) == ["batch", 3, 32, 32] and metadata["input_type"] == "uint8"
    assert metadata["preprocessing"].startswith(
        "inside: bytes (0 to 255) divided by 255, less the mean (0.5, 0.5, 0.5)"
    )


def test_the_card_is_made_from_the_run(pt2: Path, run: trainyard.Run) -> None:
    card = (pt2.parent / "MODEL_CARD.md").read_text()
    headings = re.findall("^## (.*)$", card, re.MULTILINE)
    assert headings == [
        "Use", "Intended use", "Data", "Scores", "Agreement with the network", "Limits", "How it was made",
    ]  # fmt: skip
    summary, environment = run.summary, json.loads((run.path / "environment.json").read_text())
    accuracy = f"| accuracy | {summary['best']['val/accuracy']:.4f} | {summary['test']['test/accuracy']:.4f} |"
    date = json.loads((run.path / "status.json").read_text())["time"][:10]
    for part in (
        accuracy, "The val scores are of 2 batches of it.", f"MLP with {summary['parameters']:,} parameters",
        "Classifying images as one of 10 classes", "disc, ring, square",
        f"- train split: {environment['data']['train']}",
        f"- date: {date}", f"- run: {run.path.name}", f"torch {environment['packages']['torch']}",
        environment["command"][0], "program = torch.export.load('shapes.pt2').module()",
    ):  # fmt: skip
        assert part in card, part
    code = re.search("```python\n(.*?)```", card, re.DOTALL)
    assert code
    values = {"images": IMAGE}
    exec(code[1].replace("images = ...", "").replace("'shapes.pt2'", repr(str(pt2))), values)
    torch.testing.assert_close(values["predictions"], run.predict(IMAGE, device="cpu"))


def test_a_card_contains_no_markup_of_a_run_of_someone_else() -> None:
    assert text("<img src=x>|[a](b)`c`\x1b[1m") == r"\<img src=x\>\|\[a\](b)\`c\`?\[1m"


def test_the_default_place_is_in_the_run_and_weights_alone_come_back(run: trainyard.Run) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    done = run.export("safetensors")
    assert done.file == run.path / "export" / "model.safetensors" and done.difference == 0
    weights = safetensors.load_file(done.file)
    expected = run.task().net.state_dict()
    assert weights.keys() == expected.keys() and all(torch.equal(weights[name], expected[name]) for name in weights)


@pytest.mark.exports
def test_texts_come_with_their_tokenizer(short: list[str], tmp_path: Path) -> None:
    """In ONNX, whose metadata names what the tokenizer does; a text longer than max_length, and a short one."""
    import onnxruntime

    words = ["model=gru", "data=reviews", "data.size=200", "data.test_size=100", "data.max_length=6", "model.dim=8"]
    run = trainyard.train([*short, *words])
    done = run.export("onnx", tmp_path / "model.onnx")
    assert [file.name for file in done.files] == ["MODEL_CARD.md", "model.onnx", "tokenizer.json"]
    session = onnxruntime.InferenceSession(done.file)
    metadata = session.get_modelmeta().custom_metadata_map
    assert (metadata["max_length"], metadata["truncation_side"], metadata["padding_side"]) == ("6", "left", "right")
    texts = ["I never thought that the film was dull", "a good film"]
    encoded = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode_batch(texts)
    (found,) = session.run(None, {"tokens": torch.tensor([each.ids for each in encoded]).numpy()})
    torch.testing.assert_close(torch.from_numpy(found), run.predict(texts, device="cpu"))
    assert (
        session.get_inputs()[0].shape == ["batch", "length"] and metadata["trainyard_version"] in trainyard.__version__
    )


def test_a_run_without_weights_is_refused(short: list[str], tmp_path: Path) -> None:
    words = ["model=mlp", "model.widths=[8]", "data=xor", "callbacks=none", f"run.dir={tmp_path}/run"]
    run = trainyard.train([*short, *words])
    with pytest.raises(UserError, match=r"run has no checkpoints/best.ckpt"):
        run.export("pt2", tmp_path / "out" / "model.pt2")
    assert not (tmp_path / "out").exists()
