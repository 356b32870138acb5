"""Parameter groups."""

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainyard.optim.head import is_within
from trainyard.optim.layers import hidden_matrices, layers

KINDS = ("hidden", "matrices", "vectors", "norms")
NORMS = (_BatchNorm, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm)


def decay_groups(
    net: nn.Module,
    backbone_lr_scale: float = 1.0,
    layer_decay: float = 1.0,
    splits_hidden: bool = False,
    head: tuple[str, ...] = ("head",),
    norm_lr_scale: float = 1.0,
) -> list[dict[str, Any]]:
    """Weights with two or more axes, and biases and norm weights, which get no weight decay, in groups of their own.

    Frozen parameters are among them, since they may train later; an optimizer skips what has no gradient. Where the
    learning rates of a network's parts differ, each part has such groups, with its factor as `lr_scale`: by
    `backbone_lr_scale` all but the network's `head` (the names of its parts), by `layer_decay` each layer by how far
    below the head it is. With `splits_hidden`, hidden matrices form a third group, and each group has its `kind`. The
    biases and gains of norms form one where they learn at `norm_lr_scale` times the rate of the others; they have
    weight decay then, by the inverse factor (`decay_scale`), so that a step shrinks them as much as other weights
    (of an optimizer whose decay is a share of the weight).
    """
    weights = dict(net.named_parameters())
    if not any(weight.requires_grad for weight in weights.values()):
        raise ValueError("the network has no trainable parameter")
    part_of, scales = parts(net, backbone_lr_scale, layer_decay, head)
    hidden = hidden_matrices(net, head) if splits_hidden else set()
    norms = norm_parameters(net) if norm_lr_scale != 1 else set()
    kind_of = {name: "matrices" if p.ndim >= 2 else "vectors" for name, p in weights.items()}
    kind_of |= dict.fromkeys(norms, "norms") | dict.fromkeys(hidden, "hidden")
    groups = []
    for part, scale in scales.items():
        for kind in KINDS:
            own = [p for name, p in weights.items() if part_of[name] == part and kind_of[name] == kind]
            more = {"weight_decay": 0.0} if kind == "vectors" else {}
            if len(scales) > 1 or norms:
                more["lr_scale"] = scale * (norm_lr_scale if kind == "norms" else 1)
            if kind == "norms":
                more["decay_scale"] = 1 / norm_lr_scale
            more |= {"kind": "hidden" if kind == "hidden" else "adamw"} if splits_hidden else {}
            groups.append({"name": f"{part}{kind}", "params": own, **more})
    return [group for group in groups if group["params"]]


def parts(
    net: nn.Module, backbone_lr_scale: float, layer_decay: float, head: tuple[str, ...]
) -> tuple[dict[str, str], dict[str, float]]:
    """The part of the network to which each parameter belongs, and each part's factor of the learning rate."""
    names = [name for name, _ in net.named_parameters()]
    if backbone_lr_scale != 1 and layer_decay != 1:
        raise ValueError(
            f"task.backbone_lr_scale={backbone_lr_scale} and task.layer_decay={layer_decay} both lower the learning "
            "rates below the head; set one of them to 1"
        )
    if backbone_lr_scale != 1:
        if all(is_within(name, head) for name in names):
            raise ValueError(
                f"all of {type(net).__name__} is its head ({', '.join(head)}); set task.backbone_lr_scale=1"
            )
        scales = {"backbone/": backbone_lr_scale, "head/": 1.0}
        return {name: "head/" if is_within(name, head) else "backbone/" for name in names}, scales
    if layer_decay != 1:
        depth_of = layers(net)
        top = max(depth_of.values())
        width = len(str(top))
        return (
            {name: f"layer{depth:0{width}}/" for name, depth in depth_of.items()},
            {f"layer{depth:0{width}}/": layer_decay ** (top - depth) for depth in range(top + 1)},
        )
    return dict.fromkeys(names, ""), {"": 1.0}


def norm_parameters(net: nn.Module) -> set[str]:
    """The names of the biases and gains of norms; ValueError for a network that has none."""
    found = {
        f"{name}.{own}" if name else own
        for name, module in net.named_modules()
        if isinstance(module, NORMS)
        for own, _ in module.named_parameters(recurse=False)
    }
    if not found:
        raise ValueError(f"task.norm_lr_scale: {type(net).__name__} has no norm with weights; leave it at 1")
    return found


def describe_kinds(groups: list[dict[str, Any]]) -> str:
    """What Muon trains of a network, in a line."""
    hidden, rest = ([group for group in groups if (group.get("kind") == "hidden") == flag] for flag in (True, False))
    tensors, numbers = (
        [sum(count(p) for group in part for p in group["params"]) for part in (hidden, rest)]
        for count in (lambda p: 1, lambda p: p.numel())
    )
    return (
        f"{tensors[0]} hidden matrices of {numbers[0]:,} weights by Muon, {tensors[1]} others (embeddings, head, "
        f"biases, gains) of {numbers[1]:,} by AdamW"
    )
