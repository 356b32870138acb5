"""Filters that a network takes from the images of its training split before the first step."""

from collections.abc import Iterable
from typing import Any

from torch import nn

from trainyard.collectives import world_size
from trainyard.models.layers.whitening import Whitening, whiten
from trainyard.tasks.training_split import training_inputs, training_samples

IMAGES = 5000  # at most, as in airbench94


def whiten_filters(net: nn.Module, layer: str | None, data: Any) -> None:
    """Fit the network's Whitening layers that are not fitted yet, and the convolution that is named `layer`.

    ValueError for a name that is no convolution over the images' channels, and for data without images.
    """
    fresh = [part for part in net.modules() if isinstance(part, Whitening) and not part.is_fitted]
    if not fresh and layer is None:
        return
    shape = tuple(getattr(data, "shape", ()))
    if len(shape) != 3 or training_samples(data) is None:
        raise ValueError(
            f"whitening filters are computed from the images of a training split, and {type(data).__name__} does not "
            "tell any; use another network, or leave task.whiten at null"
        )
    for part in fresh:
        part.fit(training_inputs(data, IMAGES))
    if layer is not None:
        whiten(named_layer(net, layer, shape[0]), training_inputs(data, IMAGES))


def named_layer(net: nn.Module, name: str, channels: int) -> nn.Conv2d:
    """The convolution over the images' channels that has this name."""
    parts = dict(net.named_modules())
    found = parts.get(name)
    if not isinstance(found, nn.Conv2d) or found.weight.shape[1] != channels:
        fitting = [
            each for each, part in parts.items() if isinstance(part, nn.Conv2d) and part.weight.shape[1] == channels
        ]
        raise ValueError(
            f"task.whiten={name} is no convolution over the {channels} channels of the images; {type(net).__name__} "
            f"has {', '.join(fitting[:6]) or 'none'}"
        )
    return found


def short_biases(net: nn.Module) -> tuple[Whitening, ...]:
    """The Whitening layers whose biases do not train in all epochs."""
    return tuple(part for part in net.modules() if isinstance(part, Whitening) and part.bias_epochs is not None)


def end_bias_training(layers: Iterable[Whitening], epoch: int) -> None:
    """Freeze the biases of layers whose epochs are over (counted from 0), which saves their gradients.

    Of several processes, which have agreed on what they exchange, the biases only lose their gradients.
    """
    for layer in layers:
        if layer.bias_epochs is not None and epoch >= layer.bias_epochs:
            assert layer.bias is not None
            layer.bias.grad = None
            if world_size() == 1:
                layer.bias.requires_grad_(False)
