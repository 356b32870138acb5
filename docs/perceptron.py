"""Draw docs/images/perceptron.png, what a perceptron can and cannot learn:  python docs/perceptron.py [key=value ...]

Trains a perceptron on AND and on XOR, and on XOR networks that can solve it, by their recipes; changes to their config
are for all four. A minute on one core.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import trainyard
from trainyard.figures.boundary import boundaries

PICTURE = Path(__file__).parent / "images" / "perceptron.png"
RECIPES = {  # and how the network is called
    "and_perceptron": "AND, perceptron",
    "xor_perceptron": "XOR, perceptron",
    "xor_mlp": "XOR, MLP of 2-4-1 units",
    "xor_quantum": "XOR, two qubits",
}
QUIET = ["hardware=cpu", "hardware.threads=1", "logger=none", "callbacks.pictures=null", "callbacks.epoch_lines=null"]


def draw(words: list[str]) -> dict[str, int]:
    """Draw the picture; how many of the four points each network gets right, by recipe."""
    planes: dict[str, tuple[Any, Tensor, Tensor]] = {}
    right: dict[str, int] = {}
    for recipe, title in RECIPES.items():
        with tempfile.TemporaryDirectory() as root:
            run = trainyard.train([f"experiment={recipe}", f"run.root={root}", *QUIET, *words])
            data: Any = run.data()
            samples, task = data.read("train"), run.task()
        points, labels = samples.inputs, samples.labels
        side = _side if recipe.endswith("_perceptron") else _probability

        def probability(places: Tensor, side: Any = side, task: Any = task) -> Tensor:
            with torch.no_grad():
                return side(task.net(places)[:, 0])

        right[recipe] = int(((probability(points) > 0.5) == labels.bool()).sum())
        planes[f"{title}: {right[recipe]} of {len(points)}"] = (probability, points, labels)
    boundaries(planes).savefig(PICTURE, dpi=100)
    return right


def _side(output: Tensor) -> Tensor:
    """Of a threshold unit: it is on or off."""
    return (output > 0).float()


def _probability(output: Tensor) -> Tensor:
    return output.sigmoid()


if __name__ == "__main__":
    print(f"{PICTURE}: {draw(sys.argv[1:])}")
