"""Augmentation and normalization of whole batches of images, on the device; each sample has its own random draws."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from trainyard.data.loading.color import jitter
from trainyard.data.loading.geometry import affine, alternating_flip, crop, cutout, erasing, flip, resized_crop
from trainyard.data.loading.hashing import reseeded, uniform
from trainyard.data.loading.policies import augmix, randaugment, trivialaugment

Augmentation = Callable[[Tensor, Tensor], Tensor]
AUGMENTATIONS: dict[str, tuple[Augmentation, ...]] = {
    "none": (),
    "flip": (flip,),
    "standard": (crop, flip),
    "article": (partial(affine, degrees=20, shift=0.2, zoom=0.2), flip),
    "strong": (crop, flip, cutout),
    "randaugment": (randaugment, crop, flip),
    "trivialaugment": (trivialaugment, crop, flip),
    "augmix": (augmix, crop, flip),
}
OPERATIONS: dict[str, Augmentation] = {  # of a list
    each.__name__: each
    for each in (alternating_flip, flip, crop, resized_crop, affine, cutout, erasing, jitter, randaugment,
                 trivialaugment, augmix)
}  # fmt: skip
BEFORE = (jitter, randaugment, trivialaugment, augmix)  # on pixels in [0, 1], before they are normalized
MOVES = (flip, alternating_flip, crop)  # of pixels, which keep their values


class OwnTransform:
    """A transform of one image (C, H, W) in [0, 1], as those of torchvision: its draws depend on the sample's key."""

    def __init__(self, transform: Callable[..., Any]) -> None:
        self.transform = transform

    def __call__(self, x: Tensor, keys: Tensor) -> Tensor:
        made = [self.transform(image) for image in reseeded(x, keys.tolist())]
        shapes = {tuple(image.shape) for image in made}
        if shapes != {tuple(x.shape[1:])}:
            raise ValueError(
                f"{type(self.transform).__name__} makes an image of shape {list(max(shapes))} of one of shape "
                f"{list(x.shape[1:])}, which the network takes"
            )
        return torch.stack(made).to(x.dtype)


def make_augmentations(augment: str | Sequence[Any]) -> tuple[Augmentation, ...]:
    """What `augment` names: a set of AUGMENTATIONS; or a list of OPERATIONS by name, or with their options as
    `{erasing: {probability: 0.3}}`, and of transforms of one's own.
    """
    if isinstance(augment, str):
        if augment not in AUGMENTATIONS:
            raise ValueError(
                f"augment={augment} is unknown; choose one of {', '.join(AUGMENTATIONS)}, or a list, such as "
                "[resized_crop,flip]"
            )
        return AUGMENTATIONS[augment]
    found: list[Augmentation] = []
    for entry in augment:
        name, options = next(iter(entry.items())) if isinstance(entry, Mapping) and len(entry) == 1 else (entry, {})
        if callable(entry):
            found.append(OwnTransform(entry))
        elif isinstance(name, str) and name in OPERATIONS and isinstance(options, Mapping):
            found.append(with_options(OPERATIONS[name], options))
        else:
            raise ValueError(
                f"augment has the entry {entry}; a list has names ({', '.join(OPERATIONS)}), each alone or as "
                "{name: {option: value}}, or transforms with a _target_"
            )
    return tuple(found)


def with_options(operation: Augmentation, options: Mapping[str, Any]) -> Augmentation:
    """The operation with other values than its own; ValueError for an option that it does not have."""
    known = list(signature(operation).parameters)[2:]
    wrong = [name for name in options if name not in known]
    if wrong:
        raise ValueError(f"{operation.__name__} has no option {wrong[0]}; it has {', '.join(known) or 'none'}")
    return partial(operation, **options) if options else operation


def function_of(augmentation: Augmentation) -> Augmentation:
    """The function, without its options."""
    return augmentation.func if isinstance(augmentation, partial) else augmentation


class Pixels(nn.Module):
    """Convert bytes to floats: divide by 255, normalize each channel and, in training, augment.

    What changes colors, and transforms of one's own, act on pixels in [0, 1], and so come first. What moves pixels
    gives the same bits before and after normalizing; where it comes first, bytes are moved, a quarter of the memory.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: list[float], std: list[float], augment: str | Sequence[Any] = "none") -> None:
        super().__init__()
        self.augmentations = make_augmentations(augment)
        self.before, self.after = (
            [each for each in self.augmentations
             if (isinstance(each, OwnTransform) or function_of(each) in BEFORE) == flag]
            for flag in (True, False)
        )  # fmt: skip
        if len(mean) != len(std) or min(std) <= 0:
            raise ValueError(
                f"mean={list(mean)} and std={list(std)} must have the same length, and every std must be positive"
            )
        self.register_buffer("mean", 255 * torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(std).view(-1, 1, 1))

    def forward(
        self, images: Tensor, keys: Tensor | None = None, turns: Tensor | None = None
    ) -> Tensor:  # (B, C, H, W) uint8, (B), (B) bool -> (B, C, H, W) float32
        """`keys` are given in training; `turns`, for alternating flips, differ between an epoch and the next."""
        if keys is None:
            return self.normalized(images)
        x, after = images, list(self.after)
        if self.before:
            x = x.float() / 255
            for augmentation in self.before:
                x = augmentation(x, keys)
            x = 255 * x
        while not self.before and after and function_of(after[0]) in MOVES:
            x = self.apply(after.pop(0), x, keys, turns)
        x = self.normalized(x)
        for augmentation in after:
            x = self.apply(augmentation, x, keys, turns)
        return x

    def normalized(self, images: Tensor) -> Tensor:
        """Floats, each channel with its mean and deviation."""
        return images.to(torch.float32, copy=True).sub_(self.mean).div_(self.std)

    def apply(self, augmentation: Augmentation, x: Tensor, keys: Tensor, turns: Tensor | None) -> Tensor:
        """The images after one augmentation."""
        return augmentation(x, self.turns(keys, turns) if function_of(augmentation) is alternating_flip else keys)

    @staticmethod
    def turns(keys: Tensor, turns: Tensor | None) -> Tensor:
        """The turns, at random where none are known."""
        return uniform(keys, "flip") < 0.5 if turns is None else turns
