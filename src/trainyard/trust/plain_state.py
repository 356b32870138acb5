"""The state of callbacks in a checkpoint as plain data: what torch reads back without running code."""

import io
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch

from trainyard.errors import UserError

TAG = "__plain__"  # key of a mapping that stands for a value of another type
PLAIN = (type(None), bool, int, float, complex, str, torch.Tensor, torch.nn.Parameter, torch.Size, torch.dtype)
KEYS = (str, int, float, bool, type(None), torch.dtype)  # of mappings, or of tuples that are keys
FACTORIES: dict[str, Callable[[], Any] | None] = {  # of a defaultdict
    "None": None, "bool": bool, "int": int, "float": float, "str": str, "list": list, "dict": dict, "set": set,
}  # fmt: skip
NUMBERS = "biufcSUmM"  # kinds of numpy's dtypes that are no Python objects


def to_plain(value: Any, where: str) -> Any:
    """The value with numpy's scalars and arrays, Path, deque and defaultdict as tagged mappings.

    UserError, with `where`, for a value that could be written but never read again.
    """
    if (tagged := tag(value, where)) is not None:
        return tagged
    if type(value) is dict:
        return {plain_key(key, where): to_plain(child, f"{where}[{key!r}]") for key, child in value.items()}
    if type(value) in (list, tuple):
        return type(value)(to_plain(child, f"{where}[{i}]") for i, child in enumerate(value))
    if type(value) not in (*PLAIN, OrderedDict) and not is_readable(value):
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise UserError(
            f"the checkpoint's {where} is a {kind}, which could be written but never be read again as data; its "
            "state_dict should return numbers, texts, tensors, arrays, lists and mappings"
        )
    return value


def tag(value: Any, where: str) -> dict[str, Any] | None:
    """The tagged mapping that stands for the value; None for one that needs none."""
    match value:
        case np.ndarray() | np.generic() if value.dtype.kind in NUMBERS:
            return {TAG: "numpy", "dtype": value.dtype.str, "shape": list(value.shape),
                    "data": bytes_to_tensor(value.tobytes()), "is_scalar": isinstance(value, np.generic)}  # fmt: skip
        case bytes():
            return {TAG: "bytes", "data": bytes_to_tensor(value)}
        case Path():
            return {TAG: "path", "value": str(value)}
        case deque():
            return {TAG: "deque", "items": to_plain(list(value), where), "maxlen": value.maxlen}
        case defaultdict() if (name := factory_name(value)) in FACTORIES:
            return {TAG: "defaultdict", "items": to_plain(dict(value), where), "factory": name}
        case OrderedDict() if not all(type(child) in PLAIN for child in value.values()):  # other than weights
            return {TAG: "ordered", "items": to_plain(dict(value), where)}
        case dict() if TAG in value:
            return {TAG: "dict", "items": to_plain([list(item) for item in value.items()], where)}
    return None


def plain_key(key: Any, where: str) -> Any:
    """A key of a mapping, numpy's scalars as Python's; UserError for one that could not be read again."""
    if isinstance(key, np.generic):
        return key.item()
    parts = key if type(key) is tuple else (key,)
    if not all(type(part) in KEYS for part in parts):
        raise UserError(
            f"the checkpoint's {where} has the key {key!r} ({type(key).__name__}), which could be written but never be "
            "read again as data; use texts and numbers as keys"
        )
    return key


def from_plain(value: Any) -> Any:
    """The inverse of `to_plain`; ValueError, TypeError or KeyError for a tagged mapping that it did not make."""
    if type(value) in (list, tuple):
        return type(value)(map(from_plain, value))
    if type(value) is not dict:
        return value
    if TAG in value:
        return UNTAG[value[TAG]](value)
    return {key: from_plain(child) for key, child in value.items()}


def read_array(value: dict[str, Any]) -> Any:
    """The array, or scalar, that a tagged mapping describes."""
    if np.dtype(value["dtype"]).kind not in NUMBERS:
        raise ValueError(f"an array of the type {value['dtype']}")
    content = value["data"].numpy().tobytes()
    array = np.frombuffer(content, np.dtype(value["dtype"])).reshape(value["shape"]).copy()
    return array[()] if value["is_scalar"] else array


UNTAG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "numpy": read_array,
    "bytes": lambda value: value["data"].numpy().tobytes(),
    "path": lambda value: Path(value["value"]),
    "deque": lambda value: deque(map(from_plain, value["items"]), value["maxlen"]),
    "defaultdict": lambda value: defaultdict(FACTORIES[value["factory"]], from_plain(value["items"])),
    "ordered": lambda value: OrderedDict(from_plain(value["items"])),
    "dict": lambda value: dict(from_plain(value["items"])),
}


def bytes_to_tensor(content: bytes) -> torch.Tensor:
    """The bytes as a tensor, (N) uint8. (Torch does not read empty bytes.)"""
    return torch.tensor(np.frombuffer(content, np.uint8).copy())


def factory_name(value: defaultdict[Any, Any]) -> str:
    """The name of a defaultdict's factory if it is one of FACTORIES, else an empty string."""
    return next((name for name, factory in FACTORIES.items() if factory is value.default_factory), "")


def is_readable(value: Any) -> bool:
    """Whether torch reads a value of another type as plain data: an OrderedDict, say, or one that the user allowed."""
    if isinstance(value, PurePath):
        return False
    buffer = io.BytesIO()
    try:
        torch.save(value, buffer)
        buffer.seek(0)
        torch.load(buffer, weights_only=True)
    except Exception:  # whatever the pickler and the unpickler raise
        return False
    return True
