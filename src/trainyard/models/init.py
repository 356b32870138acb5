"""Initial weights by name."""

from torch import nn

INITS = ("torch", "glorot", "he")


def initialize(net: nn.Module, init: str) -> None:
    """Draw the initial weights of every dense and convolutional layer of `net`, in place.

    `torch` leaves torch's default (uniform, variance 1 / (3 fan_in)). `glorot` draws uniformly with variance
    2 / (fan_in + fan_out) (Glorot & Bengio, 2010), as Keras does, and `he` with variance 2 / fan_in (He et al., 2015),
    which keeps the scale through ReLUs; both set the biases to zero.
    """
    if init not in INITS:
        raise ValueError(f"init={init} is unknown; choose one of {', '.join(INITS)}")
    for layer in net.modules() if init != "torch" else ():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            if init == "glorot":
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
