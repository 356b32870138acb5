"""Mixup (Zhang et al., 2017) and CutMix (Yun et al., 2019): training on mixtures of two images and of their labels."""

import torch
from torch import Tensor
from torchvision.transforms import v2

from trainyard.data.loading.hashing import stable_hash

MIXES = ("none", "mixup", "cutmix", "both")


class Mixup:
    """Mix each sample of a batch with its neighbor, in a proportion drawn from Beta(alpha, alpha) for the batch.

    `mixup` adds the images, `cutmix` pastes a rectangle of one into the other, `both` draws one of the two for each
    batch.
    """

    def __init__(self, name: str, num_classes: int, alpha: float = 1.0) -> None:
        if alpha <= 0:
            raise ValueError(f"mix_alpha={alpha} must be positive; 1 draws every proportion equally often")
        if name not in MIXES:
            raise ValueError(f"mix={name} is unknown; choose one of {', '.join(MIXES)}")
        kinds = {"mixup": [v2.MixUp], "cutmix": [v2.CutMix], "both": [v2.MixUp, v2.CutMix]}.get(name, [])
        self.choice = v2.RandomChoice([kind(num_classes=num_classes, alpha=alpha) for kind in kinds]) if kinds else None

    def __call__(self, images: Tensor, labels: Tensor, key: int) -> tuple[Tensor, Tensor]:
        """(B, C, H, W), (B), key of the batch -> (B, C, H, W), (B, num_classes); with `none`, the first two arguments.

        A pure function of its arguments: torchvision draws from the CPU's generator, which is seeded for the moment.
        """
        if self.choice is None:
            return images, labels
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(stable_hash(key, "mix"))
            return self.choice(images, labels)
