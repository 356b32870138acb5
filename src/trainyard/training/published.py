"""Weights that others publish as files: read as data, matched to a network by name, compared with the data's images."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torchvision.models import get_model_weights

from trainyard.errors import UserError
from trainyard.extras import import_extra
from trainyard.trust.checkpoint_files import load_checkpoint, plain_tensors

INSIDE = ("state_dict", "model", "model_state_dict")  # keys of a checkpoint under which the weights are
PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.")  # of DataParallel, torch.compile, wrappers
TOLERANCE = 0.005  # of a mean or a standard deviation
log = logging.getLogger(__name__)


def read_file(file: Path, most: int | None = None) -> dict[str, Tensor]:
    """The weights in a .safetensors file, or in one of torch.save's that contains plain data alone."""
    if file.suffix != ".safetensors":
        content = load_checkpoint(file, most)
        found = next((content[key] for key in INSIDE if isinstance(content.get(key), Mapping)), content)
        return plain_tensors(found, file)
    load_file = import_extra("safetensors.torch", "huggingface").load_file
    try:
        return plain_tensors(load_file(str(file)), file)
    except Exception as error:  # safetensors has an error of its own, torch and the disk have others
        if isinstance(error, UserError):
            raise
        raise UserError(f"{file} cannot be read: {str(error).splitlines()[0][:200]}") from error


def match_names(weights: Mapping[str, Tensor], net: nn.Module) -> dict[str, Tensor]:
    """The weights under the network's names: a wrapper's prefix is removed, or added where the network is the wrapper.

    Of all ways the one by which most names are the network's; the names as they are come first.
    """
    ours = net.state_dict()
    ways = [dict(weights)]
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in weights):
            ways.append({name.removeprefix(prefix): value for name, value in weights.items()})
    first = next(iter(weights), "")
    for prefix in (name.removesuffix(first) for name in ours if first and name.endswith(f".{first}")):
        ways.append({f"{prefix}{name}": value for name, value in weights.items()})
    return max(ways, key=lambda way: sum(name in ours for name in way))


def check_normalization(path: str, net: nn.Module, model: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Warn, with both, if the published weights were trained on images with another mean or standard deviation."""
    wanted = _of_timm(net) or _of_torchvision(model, Path(path).name)
    here = {key: data.get(key) for key in ("mean", "std")}
    if wanted is None or None in here.values():
        return
    if all(_is_near(here[key], wanted[key]) for key in here):
        return
    there = ", ".join(f"{key} {_shown(value)}" for key, value in wanted.items())
    ours = ", ".join(f"data.{key}={_shown(value)}" for key, value in here.items())
    words = " ".join(f"data.{key}={_shown(value)}" for key, value in wanted.items())
    log.warning(f"pretrained={path}: these weights want images with {there}, and here they have {ours}; set {words}")


def _of_timm(net: nn.Module) -> dict[str, list[float]] | None:
    """Mean and standard deviation in the config that a network of timm has."""
    known = getattr(net, "pretrained_cfg", None)
    return _pair(known.get("mean"), known.get("std")) if isinstance(known, dict) else None


def _of_torchvision(model: Mapping[str, Any], file: str) -> dict[str, list[float]] | None:
    """Those of torchvision's weights in a file of that name, else of the default ones of the network."""
    target = str(model.get("_target_"))
    if not target.startswith(("torchvision.models.", "trainyard.models.torchvision_classifier.")):
        return None
    name = model.get("name", target.rpartition(".")[2])
    try:
        known: Any = get_model_weights(str(name))
    except ValueError:  # a network without weights
        return None
    weights = next((each for each in known if Path(each.url).name == file), known.DEFAULT)
    preset = weights.transforms()
    return _pair(getattr(preset, "mean", None), getattr(preset, "std", None))


def _pair(mean: Any, std: Any) -> dict[str, list[float]] | None:
    return {"mean": list(mean), "std": list(std)} if mean and std else None


def _is_near(here: Any, wanted: list[float]) -> bool:
    """Whether the values are equal but for their last digits; a single one counts for every channel."""
    values = list(here) * (len(wanted) if len(here) == 1 else 1)
    return len(values) == len(wanted) and all(abs(a - b) < TOLERANCE for a, b in zip(values, wanted, strict=True))


def _shown(values: Any) -> str:
    return f"[{','.join(f'{value:.4g}' for value in values)}]"
