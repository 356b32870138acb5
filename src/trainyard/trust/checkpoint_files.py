"""Read checkpoints as whole files of plain data, never as code. Every checkpoint that Trainyard reads is read here."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainyard.errors import UserError, first_line
from trainyard.trust.plain_state import from_plain
from trainyard.trust.shards import SHARDS, read_shards, shards_error

DTYPES = (
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool,
    torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
)  # fmt: skip


def integrity_error(path: Path) -> str | None:
    """What is wrong with a checkpoint as a file; None for an uncompressed zip archive whose checksums are right.

    (torch.load checks no sums: it would load a flipped bit without a word.)
    """
    if not path.is_file():  # a pipe would block
        return "it is not a regular file"
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            if any(record.compress_type != zipfile.ZIP_STORED for record in records):
                return "it is compressed, which torch's own files never are"
            if sum(record.file_size for record in records) > path.stat().st_size:
                return "its records are larger than the file"
            broken = archive.testzip()
            return f"its record {broken} is damaged" if broken else None
    except zipfile.BadZipFile:
        return (
            "it is not a whole zip archive: cut short, or not a checkpoint, or written by torch before 1.6 "
            "(torch.save(torch.load(FILE, weights_only=True), FILE) converts it)"
        )
    except Exception as error:  # zipfile raises errors of any type for bytes that are no archive
        return str(error) or type(error).__name__


def size_limit(module: nn.Module) -> int:
    """The bytes that a checkpoint of the module may have: weights, their average, an optimizer's state, and more."""
    return 16 * sum(value.numel() * value.element_size() for value in module.state_dict().values()) + (64 << 20)


def load_checkpoint(path: Path, most: int | None = None, whole: bool = True, **options: Any) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU unless `options` (of torch.load) say otherwise.

    Tensors that several processes have written, each its part, are read as a whole, or unless `whole` not at all.
    UserError unless it is a whole file of plain data, of at most `most` bytes.
    """
    if not path.is_file():
        raise UserError(f"{path} is not a file")
    if most is not None and path.stat().st_size > most:
        raise UserError(f"{path} has {path.stat().st_size:,} bytes, and this network's checkpoint at most {most:,}")
    if reason := integrity_error(path):
        raise UserError(f"{path} cannot be read: {reason}")
    try:
        content = from_plain(torch.load(path, weights_only=True, **{"map_location": "cpu", **options}))
    except Exception as error:  # whatever the unpickler raises for what is not plain data
        raise UserError(f"{path} contains more than plain data, and is not read ({first_line(error)[:200]})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} contains {type(content).__name__}, not a checkpoint's mapping")
    if not whole or SHARDS not in content:
        return content
    if most is not None:
        raise UserError(f"{path} is in several files, which are read of one's own runs alone; use its best weights")
    if reason := shards_error(path, content):
        raise UserError(f"{path} cannot be read: {reason}")
    return read_shards(path, content)


def plain_tensors(weights: Any, path: Path) -> dict[str, Tensor]:
    """The weights by name; UserError for anything but tensors of finite numbers, all of them stored in the file."""
    if not isinstance(weights, Mapping):
        raise UserError(f"{path} contains no weights by name")
    for name, value in weights.items():
        plain = isinstance(name, str) and type(value) in (Tensor, nn.Parameter) and value.layout == torch.strided
        if not plain or value.device.type != "cpu" or value.dtype not in DTYPES:
            raise UserError(f"{path}: its weight {name} is {type(value).__name__}, not a plain tensor of numbers")
        if value.untyped_storage().nbytes() < value.numel() * value.element_size():
            raise UserError(f"{path}: its weight {name} {tuple(value.shape)} is larger than its data in the file")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise UserError(f"{path}: its weight {name} contains NaN or infinite values")
    return dict(weights)


def check_same_weights(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Raise UserError unless the weights are the module's, name by name and shape by shape."""
    ours = module.state_dict()
    missing, unknown = [name for name in ours if name not in weights], [name for name in weights if name not in ours]
    if missing or unknown:
        what = f"lacks {missing[0]}" if missing else f"contains {unknown[0]}, which the network lacks"
        more = len(missing) + len(unknown) - 1
        raise UserError(f"{path} does not fit its config: it {what}{f' ({more} more such names)' if more else ''}")
    for name, value in weights.items():
        if value.is_floating_point() != ours[name].is_floating_point():
            raise UserError(f"{path} does not fit its config: {name} is {value.dtype} instead of {ours[name].dtype}")
        if value.shape != ours[name].shape:
            raise UserError(
                f"{path} does not fit its config: {name} is {tuple(value.shape)} in it and {tuple(ours[name].shape)} "
                "in the network"
            )
