"""Every benchmark runs, in its smallest form, by its own command line: what no test runs rots."""

import runpy
import sys
from pathlib import Path

import processes
import pytest
from conftest import ROOT, SMALL_REVIEWS

from trainyard.data import imdb

SHAPES = ["hardware.threads=1", "model=mlp", "data=shapes", "data.size=300", "data.test_size=100"]
SMALLEST = {  # the words of the command line, and what the last line of the output contains
    "attention": (["--rounds", "1", "--batch-size", "2"], "of the time"),
    "augmentation": (["--seconds", "0"], "images/s"),
    "busy": (["--one", "--steps", "1", "--networks", "mlp"], '{"mlp": '),
    "denormals": (["--rounds", "1"], "decayed "),
    "distributed": (["--rounds", "1", "--steps", "2", "--networks", "transformer"], "% of a step of 2 processes"),
    "export_differences": (["--only", "perceptron"], "| perceptron | "),
    "freed_memory": (["--only", "kept", "--steps", "1", "--networks", "bert"], '{"bert": '),
    "image_folder": (["--images", "20", "--side", "32", "--size", "16", "--workers", "0", "--rounds", "1"], " x"),
    "ngram": (["data.vocab_size=300", "data.max_length=16"], "test: perplexity "),
    "overhead": (["--rounds", "1", "--steps", "1", *SHAPES], "overhead of a step: "),
    "pictures": (
        ["--rounds", "1", "trainer.max_epochs=1", "callbacks.pictures.at_least=0", *SHAPES],
        "by their own clock",
    ),
    "quantum": (["--most", "3", "--rounds", "1", "--plot", "times.png"], "| 3 | "),
    "quantum_digits": (["--seeds", "1", "--only", "quantum 6", "trainer.max_epochs=1"], "| quantum 6 | 214 | "),
    "scaling": ([], "| fsdp | 1,024 | "),
    "serving": (
        ["--rounds", "1", "--requests", "8", "--clients", "2", *SHAPES],
        "16 requests of 2 clients at a time: 0 lost, 0 wrong",
    ),
    "sweep_overhead": (["--trials", "3", "--rounds", "1"], "a process of its own: "),
    "xor_seeds": (["--seeds", "1", "--jobs", "1", "xor_mlp"], "xor_mlp: 4 of 4 on 1 of 1 seeds"),
}
INTERPRETERS = {  # or import much
    "distributed", "export_differences", "pictures", "quantum_digits", "serving", "sweep_overhead", "xor_seeds",
}  # fmt: skip


def names() -> list:
    """Every benchmark, also one that was added since."""
    found = sorted(file.stem for file in (ROOT / "benchmarks").glob("*.py"))
    return [pytest.param(name, marks=[pytest.mark.slow] if name in INTERPRETERS else []) for name in found]


def benchmark(words: list[str]) -> None:
    """python benchmarks/NAME.py WORDS"""
    imdb.REVIEWS = SMALL_REVIEWS
    file = ROOT / "benchmarks" / f"{words[0]}.py"
    sys.path.insert(0, str(file.parent))
    sys.argv = [str(file), *words[1:]]
    runpy.run_path(str(file), run_name="__main__")


@pytest.mark.parametrize("name", names())
def test_it_runs(name: str, imdb_root: Path, tmp_path: Path) -> None:
    assert name in SMALLEST, f"benchmarks/{name}.py is new: give its smallest form in SMALLEST of {Path(__file__).name}"
    words, expected = SMALLEST[name]
    done = processes.run(benchmark, name, *words, folder=tmp_path, TRAINYARD_DATA=str(imdb_root))
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert expected in done.stdout.splitlines()[-1]
