"""How many seeds solve XOR:  python benchmarks/xor_seeds.py [--seeds 100] [--jobs 2] [EXPERIMENT ...]

Trains each experiment once for every seed, by the same code as train.py, and counts the runs that get all four points.
"""

import argparse
import logging
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

QUIET = ["logger=none", "hardware=cpu", "hardware.threads=1", "trainer.check_val_every_n_epoch=1000"]
QUIET += [
    f"callbacks.{name}=null" for name in ("learning_rate", "throughput", "epoch_lines", "resume", "model_summary")
]


def solved(experiment: str, root: str, seed: int) -> bool:
    """Train one seed to the end; True if the test accuracy is 4 of 4."""
    import trainyard

    logging.disable(logging.INFO)
    run = trainyard.train([f"experiment={experiment}", f"seed={seed}", f"run.root={root}", *QUIET])
    return run.summary["test"]["test/accuracy"] == 1


def main() -> None:
    """Print a line for each experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", default=["xor_mlp", "xor_mlp_article"])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for experiment in options.experiments:
            start = time.time()
            results = list(pool.map(partial(solved, experiment, root), range(options.seeds)))
            failed = [seed for seed, good in enumerate(results) if not good]
            print(
                f"{experiment}: 4 of 4 on {sum(results)} of {options.seeds} seeds, {time.time() - start:.0f} s", end=""
            )
            print(f"; not on seeds {failed}" if failed else "", flush=True)


if __name__ == "__main__":
    main()
