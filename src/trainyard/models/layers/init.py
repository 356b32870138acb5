"""Initial weights by name."""

import torch
from torch import nn

INITS = ("torch", "glorot", "he")


def initialize(net: nn.Module, init: str) -> None:
    """Initialize the weights of every linear and convolutional layer of `net`, in place.

    `torch` keeps torch's default (uniform, variance 1 / (3 fan_in)). `glorot` is uniform with variance
    2 / (fan_in + fan_out) (Glorot & Bengio, 2010), as in Keras, and `he` with variance 2 / fan_in (He et al., 2015),
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


@torch.no_grad()
def initialize_normal(net: nn.Module, std: float = 0.02) -> None:
    """Initialize linear layers and embeddings of `net` from a normal distribution, biases and padding with zeros.

    As in BERT and GPT; it makes the first logits small where the head shares the embeddings' weights.
    """
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Embedding):
            nn.init.normal_(layer.weight, std=std)
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
        if isinstance(layer, nn.Embedding) and layer.padding_idx is not None:
            layer.weight[layer.padding_idx].zero_()
