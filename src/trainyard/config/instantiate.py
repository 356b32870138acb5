"""From a config to objects: code below this module uses plain Python objects, not Hydra."""

from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

import hydra.utils
from hydra.errors import InstantiationException
from omegaconf import DictConfig

from trainyard.config.targets import import_problem
from trainyard.config_keys import RENAMED
from trainyard.errors import UserError, did_you_mean
from trainyard.optim.signature import check_closure, has_modes
from trainyard.optim.warmup_length import Warmup

if TYPE_CHECKING:
    from trainyard.tasks.base import Task

_instantiate = partial(hydra.utils.instantiate, _convert_="all")  # to plain lists and dicts, which torch needs
# Hydra 1.4 asks what may be called, and of a function also what it may return, which no name tells; 1.3 does not.
_UNCHECKED = getattr(hydra.utils, "UNSAFE_DISABLE_EXECUTION_CHECKS", None)
WARMUP = {"warmup": "share", "warmup_steps": "steps", "warmup_epochs": "epochs"}  # keys of a scheduler
CONSTANT = "torch.optim.lr_scheduler.ConstantLR"


def instantiate(node: DictConfig, label: str, **objects: Any) -> Any:
    """The object that `node` describes, built with `objects` as further arguments. `label` names it in errors.

    Whatever the config names is called: it is the user's own, or `trust.allowlist` has checked it before.
    """
    allowed = {"_execution_whitelist_": _UNCHECKED} if _UNCHECKED is not None else {}
    try:
        return _instantiate(node, **objects, **allowed)
    except Exception as error:  # Hydra 1.3 wraps what a target raises, 1.4 does not
        if problem := next(filter(None, map(import_problem, sorted(_targets(node)))), None):
            raise UserError(f"{label}: {problem}") from error
        cause = (error.__cause__ or error) if isinstance(error, InstantiationException) else error
        if isinstance(cause, TypeError):
            raise UserError(f"{label}: {_wrong_argument(node, cause)}") from error
        text = (str(cause).splitlines() or [""])[0] if cause is error else str(cause)
        is_explained = isinstance(cause, ValueError | OSError | InstantiationException | ImportError | RuntimeError)
        if not text or not is_explained:
            text = f"{type(cause).__name__}: {text}".removesuffix(": ")
        raise UserError(f"{label}: {text}") from error


def instantiate_task(cfg: DictConfig, choices: Mapping[str, str] | None = None) -> "Task":
    """Network, optimizer, scheduler, and the task that contains them; errors name the option that caused them.

    (Or a LightningModule, which is no task: task=lightning.)
    """
    named = {group: f"{group}={choice}" for group, choice in (choices or {}).items()}
    net = instantiate(cfg.model, f"{named.get('model', 'model')} with {named.get('data', 'data')}")
    if cfg.hardware.precision == "64-true":
        net.double()  # now, as Lightning converts it after it has loaded a checkpoint's weights, rounded to 32 bits
    given = {group: node for group in ("optimizer", "scheduler") if (node := cfg.get(group)) is not None}
    if len(given) < 2:  # of a LightningModule that has its own, and refuses others
        parts = {group: instantiate(node, named.get(group, group)) for group, node in given.items()}
        return instantiate(cfg.task, named.get("task", "task"), net=net, **parts)
    schedule, warmup = split_warmup(cfg.scheduler, named.get("scheduler", "scheduler"))
    parts = {group: instantiate(node, named.get(group, group))
             for group, node in (("optimizer", cfg.optimizer), ("scheduler", schedule))}  # fmt: skip
    task: Task = instantiate(with_loss_function(cfg.task), named.get("task", "task"), net=net, **parts, **warmup)
    if not hasattr(task, "make_optimizer"):
        return task
    try:
        check_closure(parts["optimizer"])
        check_modes(parts["optimizer"], schedule)
        task.make_optimizer(total_steps=100)  # raises what is wrong with their arguments now, not in a run
    except (TypeError, ValueError) as error:
        names = [named.get(group, group) for group in ("optimizer", "scheduler")]
        raise UserError(f"{' and '.join(names)}: {error}") from error
    return task


