"""The small networks of benchmarks/export_differences.py, exported, and what runs their programs elsewhere."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from conftest import ROOT
from lightning import LightningDataModule

from trainyard.export.export import export
from trainyard.export.request import Exported, Request
from trainyard.export.samples import read_split, trial_batches
from trainyard.inference.predict import predict
from trainyard.tasks.base import Task

spec = importlib.util.spec_from_file_location("export_differences", ROOT / "benchmarks" / "export_differences.py")
assert spec and spec.loader
benchmark = importlib.util.module_from_spec(spec)  # which prints the table of docs/using_a_run.md
spec.loader.exec_module(benchmark)
NETWORKS, FACTS, build = benchmark.NETWORKS, benchmark.FACTS, benchmark.build
SUFFIXES = {"safetensors": "safetensors", "executorch": "pte"}
PROLOGUE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ImportError(f"{{name}} is not on this machine")
sys.meta_path.insert(0, Blocked())
for name in {blocked}:
    try:
        __import__(name)
    except ImportError:
        continue
    sys.exit(f"{{name}} can be imported")
import numpy
inputs, expected = numpy.load(sys.argv[2]), numpy.load(sys.argv[3])
worst = 0.0
"""
LOOP = """
for name in inputs:
    found = run(inputs[name])
    assert found.shape == expected[name].shape, (found.shape, expected[name].shape)
    worst = max(worst, float(abs(found - expected[name]).max()))
assert not set({blocked}) & set(sys.modules)
print(worst, len(inputs.files))
"""
RUNNERS = {  # in a process that has neither Trainyard nor, for ONNX, torch
    "onnx": (["trainyard", "lightning", "torch"], """
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
run = lambda array: session.run(None, {session.get_inputs()[0].name: array})[0]
"""),
    "pt2": (["trainyard", "lightning", "torchao"], """
import torch
program = torch.export.load(sys.argv[1]).module()
run = lambda array: program(torch.from_numpy(array)).detach().numpy()
"""),
}  # fmt: skip


def exported(name: str, kind: str, folder: Path, **request: Any) -> tuple[Task, LightningDataModule, Exported]:
    """The subject, and its exported file."""
    task, data = build(name)
    file = folder / f"model.{SUFFIXES.get(kind, kind)}"
    return task, data, export(task, data, Request(file, kind, **request), FACTS)


def run_elsewhere(kind: str, file: Path, task: Task, data: LightningDataModule) -> tuple[float, int]:
    """The largest difference from the network in a new process, and the number of batches that it compared."""
    length, side = getattr(data, "max_length", None), getattr(data, "padding_side", "right")
    batches = trial_batches(read_split(data, "test", 64).inputs, length, side, True)
    outputs = [predict(task, data, batch, device="cpu").numpy() for batch in batches]
    for name, arrays in (("inputs", [batch.numpy() for batch in batches]), ("expected", outputs)):
        np.savez(file.parent / f"{name}.npz", *arrays)
    blocked, load = RUNNERS[kind]
    program = PROLOGUE.format(blocked=blocked) + load + LOOP.format(blocked=blocked)
    words = [str(file), *(str(file.parent / f"{name}.npz") for name in ("inputs", "expected"))]
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, *words], capture_output=True, text=True, cwd=file.parent
    )
    assert done.returncode == 0, done.stderr
    worst, count = json.loads(f"[{done.stdout.replace(' ', ',')}]")
    return worst, count
