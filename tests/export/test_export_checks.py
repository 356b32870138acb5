"""What an export refuses, and what it finds wrong with a program."""

from pathlib import Path

import numpy as np
import pytest
import torch
from subjects import FACTS, build, exported
from torch import Tensor, nn

from trainyard.errors import UserError
from trainyard.export import export as module
from trainyard.export import to_onnx
from trainyard.export.check import check_difference, largest_difference
from trainyard.export.export import export
from trainyard.export.program import MeanEmbedding
from trainyard.export.request import Request
from trainyard.export.samples import fit_length, read_split, trial_batches
from trainyard.export.staging import MARK, staged


class Branching(nn.Module):
    """A network whose code asks for a value."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) if x.sum() > 0 else -self.net(x)


@pytest.mark.exports
def test_a_gru_with_the_reset_gate_of_torchs_earlier_exporter_is_refused(tmp_path: Path) -> None:
    """linear_before_reset=0 runs without an error, and is wrong."""
    import onnx

    task, data, made = exported("gru", "onnx", tmp_path)
    model = onnx.load(made.file)
    (gru,) = [node for node in model.graph.node if node.op_type == "GRU"]
    (flag,) = [attribute for attribute in gru.attribute if attribute.name == "linear_before_reset"]
    flag.i = 0
    onnx.save(model, made.file)
    batches = trial_batches(read_split(data, "val").inputs, 12, "right", True)
    difference = largest_difference(to_onnx.load(made.file), task, data, batches)
    assert difference > 1e-2
    with pytest.raises(UserError, match=r"differs from the network by \d.* on real samples, more than 1e-04"):
        check_difference(difference)


def test_a_program_that_differs_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, data = build("mlp")
    out = tmp_path / "new" / "model.pt2"
    monkeypatch.setattr(module, "Program", lambda task, data: Wrong(task, data))
    with pytest.raises(UserError, match="differs from the network by"):
        export(task, data, Request(out, "pt2"), FACTS)
    assert not list(tmp_path.iterdir())


class Wrong(nn.Module):
    """A program whose outputs are wrong by a thousandth."""

    def __init__(self, task, data) -> None:
        from trainyard.export.program import Program

        super().__init__()
        self.program = Program(task, data)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.program(inputs) + 1e-3


def test_nan_is_a_difference() -> None:
    with pytest.raises(UserError, match="differs from the network by nan"):
        check_difference(float("nan"))


@pytest.mark.parametrize("kind", ["pt2", pytest.param("onnx", marks=pytest.mark.exports)])
def test_a_network_that_cannot_be_traced_is_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    task, data = build("mlp")
    task.net = Branching(task.net)
    message = r"Branching cannot be exported as a program: torch.export cannot follow its code \(.*\); .*safetensors"
    with pytest.raises(UserError, match=message) as caught:
        export(task, data, Request(tmp_path / f"model.{kind}", kind), FACTS)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            Request(Path("x.onnx"), "tflite"),
            "format=tflite is unknown; choose one of onnx, pt2, safetensors, executorch",
        ),
        (Request(Path("x.safetensors"), "safetensors", int8=True), "--int8 goes with --format onnx or pt2, not saf"),
        (Request(Path("x.pte"), "executorch"), "--format executorch has inputs of one shape; leave out --dynamic"),
        (Request(Path("x.pt2"), "onnx"), "x.pt2 is not named like a file of --format onnx; call it x.onnx"),
    ],
)
def test_a_request_that_cannot_be_is_refused_first(request_: Request, message: str) -> None:
    with pytest.raises(UserError, match=message):
        request_.check()


@pytest.mark.parametrize(("kind", "package"), [("onnx", "onnxruntime"), ("onnx", "onnxscript"), ("pt2", "torchao")])
def test_a_package_that_is_missing_is_named_with_its_extra(
    kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"{package} is not installed: pip install 'trainyard\[export\]'"):
        Request(Path(f"x.{kind}"), kind, int8=kind == "pt2").check()


def test_a_target_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file/model.pt2 cannot be written: Not a directory; choose another with"):
        next(iter_staged(tmp_path / "file" / "model.pt2"))
    with pytest.raises(UserError, match="is a folder; name a file in it: --out"):
        next(iter_staged(tmp_path))


def iter_staged(target: Path):
    with staged(target) as folder:
        yield folder


def test_staged_files_arrive_together_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out" / "model.onnx"
    with pytest.raises(RuntimeError), staged(target) as folder:
        (folder / "model.onnx").write_text("half")
        raise RuntimeError
    assert not target.parent.exists()
    for content in ("one", "two"):
        with staged(target) as folder:
            (folder / "model.onnx").write_text(content)
            (folder / "MODEL_CARD.md").write_text(f"{MARK}\n{content}")
        assert target.read_text() == content and len(list(target.parent.iterdir())) == 2


@pytest.mark.parametrize("name", ["MODEL_CARD.md", "tokenizer.json"])
def test_a_file_of_something_else_is_not_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=f"{name} belongs to something else"), staged(tmp_path / "model.onnx") as folder:
        (folder / "model.onnx").write_text("x")
        (folder / name).write_text(f"{MARK}\n")
    assert [file.name for file in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"


def test_texts_are_cut_and_padded_where_they_may_be() -> None:
    tokens = torch.tensor([[5, 6, 0], [7, 8, 9]])
    assert fit_length(tokens, 2, "right").tolist() == [[5, 6], [7, 8]]
    assert fit_length(tokens, 2, "left").tolist() == [[6, 0], [8, 9]]
    assert fit_length(tokens, 4, "right").tolist() == [[5, 6, 0, 0], [7, 8, 9, 0]]
    assert fit_length(tokens, 4, "left").tolist() == [[0, 5, 6, 0], [0, 7, 8, 9]]
    shapes = [tuple(batch.shape) for batch in trial_batches(tokens.repeat(20, 1), 12, "right", True)]
    assert {(1, 12), (2, 6), (1, 1), (32, 9)} <= set(shapes)
    assert {tuple(batch.shape) for batch in trial_batches(tokens, 12, "right", False)} == {(1, 12)}


def test_the_mean_embedding_is_torchs() -> None:
    bag = nn.EmbeddingBag(10, 4, mode="mean", padding_idx=0)
    index = torch.tensor([[1, 2, 0], [0, 0, 0], [3, 3, 9]])
    np.testing.assert_allclose(MeanEmbedding(bag)(index).detach(), bag(index).detach(), atol=1e-7)
    with pytest.raises(ValueError, match="an EmbeddingBag with mode=sum"):
        MeanEmbedding(nn.EmbeddingBag(10, 4, mode="sum"))
