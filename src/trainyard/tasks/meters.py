"""Meters: added to those of a task; of several processes, restored from a checkpoint and merged."""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from trainyard.collectives import gathered, totals, world_size


def add_meters(meters: nn.ModuleDict, metrics: Mapping[str, Metric]) -> None:
    """Log further metrics in val and test, not in training, of which some would keep every prediction.

    ValueError for one under the name of another one.
    """
    for stage in ("val/", "test/"):
        known: Any = meters[stage]
        for name, metric in metrics.items():
            if name in known:
                raise ValueError(
                    f"task.metrics: {name} is logged anyway; with arguments of its own it needs another name, as "
                    f"{{my_{name}: {{_target_: ...}}}}"
                )
            known[name] = metric.clone()


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


def fill_empty_lists(meters: nn.Module) -> None:
    """Give a list state that is empty in this process, which had no sample, an empty tensor like those of the others.

    (torchmetrics would exchange one of fp32, whatever the others have, and gloo aborts where the sizes differ.)
    """
    metrics = [part for part in meters.modules() if isinstance(part, Metric)]
    lists = [(each, key) for each in metrics for key, state in each.metric_state.items() if isinstance(state, list)]
    if world_size() == 1 or not lists:
        return
    own = [next(((x.dtype, x.shape[1:]) for x in each.metric_state[key]), None) for each, key in lists]
    for (each, key), *kinds in zip(lists, *gathered(own), strict=True):
        if not each.metric_state[key] and (kind := next(filter(None, kinds), None)):
            setattr(each, key, [torch.empty(0, *kind[1], dtype=kind[0], device=each.device)])


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of a scalar over all processes."""
    if world_size() == 1:
        return value
    return value.new_tensor(totals([float(value)])[0] / world_size())
