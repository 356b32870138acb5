"""Every architecture of conf/model as a program that runs without Trainyard, compared with the network."""

from pathlib import Path

import pytest
from conftest import ROOT, options
from subjects import NETWORKS, exported, run_elsewhere

from trainyard.export.samples import read_split
from trainyard.inference.predict import predict

OTHERS = {"timm", "torchvision", "hf_text", "hf_causal", "lightning"}  # of other packages: any network there is
BERTS = {"electra"}  # pretrain bert, which has a case
FAST = {("perceptron", "pt2")}  # the others take seconds each


def cases() -> list:
    return [
        pytest.param(name, kind, marks=[] if (name, kind) in FAST else [pytest.mark.exports])
        for name in NETWORKS
        for kind in ("onnx", "pt2")
    ]


def test_every_architecture_has_a_case() -> None:
    assert {name.partition(" ")[0] for name in NETWORKS} == set(options("model")) - OTHERS - BERTS


@pytest.mark.parametrize(("name", "kind"), cases())
def test_it_computes_the_same_in_a_process_without_trainyard(name: str, kind: str, tmp_path: Path) -> None:
    task, data, made = exported(name, kind, tmp_path)
    assert made.difference < 1e-5
    content = made.file.read_bytes()
    assert str(ROOT).encode() not in content and b"site-packages" not in content, "paths of this machine"
    worst, count = run_elsewhere(kind, made.file, task, data)
    assert worst < 1e-5 and count >= 6
    found = predict(task, data, read_split(data, "test", 16).inputs, device="cpu")
    assert found.flatten(0, -2).std(0).max() > 1e-3, "outputs that do not depend on the inputs compare nothing"
