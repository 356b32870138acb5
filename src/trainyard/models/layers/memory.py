"""Memory that a network knows it needs, and memory that is there: compared before anything is allocated."""

import os
from pathlib import Path

import torch
from torch import nn

LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container; "max" where there is none


def bytes_needed(net: nn.Module, samples: int, training: bool = True) -> int:
    """The least that a batch of so many samples takes, as the modules say that know it: `bytes_needed(samples, ...)`.

    With `training` also what autograd keeps for the backward pass.
    """
    return sum(
        module.bytes_needed(samples, training)  # pyright: ignore
        for module in net.modules()
        if hasattr(module, "bytes_needed")
    )


def host_memory() -> int | None:
    """The bytes of memory that this process may use at most; None where the system does not say."""
    try:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
    try:
        return min(there, int(LIMIT.read_text()))
    except (OSError, ValueError):
        return there


def check_one_sample(what: str, needed: int) -> None:
    """Raise ValueError if a single sample takes more memory than this machine has.

    Networks on torch's meta device take none.
    """
    there = host_memory()
    if there is not None and needed > there and torch.get_default_device().type != "meta":
        raise ValueError(
            f"{what}: a single sample takes at least {gigabytes(needed)}, and this machine has "
            f"{gigabytes(there)} of memory; use fewer"
        )


def gigabytes(count: int) -> str:
    """Bytes in words."""
    return f"{count:,} bytes ({count / 1e9:,.1f} GB)"
