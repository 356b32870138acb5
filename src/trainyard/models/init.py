"""Initial weights by name."""

from torch import nn

INITS = ("torch", "glorot")


def initialize(net: nn.Module, init: str) -> None:
    """Draw the initial weights of every dense and convolutional layer of `net`, in place.

    `torch` leaves torch's default (uniform, variance 1 / (3 fan_in)); `glorot` draws uniformly with variance
    2 / (fan_in + fan_out) and sets the biases to zero (Glorot & Bengio, 2010), as Keras does.
    """
    if init not in INITS:
        raise ValueError(f"init={init} is unknown; choose one of {', '.join(INITS)}")
    if init == "torch":
        return
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
