"""Activation functions by name."""

from torch import Tensor, nn


class SquaredReLU(nn.Module):
    """max(0, x)^2 (So et al., 2021), whose derivative is continuous, unlike that of ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return x.relu().square()


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,  # slope 0.01 below zero
    "swish": nn.SiLU,  # x sigmoid(x)
    "gelu": nn.GELU,
    "squared_relu": SquaredReLU,
}


def activation(name: str) -> nn.Module:
    """A fresh activation module. Raises ValueError for a name that is not in ACTIVATIONS."""
    if name not in ACTIVATIONS:
        raise ValueError(f"activation={name} is unknown; choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()
