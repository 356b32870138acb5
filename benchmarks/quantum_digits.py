"""Qubits against a classical network on real digits:  python benchmarks/quantum_digits.py [--seeds 10] [key=value ...]

Trains model=quantum and MLPs with about as many weights on scikit-learn's 1,797 digits of 8 x 8 pixels, by the same
code as train.py, once for every seed, and prints mean and standard deviation of the test accuracy, a quarter of the
digits. Changes to the config are for all of them: with test=false the accuracy is that on validation, a tenth of the
other digits.
"""

import argparse
import csv
import logging
import statistics
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import trainyard

QUIET = ["logger=none", "hardware=cpu", "hardware.threads=1", "callbacks.progress_bar=null", "callbacks.pictures=null"]
QUIET += [f"callbacks.{name}=null" for name in ("learning_rate", "epoch_lines", "resume", "model_summary")]
RECIPE = ["data=tabular", "data.batch_size=32", "optimizer=adam", "scheduler=cosine", "trainer.max_epochs=20"]
NETWORKS = {  # two of about 220 weights, two of about 380, a linear one; rates searched on validation (3, 6, 1, 2, 1)
    "quantum 6": ["model=quantum", "model.qubits=6", "model.depth=4", "model.encoder=null", "optimizer.lr=0.05"],
    "mlp 3": ["model=mlp", "model.widths=[3]", "model.activation=swish", "optimizer.lr=0.1"],
    "quantum 8": ["model=quantum", "model.qubits=8", "model.depth=6", "model.encoder=null", "optimizer.lr=0.05"],
    "mlp 5": ["model=mlp", "model.widths=[5]", "model.activation=swish", "optimizer.lr=0.01"],
    "linear": ["model=mlp", "model.widths=[]", "optimizer.lr=0.01"],
}


def write_tables(folder: Path) -> None:
    """train.csv and test.csv, the digit last."""
    pixels, digits = load_digits(return_X_y=True)
    x_train, x_test, train, test = train_test_split(pixels, digits, test_size=0.25, random_state=0)
    for name, x, y in (("train", x_train, train), ("test", x_test, test)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow([*(f"pixel{i}" for i in range(x.shape[1])), "digit"])
            rows.writerows(np.column_stack((x.astype(int), y)).tolist())


def trained(name: str, seed: int, words: list[str]) -> tuple[float, float, int]:
    """The accuracy of a training in percent, on test or, with test=false, on validation; its seconds; the weights."""
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder))
        where = [f"data.path={folder}", f"run.dir={folder}/run", f"seed={seed}"]
        run = trainyard.train([*where, *QUIET, *RECIPE, *NETWORKS[name], *words])
        accuracy = run.summary.get("test", {}).get("test/accuracy", run.summary["score"])
        return 100 * accuracy, run.summary["seconds"], run.summary["parameters"]


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="key=value")
    parser.add_argument("--only", default=",".join(NETWORKS), help="networks, separated by commas")
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    print("| network | weights | accuracy | of each seed | seconds |\n| --- | ---: | ---: | --- | ---: |", flush=True)
    for name in options.only.split(","):
        found = [trained(name, seed, options.words) for seed in range(options.seeds)]
        scores, seconds, (weights, *_) = zip(*found, strict=True)
        spread = f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
        each, mean = ", ".join(f"{score:.1f}" for score in scores), statistics.mean(scores)
        print(f"| {name} | {weights} | {mean:.1f} %{spread} | {each} | {statistics.mean(seconds):.1f} |", flush=True)


if __name__ == "__main__":
    main()
