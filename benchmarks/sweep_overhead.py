"""What a trial takes in addition to its training: from its start to the next one's, minus the training's seconds.

    python benchmarks/sweep_overhead.py [--trials 12] [--rounds 3]

Prints the median over the trials between the first, which also waits for the imports, and the last; and the same for
`--rounds` new interpreters, `python train.py` with the same config.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import optuna

from trainyard.sweep.storage import open_storage
from trainyard.sweep.trials import counted_trials

TRAIN = [sys.executable, str(Path(__file__).parents[1] / "train.py")]
WORDS = ["model=mlp", "data=shapes", "data.size=1000", "data.test_size=100", "trainer.max_epochs=3", "hardware=cpu",
         "hardware.threads=1"]  # fmt: skip


def seconds(run: Path) -> float:
    """How long a run trained."""
    return json.loads((run / "summary.json").read_text())["seconds"]


def in_a_sweep(trials: int, root: Path) -> list[float]:
    """Seconds in addition to the training, of each trial but the first and the last."""
    lr = "optimizer.lr=tag(log,interval(1e-4,1e-2))"
    words = [
        *WORDS,
        f"run.root={root}",
        "sweep=search",
        "hydra.sweeper.study=s",
        f"hydra.sweeper.n_trials={trials}",
        lr,
    ]
    subprocess.run([*TRAIN, "-m", *words, "hydra.sweeper.plots=false"], check=True, stdout=subprocess.DEVNULL)
    folder = root / "sweeps" / "s"
    study = optuna.load_study(study_name="s", storage=open_storage(str(folder / "study.journal")))
    starts = [trial.datetime_start.timestamp() for trial in counted_trials(study) if trial.datetime_start]
    took = [after - before for before, after in pairwise(starts)]
    return [took[i] - seconds(folder / f"{i:04d}") for i in range(1, len(took))]


def alone(root: Path) -> float:
    """Seconds in addition to the training, of one interpreter."""
    started = time.perf_counter()
    words = [*WORDS, f"run.dir={root / 'alone'}", "test=false"]
    subprocess.run([*TRAIN, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started - seconds(root / "alone")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=12, help="at least 3: the first and the last are left out")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.trials < 3:
        parser.error(f"--trials {options.trials} must be at least 3: the first and the last are left out")
    with tempfile.TemporaryDirectory() as folder:
        extra = in_a_sweep(options.trials, Path(folder))
    processes = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            processes.append(alone(Path(folder)))
    spread = f"{min(extra):.2f} to {max(extra):.2f}"
    print(f"a trial: {median(extra):.2f} s above its training (median of {len(extra)}, {spread})")
    print(f"a process of its own: {median(processes):.2f} s (median of {len(processes)})")


if __name__ == "__main__":
    main()
