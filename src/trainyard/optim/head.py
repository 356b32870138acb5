"""The head of a network: the part that maps its features to the outputs, which a new task replaces."""

from typing import Any

from torch import nn

USUAL = ("fc", "classifier", "score", "heads", "lm_head")  # attributes of torchvision's and Hugging Face's networks
SHOWN = 6  # layers, in an error


def find_head(net: nn.Module, name: str | None = None, outputs: int | None = None) -> tuple[str, ...]:
    """The dotted names of the modules that are the network's head, mostly one.

    `name` is what the config says. Without it: what a network of timm says of itself, an attribute `head`, the last
    linear layer (or convolution) of an attribute with a usual name, here or in the network that a wrapper has, or the
    only linear layer with so many `outputs`. ValueError that lists the last layers for a name that the network lacks,
    and for a head that cannot be told.
    """
    modules = dict(net.named_modules())
    if name is not None:
        if not name or name not in modules:
            raise ValueError(f"task.head={name} is no part of {type(net).__name__}; {_last_layers(net)}")
        return (name,)
    if told := tuple(each for each in _told_by_timm(net) if each in modules):
        return told
    if "head" in modules:
        return ("head",)
    for depth in (0, 1):  # net.fc, or net.model.fc
        found = [each for each in modules if each.count(".") == depth and each.rpartition(".")[2] in USUAL]
        layers = [layer for each in found if (layer := _last_layer(modules[each], each))]
        if layers:
            break
    if len(layers) != 1:
        linear = [each for each, module in modules.items() if isinstance(module, nn.Linear)]
        fitting = [each for each in linear if modules[each].out_features == outputs]
        layers = linear if len(linear) == 1 else fitting
    if len(layers) != 1:
        raise ValueError(f"which part of {type(net).__name__} is its head is not clear; {_last_layers(net)}")
    return (layers[0],)


def is_within(name: str, parts: tuple[str, ...]) -> bool:
    """Whether a parameter or a module belongs to one of the parts."""
    return any(f"{name}.".startswith(f"{part}.") for part in parts)


def _told_by_timm(net: nn.Module) -> tuple[str, ...]:
    """The classifiers that a network of timm names in its own config."""
    known: Any = getattr(net, "pretrained_cfg", None) or getattr(net, "default_cfg", None)
    names = known.get("classifier") if isinstance(known, dict) else getattr(known, "classifier", None)
    return (names,) if isinstance(names, str) else tuple(names or ())


def _last_layer(part: nn.Module, name: str) -> str | None:
    """The name of the last linear layer or convolution of a part; None if it has none."""
    layers = [each for each, module in part.named_modules(prefix=name) if isinstance(module, nn.Linear | nn.Conv2d)]
    return layers[-1] if layers else None


def _last_layers(net: nn.Module) -> str:
    """The last layers with weights, as a clause; where nothing has a name, the top parts."""
    layers = [name for name, module in net.named_modules() if name and isinstance(module, nn.Linear | nn.Conv2d)]
    if not layers:
        return "it has no linear layer"
    return f"name it as task.head=..., of {', '.join(layers[-SHOWN:])}"
