"""Programs of 8 bits, and the table that compares them with fp32."""

from pathlib import Path

import pytest
import torch
from subjects import NETWORKS, build, exported, run_elsewhere
from torch import nn

from trainyard.errors import UserError
from trainyard.export.int8 import quantize_weights
from trainyard.export.measure import Measured, as_table


def test_the_table_shows_what_changed() -> None:
    lines = [
        Measured("fp32", 0.91, 1.0, 4096, {1: 0.5, 32: 8.0}),
        Measured("int8", 0.9, 0.985, 1536, {1: 0.25, 32: 4.125}),
    ]
    assert as_table(lines, "val", 5000).splitlines() == [
        "| program | accuracy (val, 5,000) | same choice as fp32 |  size | ms for 1 | ms for 32 |",
        "| ------- | --------------------: | ------------------: | ----: | -------: | --------: |",
        "| fp32    |                0.9100 |              1.0000 | 4 KiB |     0.50 |      8.00 |",
        "| int8    |                0.9000 |              0.9850 | 2 KiB |     0.25 |      4.12 |",
    ]


def test_a_network_without_a_linear_layer_has_nothing_to_quantize() -> None:
    with pytest.raises(UserError, match="quantizes linear layers, and this network has none; use --format onnx"):
        quantize_weights(nn.Conv2d(1, 1, 1))


@pytest.mark.exports
@pytest.mark.parametrize(
    ("name", "kind"), [("cnn", "onnx"), ("transformer", "onnx"), ("lstm", "onnx"), ("mlp", "pt2"), ("gpt", "pt2")]
)
def test_int8_chooses_nearly_as_fp32_and_runs_elsewhere(name: str, kind: str, tmp_path: Path) -> None:
    assert name in NETWORKS
    torch.manual_seed(0)
    task, data, made = exported(name, kind, tmp_path, int8=True, split="test")
    assert [file.name for file in made.files if "fp32" in file.name] == []
    *_, fp32, int8 = (line.split("|")[1:-1] for line in made.table.splitlines())
    assert float(fp32[2]) == 1 and 0.8 < float(int8[2]) < 1.0001
    assert 1e-6 < made.difference < 0.5, "8 bits are not 32"
    worst, _ = run_elsewhere(kind, made.file, task, data)
    assert worst < 0.5 and "(test, 100)" in made.table


@pytest.mark.exports
def test_a_language_model_is_compared_by_its_choices(tmp_path: Path) -> None:
    _, _, made = exported("gpt language", "pt2", tmp_path, int8=True)
    assert "accuracy" not in made.table and "same choice as fp32" in made.table


@pytest.mark.exports
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_executorch_runs_one_sample(name: str, tmp_path: Path) -> None:
    pytest.importorskip("executorch.runtime")
    _, _, made = exported(name, "executorch", tmp_path, dynamic=False)
    assert made.difference < 1e-5 and {shape[0] for shape in made.shapes} == {1}


@pytest.mark.exports
def test_a_fixed_shape_is_exported_where_a_network_asks_for_it(tmp_path: Path) -> None:
    _, data = build("gru")
    _, _, made = exported("gru", "onnx", tmp_path, dynamic=False)
    assert set(made.shapes) == {(1, data.max_length)} and made.difference < 1e-5
