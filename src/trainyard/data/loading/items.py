"""From an item of a map-style dataset to the tensors of a sample."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

from trainyard.data.loading.decode import eight_bits


class Names(NamedTuple):
    """Where an item has its input and its target: places in a tuple, or keys of a mapping."""

    input: Any = 0
    target: Any = 1


def check_map_style(dataset: Any, named: str) -> None:
    """Raise ValueError unless samples can be read by number."""
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        lacks = "length (__len__)" if hasattr(dataset, "__getitem__") else "items by number (__getitem__)"
        raise ValueError(
            f"{named} is {type(dataset).__name__}, which has no {lacks}: it must be a map-style dataset, whose order a "
            "seed can determine; an iterable one goes into a DataLoader, for data=lightning"
        )
    if not len(dataset):
        raise ValueError(f"{named} is {type(dataset).__name__}, which is empty")


def sample_of(item: Any, names: Names, named: str) -> tuple[Tensor, Tensor]:
    """The input and the target of an item, `named` in errors."""
    return input_tensor(part(item, names.input, "input", named), named), target_tensor(
        part(item, names.target, "target", named), named
    )


def part(item: Any, name: Any, role: str, named: str) -> Any:
    """The input or the target of an item; ValueError if the item has nothing of that name."""
    if isinstance(item, Mapping):
        if name not in item:
            raise ValueError(
                f"{named} is a {type(item).__name__} without {name!r}; set data.{role} to one of its keys: "
                f"{', '.join(map(str, item))}"
            )
        return item[name]
    if not isinstance(item, Sequence) or isinstance(item, str):
        raise ValueError(f"{named} is {described(item)}; it must be a tuple (input, target) or a mapping")
    if not isinstance(name, int) or not -len(item) <= name < len(item):
        raise ValueError(
            f"{named} is a {type(item).__name__} of {len(item)}, and data.{role}={name}; it must be a place in it, "
            "counted from 0"
        )
    return item[name]


def input_tensor(value: Any, named: str) -> Tensor:
    """An input as a tensor: images as uint8, (C, H, W); ValueError for what is no array of numbers."""
    if isinstance(value, Image.Image):
        try:
            image = eight_bits(value)
        except ValueError as error:
            raise ValueError(f"the input of {named} is an image that cannot be used ({error})") from error
        return pil_to_tensor(image if image.mode in ("L", "RGB") else image.convert("RGB"))
    found = numbers(value, named, "input")
    return found.float() if found.is_floating_point() else found


def target_tensor(value: Any, named: str) -> Tensor:
    """A target as a tensor: int64 of a class (also of an array of one whole number), float32 of anything else."""
    found = numbers(value, named, "target")
    return found.float() if found.is_floating_point() or found.numel() != 1 else found.reshape(()).long()


def check_class_count(largest: int, count: int, named: str) -> None:
    """Raise ValueError for whole numbers that are no classes: larger than there are samples."""
    if largest >= count:
        raise ValueError(
            f"{named} has whole numbers up to {largest:,} and {count:,} samples, so they are no classes; "
            "task=regression predicts them as numbers"
        )


def numbers(value: Any, named: str, role: str) -> Tensor:
    """An array of numbers as a tensor."""
    if isinstance(value, Tensor):
        return value.as_subclass(Tensor)  # of torchvision's tensors, too
    try:
        return torch.as_tensor(np.asarray(value))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the {role} of {named} is {described(value)}; it must be a tensor, an array, an image or a number "
            "(which the dataset's own transform can make of it)"
        ) from error


def described(value: Any) -> str:
    """What a value is, with its content where it is short."""
    text = repr(value)
    return f"{type(value).__name__} {text}" if len(text) <= 40 else type(value).__name__


def stacked(values: Sequence[Tensor], named: str) -> Tensor:
    """Tensors of one shape as a batch; ValueError, with both shapes, for others."""
    for value in values:
        if value.shape != values[0].shape:
            is_color = value.ndim == 3 and value.shape[1:] == values[0].shape[1:]
            raise ValueError(
                f"{named} has samples of the shapes {list(values[0].shape)} and {list(value.shape)}; a transform of "
                f"its own, such as torchvision.transforms.v2.{'RGB' if is_color else 'Resize'}, makes them one"
            )
    return torch.stack(list(values))
