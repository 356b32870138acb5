"""Parameter groups."""

from torch import nn


def decay_groups(net: nn.Module, split_head: bool = False) -> list[dict]:
    """Weights with two or more axes keep the optimizer's weight decay; biases and gains get none.

    `split_head` makes these two groups of the network's `head` and of its base each, so that their rates can differ.
    """
    if split_head and not hasattr(net, "head"):
        raise ValueError(f"task.base_lr: the network {type(net).__name__} has no `head` to tell from its base")
    weights = [(name.startswith("head."), p) for name, p in net.named_parameters() if p.requires_grad]
    groups = []
    for part, in_head in (("base/", False), ("head/", True)) if split_head else (("", None),):
        own = [p for head, p in weights if in_head in (None, head)]
        groups.append({"name": f"{part}matrices", "params": [p for p in own if p.ndim >= 2]})
        groups.append({"name": f"{part}vectors", "params": [p for p in own if p.ndim < 2], "weight_decay": 0.0})
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ValueError("no weight of the network is trainable")
    return groups
