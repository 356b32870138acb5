"""Meters of several processes: restored from a checkpoint, and merged."""

import warnings
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torchmetrics import Metric

from trainyard.collectives import totals, world_size


def restore_meters(meters: Mapping[str, Metric], states: Mapping[str, Mapping[str, Any]]) -> None:
    """Set the state of each meter to the saved one of its name."""
    for name, meter in meters.items():
        for key, value in states.get(name, {}).items():
            setattr(meter, key, _to(value, meter))


def merge_meters(meters: Mapping[str, Metric], states: Mapping[str, Mapping[str, Any]]) -> None:
    """Add the saved states to those of the meters of the same names."""
    for name, meter in meters.items():
        try:
            meter.merge_state({key: _to(value, meter) for key, value in states.get(name, {}).items()})
        except RuntimeError as error:  # a metric of which torchmetrics cannot tell how to merge two
            warnings.warn(f"the meter train/{name} of this epoch lacks a part: {error}", stacklevel=2)


def _to(value: Any, meter: Metric) -> Any:
    """A saved state, a tensor or a list of one for each update, on the meter's device."""
    return [each.to(meter.device) for each in value] if isinstance(value, list) else value.to(meter.device)


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of a scalar over all processes."""
    if world_size() == 1:
        return value
    return value.new_tensor(totals([float(value)])[0] / world_size())
