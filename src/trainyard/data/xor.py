"""XOR and other logic gates: XOR is the smallest problem that no single unit can solve (Minsky & Papert, 1969)."""

from typing import Any

import torch

from trainyard.data.base import DataModule, Samples
from trainyard.data.loading.hashing import stable_hash

GATES = {"and": (0, 0, 0, 1), "or": (0, 1, 1, 1), "nand": (1, 1, 1, 0), "xor": (0, 1, 1, 0), "xnor": (1, 0, 0, 1)}
POINTS = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))


class XOR(DataModule):
    """The four points of a logic gate, which are the training, validation and test split at once.

    With `size`, each split has that many points around the four corners, spread by `noise`, drawn separately.
    """

    def __init__(
        self, shape: list[int], num_classes: int, gate: str = "xor", size: int | None = None, noise: float = 0.0,
        **loading: Any,
    ) -> None:  # fmt: skip
        super().__init__(**loading)
        if (list(shape), num_classes) != ([2], 2):
            raise ValueError(f"a gate has shape [2] and 2 classes, not shape={list(shape)} and {num_classes} classes")
        if gate not in GATES:
            raise ValueError(f"gate={gate} is unknown; choose one of {', '.join(GATES)}")
        if noise < 0 or (size is not None and size < 4):
            raise ValueError(
                f"size={size} must be at least 4 (or null for the four points) and noise={noise} at least 0"
            )
        if noise and size is None:
            raise ValueError(f"noise={noise} needs data.size: the four points alone are exact")
        self.shape, self.num_classes = tuple(shape), num_classes
        self.gate, self.size, self.noise = gate, size, noise

    def read(self, split: str) -> Samples:
        corner = torch.arange(self.size or 4) % 4
        points = torch.tensor(POINTS)[corner]
        if self.size:
            generator = torch.Generator().manual_seed(stable_hash("gate", split))
            points = points + self.noise * torch.randn(points.shape, generator=generator)
        return Samples(points, torch.tensor(GATES[self.gate])[corner])

    def read_val(self) -> Samples:
        return self.read("val" if self.size else "train")
