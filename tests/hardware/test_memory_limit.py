"""Too little address space to import torch: one sentence, in whatever way the import would have failed."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ["model=mlp", "data=shapes", "data.size=200", "data.test_size=100", "trainer.max_epochs=1", "hardware=cpu"]
COMMANDS = {
    "evaluate": ["evaluate", "outputs/mine"],
    "train": ["train", *SMALL],
    "sweep": ["train", "-m", "sweep=xor", "hydra.sweeper.n_trials=1"],
}


@pytest.mark.parametrize(
    "name", ["evaluate", *(pytest.param(name, marks=pytest.mark.slow) for name in ("train", "sweep"))]
)
def test_it_is_said_in_a_sentence(name: str, tmp_path: Path) -> None:
    limit = 600_000_000
    done = subprocess.run(
        [sys.executable, "-m", "trainyard", *COMMANDS[name]], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 1
    message = "error: not enough memory to import torch: a limit (ulimit -v) allows 0.6 GB of address space"
    assert done.stderr.startswith(message) and len(done.stderr.splitlines()) == 2
    assert not list(tmp_path.rglob("outputs/*"))