def check_modes(optimizer: Any, schedule: DictConfig) -> None:
    """Raise ValueError for a schedule beside an optimizer that replaces it by an average of its own."""
    if has_modes(optimizer) and (schedule.get("_target_") != CONSTANT or schedule.get("factor") != 1):
        raise ValueError(
            f"{optimizer.func.__name__} averages the weights in place of a schedule, and "
            f"{str(schedule.get('_target_')).rpartition('.')[2]} would lower its learning rate as well; set "
            "scheduler=constant"
        )


def split_warmup(node: DictConfig, label: str) -> tuple[DictConfig, dict[str, Warmup]]:
    """A schedule's config without the warm-up before it, and that, if there is one, as an argument of the task.

    A fraction which the schedule takes itself, as cosine does, remains its own; steps and epochs take its place.
    """
    try:
        taken = set(signature(target_of(node)).parameters)
    except Exception:  # whatever importing it raises is explained when it is built
        taken = set()
    given = {name: node.get(key) for key, name in WARMUP.items() if key not in taken}
    rest = DictConfig({key: value for key, value in node.items() if key not in WARMUP or key in taken})
    if given.get("steps") is not None or given.get("epochs") is not None:
        given["share"] = None
        if "warmup" in rest:
            rest.warmup = 0.0
    try:
        warmup = Warmup(**given)
    except ValueError as error:
        raise UserError(f"{label}: {error}") from error
    return rest, {"warmup": warmup} if any(value is not None for value in given.values()) else {}


def with_loss_function(node: DictConfig) -> DictConfig:
    """A task's config in which a function that is named as its loss is the loss: it is not called to build one."""
    loss = node.get("loss")
    if not isinstance(loss, DictConfig) or "_target_" not in loss or "_partial_" in loss:
        return node
    try:
        is_class = isinstance(target_of(loss), type)
    except Exception:  # whatever importing it raises is explained when it is built
        return node
    return node if is_class else DictConfig({**node, "loss": {**loss, "_partial_": True}})


def target_of(node: Mapping[str, Any]) -> Any:
    """The class or function that a part of a config names."""
    return hydra.utils.get_object(node["_target_"])


def _targets(node: Any) -> set[str]:
    """Every target in a config."""
    if isinstance(node, Mapping):
        own = {node["_target_"]} if isinstance(node.get("_target_"), str) else set()
        return own.union(*(_targets(child) for child in node.values()))
    return set().union(*map(_targets, node)) if isinstance(node, Sequence) and not isinstance(node, str) else set()


def _wrong_argument(node: DictConfig, cause: TypeError) -> str:
    """What a constructor said about its arguments, with the name that was probably meant."""
    text = str(cause)
    if "unexpected keyword argument" not in text:
        return text
    word = text.split("'")[-2]
    module, _, name = node["_target_"].rpartition(".")
    known = _arguments(getattr(import_module(module), name))
    new = {old.rpartition(".")[2]: key for old, key in RENAMED.items() if key.rpartition(".")[2] in known}.get(word)
    hint = f" It is now called {new}." if new else did_you_mean(word, known)
    return f"{name} takes no argument {word}.{hint} It takes {', '.join(known)}."


def _arguments(function: Any) -> list[str]:
    """The names of what a function or class takes; of a class also what it passes on to its base classes."""
    makers = [part.__init__ for part in function.__mro__[:-1]] if isinstance(function, type) else [function]
    names: list[str] = []
    for maker in makers:
        parameters = signature(maker).parameters.values()
        names += [each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
        if not any(each.kind == each.VAR_KEYWORD for each in parameters):
            break
    return [name for name in dict.fromkeys(names) if name != "self"]
