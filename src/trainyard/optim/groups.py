"""Parameter groups."""

from torch import nn


def decay_groups(net: nn.Module, split_head: bool = False) -> list[dict]:
    """Two parameter groups: weights with two or more axes, and biases and norm weights, which get no weight decay.

    Frozen parameters are among them, since they may train later; an optimizer skips what has no gradient.
    `split_head` makes two such groups each of the network's `head` and of its backbone, so that their learning rates
    can differ.
    """
    if split_head and not hasattr(net, "head"):
        raise ValueError(
            f"task.backbone_lr_scale needs a network with a `head`, which {type(net).__name__} lacks; set it to 1"
        )
    weights = [(name.startswith("head."), p) for name, p in net.named_parameters()]
    if not any(p.requires_grad for _, p in weights):
        raise ValueError("the network has no trainable parameter")
    groups = []
    for part, in_head in (("backbone/", False), ("head/", True)) if split_head else (("", None),):
        own = [p for head, p in weights if in_head in (None, head)]
        groups.append({"name": f"{part}matrices", "params": [p for p in own if p.ndim >= 2]})
        groups.append({"name": f"{part}vectors", "params": [p for p in own if p.ndim < 2], "weight_decay": 0.0})
    return [group for group in groups if group["params"]]
