"""Start a training with existing weights: a run's best, a file's, or those published for the network."""

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule
from torch import Tensor, nn

from trainyard.config.validate import check_pretrained_data
from trainyard.data.text import MAX_TOKENIZER
from trainyard.errors import UserError
from trainyard.files import read_small
from trainyard.optim.head import is_within
from trainyard.tasks.base import Task
from trainyard.tasks.head import head_parts
from trainyard.training.published import check_normalization, match_names, read_file
from trainyard.trust.checkpoint_files import size_limit
from trainyard.trust.safe_yaml import read_config
from trainyard.trust.signature import read_signed

Weights = Mapping[str, Tensor]
MAY_DIFFER = (  # keys of the model, for fine-tuning
    "num_classes", "max_length", "pool", "dropout", "attention_dropout", "stochastic_depth",
)  # fmt: skip
log = logging.getLogger(__name__)


def load_pretrained(task: Task, path: str, model: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Copy every weight of the same name and shape into the task's network, and log which were copied.

    `path` is a run directory (its best weights), a weights file (of torch.save, plain or in a checkpoint, or
    .safetensors), or `imagenet` for a network that has published weights. `model` and `data` are the config groups of
    this training.
    The head of a run on other classes is not copied, even where there are as many. UserError if nothing fits, or if
    anything but the head has another shape: a pretrained backbone is always copied as a whole.
    """
    weights, there = read_weights(task.net, path)
    if there:
        check_pretrained_data(path, there["data"], data)
    else:
        check_normalization(path, task.net, model, data)
    ours, head = task.net.state_dict(), head_of(task)
    shared = [name for name in ours if name in weights]
    reshaped = [name for name in shared if weights[name].shape != ours[name].shape]
    check_network(path, there.get("model"), model, task.net, weights, reshaped, head)
    new_head = bool(there) and there["data"].get("classes") != data.get("classes")
    other_classes = [name for name in shared if new_head and is_within(name, head) and name not in reshaped]
    copied = [name for name in shared if name not in {*reshaped, *other_classes}]
    with torch.no_grad():
        for name in copied:
            ours[name].copy_(weights[name])
    notes = {
        "of another shape": [shapes(name, weights, ours) for name in reshaped],
        "for other classes": other_classes,
        "not in it": [name for name in ours if name not in weights],
        "not used": [name for name in weights if name not in ours],
    }
    same = network_name(there.get("model")) == network_name(model)
    if same and (clause := differences(there.get("model"), model)):
        log.warning(f"pretrained={path}: the networks are configured differently{clause}")
    listed = [f"{note}: {first_names(names)}" for note, names in notes.items() if names]
    log.info("; ".join([f"pretrained={path}: {len(copied)} of the network's {len(ours)} weights copied", *listed]))


def check_tokenizer(path: str, data: LightningDataModule) -> None:
    """Raise UserError if the pretrained run used another tokenizer than this training does."""
    file, tokenizer = Path(path).expanduser() / "tokenizer.json", getattr(data, "tokenizer_json", None)
    ours = tokenizer() if tokenizer else None
    try:
        theirs = read_small(file, MAX_TOKENIZER) if ours is not None and file.exists() else None
        differs = theirs is not None and vocabulary(theirs) != vocabulary(ours or "")
    except (OSError, ValueError, RecursionError, AttributeError) as error:
        raise UserError(f"pretrained={path}: {file} is not a tokenizer ({error})") from error
    if differs:
        raise UserError(
            f"pretrained={path} has its own tokenizer ({file}), in which the token ids stand for other words than "
            "here; use the same texts, data.vocab_size and data.split_seed as there"
        )


def vocabulary(tokenizer: str | bytes) -> dict[str, Any]:
    """A tokenizer's JSON without what is done to a text before (data.strip_html): which token each id stands for."""
    return {key: value for key, value in json.loads(tokenizer).items() if key != "normalizer"}


def read_weights(net: nn.Module, path: str) -> tuple[Weights, dict[str, Any]]:
    """The weights in `path`, without the task's prefix, and the config of their run, empty for a file."""
    if path == "imagenet":
        published = getattr(net, "imagenet", None)
        if published is None:
            raise UserError(f"pretrained=imagenet: the network {type(net).__name__} has no published weights")
        try:
            return published(), {}
        except (ValueError, OSError) as error:
            raise UserError(f"pretrained=imagenet: {error}") from error
    if "://" in path:
        raise UserError(f"pretrained={path} is a URL; download it first and give the file")
    file, config = Path(path).expanduser(), {}
    if file.is_dir():
        resolved, file = file / "config.resolved.yaml", file / "checkpoints" / "best.ckpt"
        if not resolved.is_file() or not file.is_file():
            raise UserError(f"pretrained={path} is not a run with weights: it has no {resolved.name} or no {file.name}")
        config = read_config(resolved)
        check_groups(resolved, config)
    if not file.is_file():
        raise UserError(f"pretrained={path} is neither a run directory nor a weights file")
    state = read_file(file, size_limit(net) if config and read_signed(Path(path).expanduser()) is None else None)
    if any(name.startswith("net.") for name in state):
        state = {name.removeprefix("net."): value for name, value in state.items() if name.startswith("net.")}
    return (state if config else match_names(state, net)), config


def check_groups(file: Path, config: Mapping[str, Any]) -> None:
    """Raise UserError unless the config of a run has the two groups that are compared, in their usual form."""
    model, data = config.get("model"), config.get("data")
    if not isinstance(model, dict) or not isinstance(model.get("_target_"), str) or not isinstance(data, dict):
        raise UserError(f"{file} has no model with a _target_, or no data")
    if not isinstance(data.get("vocab_size"), int | None):
        raise UserError(f"{file}: data.vocab_size is not a number")


def check_network(
    path: str,
    there: Mapping[str, Any] | None,
    here: Mapping[str, Any],
    net: nn.Module,
    weights: Weights,
    reshaped: list[str],
    head: tuple[str, ...],
) -> None:
    """Raise UserError if the weights are another network's, or if a shape outside the head differs."""
    ours = net.state_dict()
    wrong = [name for name in reshaped if not is_within(name, head)]
    theirs, own = network_name(there), network_name(here)
    if wrong and theirs in (None, own):
        named = "the head" if "head" in head else f"the head ({', '.join(head) or 'task.head=... names it'})"
        raise UserError(
            f"pretrained={path}: {shapes(wrong[0], weights, ours)}, and only {named} may differ"
            f"{differences(there, here)}"
        )
    if wrong or not any(name in weights for name in ours if not is_within(name, head)):
        listed = f"of the network {theirs}" if theirs else f"named {first_names(weights)}"
        raise UserError(f"pretrained={path} has {len(weights)} weights {listed}, which do not fit the network {own}")


def head_of(task: Task) -> tuple[str, ...]:
    """The parts of the network that a new task replaces; none where it is not clear which they are."""
    try:
        return head_parts(task)
    except ValueError:
        if task.head_name is not None:
            raise
        return ()


def network_name(model: Mapping[str, Any] | None) -> str | None:
    """The class of a run's network, or its name in a library whose function has made it."""
    if not model:
        return None
    named = next((model[key] for key in ("model_name", "name") if isinstance(model.get(key), str)), None)
    target = model["_target_"].rpartition(".")[2]
    return named if named and target in ("create_model", "get_model", "torchvision_classifier") else target


def differences(there: Mapping[str, Any] | None, here: Mapping[str, Any]) -> str:
    """The keys in which the configs of two networks differ, as a clause; empty without a config to compare."""
    keys = [key for key in there or () if key in here and key not in MAY_DIFFER and (there or {})[key] != here[key]]
    clauses = [f"model.{key}={(there or {})[key]} there, {here[key]} here" for key in keys]
    return f" ({'; '.join(clauses)})" if clauses else ""


def shapes(name: str, theirs: Weights, ours: Weights) -> str:
    """The two shapes of a weight."""
    return f"{name} is {tuple(theirs[name].shape)} there and {tuple(ours[name].shape)} here"


def first_names(names: Iterable[str], most: int = 4) -> str:
    """The first names of a list, and how many more there are."""
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
