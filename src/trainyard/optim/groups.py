"""Parameter groups."""

from torch import nn


def decay_groups(net: nn.Module) -> list[dict]:
    """Weights with two or more axes keep the optimizer's weight decay; biases and gains get none."""
    weights = [p for p in net.parameters() if p.requires_grad]
    matrices = {"name": "matrices", "params": [p for p in weights if p.ndim >= 2]}
    vectors = {"name": "vectors", "params": [p for p in weights if p.ndim < 2], "weight_decay": 0.0}
    groups = [group for group in (matrices, vectors) if group["params"]]
    if not groups:
        raise ValueError("no weight of the network is trainable")
    return groups
