"""Which methods explain which network."""

from typing import Any

from torch import nn

from trainyard.data.images import Images
from trainyard.data.text import Text
from trainyard.explain.hyperedges import has_hyperedges
from trainyard.models.layers.attention import SelfAttention
from trainyard.models.vit import ViT

METHODS = {  # and whether the sign of a value matters
    "gradcam": False, "integrated_gradients": True, "gradient_x_input": True, "saliency": False, "occlusion": True,
    "rollout": False, "heads": False, "hyperedges": False,
}  # fmt: skip
MATRICES = ("heads", "hyperedges")  # whose values are not one for each part
ANY = ("integrated_gradients", "gradient_x_input", "saliency", "occlusion")


def kind_of(data: Any) -> str:
    """What an input is: image, text or numbers."""
    shape = getattr(data, "shape", ())
    if isinstance(data, Images) or (len(shape) == 3 and shape[0] in (1, 3)):
        return "image"
    return "text" if isinstance(data, Text) else "numbers"


def fitting_methods(net: nn.Module, kind: str) -> tuple[str, ...]:
    """The methods that explain the network's predictions, the default one first."""
    attends = any(isinstance(module, SelfAttention) for module in net.modules())
    if kind == "text":
        embeds = isinstance(getattr(net, "embedding", None), nn.Embedding | nn.EmbeddingBag)
        words = ("integrated_gradients", "gradient_x_input") if embeds else ()
        more = ("rollout", "heads") if attends else ("hyperedges",) if has_hyperedges(net) else ()
        return (*words, "occlusion", *more)
    if kind == "image" and isinstance(net, ViT):
        return ("rollout", "heads", *ANY)
    convolves = any(isinstance(module, nn.Conv2d) for module in net.modules())
    return ("gradcam", *ANY) if kind == "image" and convolves and not attends else ANY


def choose_method(method: str, net: nn.Module, kind: str) -> str:
    """The method, by default the network's own; ValueError for one that does not fit."""
    fitting = fitting_methods(net, kind)
    if method and method not in fitting:
        known = "does not fit" if method in METHODS else "is no method for"
        raise ValueError(
            f"method={method} {known} {type(net).__name__} on inputs of the kind {kind}; choose one of "
            + ", ".join(fitting)
        )
    return method or fitting[0]
