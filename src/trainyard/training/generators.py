"""Generators of random numbers that other people's data has of its own: what a trial draws from them is given back."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from lightning import Trainer
from torch import Tensor

MOST = 20_000  # objects that are looked at
ITEMS = 100  # of a list: samples are many, and alike
PLAIN = (Tensor, np.ndarray, str, bytes, int, float, type, ModuleType, Trainer)  # nothing is looked for in these


@contextmanager
def generators_kept(*things: Any) -> Iterator[None]:
    """Leave the generators of data modules, loaders, samplers and datasets as they were before `with`."""
    restore = [restorer(each) for each in generators_in(*things)]
    try:
        yield
    finally:
        for each in restore:
            each()


def restorer(generator: Any) -> Callable[[], Any]:
    """What gives a generator the state that it has now."""
    match generator:
        case torch.Generator():
            return partial(generator.set_state, generator.get_state())
        case random.Random():
            return partial(generator.setstate, generator.getstate())
        case np.random.RandomState():
            return partial(generator.set_state, generator.get_state())
    return partial(setattr, generator.bit_generator, "state", generator.bit_generator.state)


def generators_in(*things: Any) -> list[Any]:
    """Torch's, numpy's and Python's generators in the attributes of things, and of what these contain."""
    found: list[Any] = []
    seen: set[int] = set()
    waiting = list(things)
    while waiting and len(seen) < MOST:
        thing = waiting.pop()
        if thing is None or isinstance(thing, PLAIN) or id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, torch.Generator | random.Random | np.random.Generator | np.random.RandomState):
            found.append(thing)
        else:
            waiting += parts(thing)
    return found


def parts(thing: Any) -> list[Any]:
    """What an object contains; of a function, what it was made with."""
    match thing:
        case dict():
            return list(thing.values())[:ITEMS]
        case list() | tuple() | set():
            return list(thing)[:ITEMS]
        case partial():
            return [thing.func, *thing.args, *thing.keywords.values()]
        case MethodType():
            return [thing.__self__]
        case FunctionType():
            cells = [cell.cell_contents for cell in thing.__closure__ or () if cell_is_full(cell)]
            return [*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values(), *cells]
    return list(getattr(thing, "__dict__", {}).values())


def cell_is_full(cell: Any) -> bool:
    """Whether a variable of a closure has a value."""
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
