"""Check what a config asks for, in one pass, before anything is built from it or written.

(The types of the overrides are checked before it is resolved, in override_types.py.)
What can only be checked on the built objects (their arguments, the scores that a task logs) is checked when they are
built, which is also before a run directory exists.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from trainyard.config.composition import Composed
from trainyard.config.directions import known_direction
from trainyard.config_keys import flatten, may_change_on_resume
from trainyard.errors import UserError, did_you_mean
from trainyard.machine import ACCELERATORS
from trainyard.optim.signature import needs_length

MATMUL = ("highest", "high", "medium")
STRATEGIES = ("ddp", "fsdp")
LOOKAHEAD = "trainyard.callbacks.lookahead.Lookahead"
MEMORY_FORMATS = ("contiguous", "channels_last")


def validate(composed: Composed, cfg: DictConfig, started: Mapping[str, Any] | None = None) -> None:
    """Raise UserError for the first thing that is wrong with a config.

    `composed` is the config as the user asked for it, `cfg` the same, resolved; `started` is the resolved config of the
    run in `cfg.run.dir` where this training continues one.
    """
    check_monitor_mode(cfg)
    check_callbacks(cfg)
    check_devices(cfg)
    check_hardware(cfg.hardware)
    check_context_length(cfg, composed.choices)
    check_length(cfg)
    if started is not None:
        check_same_run(started, cfg)


def check_monitor_mode(cfg: DictConfig) -> None:
    """Raise UserError for a mode that is unknown, or that would keep the worst weights."""
    if cfg.mode not in ("min", "max"):
        raise UserError(f"mode={cfg.mode} must be min or max")
    if str(cfg.monitor).startswith("test/"):
        raise UserError(
            f"monitor={cfg.monitor}: the test set is read once, at the end; monitor a score of val/ or train/"
        )
    refuse_wrong_mode(cfg, known_direction(str(cfg.monitor)))


def refuse_wrong_mode(cfg: DictConfig, better: str | None) -> None:
    """Raise UserError if the mode contradicts what is better, `min` or `max`; None: the mode is believed."""
    if better is not None and cfg.mode != better:
        raise UserError(f"monitor={cfg.monitor} with mode={cfg.mode} would keep the worst weights; set mode={better}")


def check_callbacks(cfg: DictConfig) -> None:
    """Raise UserError for a callback that is neither left out nor described."""
    for key, node in (cfg.get("callbacks") or {}).items():
        if node is not None and not isinstance(node, DictConfig):
            raise UserError(f"callbacks.{key}={node} must be null, which leaves the callback out, or have a _target_")


def check_monitored_scores(cfg: DictConfig, scores: Iterable[str], whose: str = "this task") -> None:
    """Raise UserError for a score that the run or a callback monitors but the task does not log."""
    known = list(scores)
    names = [cfg.monitor] if cfg.monitor is not None else []
    nodes = {key: node for key, node in (cfg.get("callbacks") or {}).items() if node is not None}
    watched = {key: node.monitor for key, node in nodes.items() if node.get("monitor")}
    for name in [*names, *watched.values()]:
        if name not in known:
            hint = did_you_mean(str(name), known)
            listed = f"It has {', '.join(known)}." if known else "It has none; monitor=null keeps the last weights."
            raise UserError(f"monitor={name} is not a score of {whose}.{hint} {listed}")
    for key, name in watched.items():
        if cfg.trainer.limit_val_batches == 0 and name.startswith("val/") and key != "best":
            raise UserError(
                f"trainer.limit_val_batches=0 validates nothing, and callbacks.{key} monitors {name}; set "
                f"callbacks.{key}.monitor=train/loss, or leave the first out"
            )


def check_devices(cfg: DictConfig) -> None:
    """Raise UserError for what does not fit several processes."""
    devices, nodes = cfg.hardware.devices, cfg.hardware.num_nodes
    processes, size = devices * nodes, cfg.data.get("batch_size")
    several = {"strategy": "auto", "sync_batchnorm": False} if processes > 1 else {}
    for key, value in {"devices": devices, "num_nodes": nodes, **several}.items():
        if (there := cfg.trainer.get(key, value)) not in (value, str(value)):
            raise UserError(f"trainer.{key}={there} and hardware.{key}={cfg.hardware[key]}: set hardware.{key} alone")
    if size is not None and size % processes:
        near = [size // processes * processes, (size // processes + 1) * processes]
        raise UserError(
            f"data.batch_size={size} is the samples of a step over all processes, and {processes} do not divide it; "
            f"use {' or '.join(str(each) for each in near if each)}"
        )
    for key, allowed in (("strategy", STRATEGIES), ("comm_hook", (None, "fp16", "bf16"))):
        if cfg.hardware[key] not in allowed:
            words = ", ".join("null" if each is None else each for each in allowed)
            raise UserError(f"hardware.{key}={cfg.hardware[key]} must be one of {words}")
    if not is_timeout(cfg.hardware.timeout):
        raise UserError(f"hardware.timeout={cfg.hardware.timeout} must be a number of seconds above 0")
    if not isinstance(restarts := cfg.hardware.max_restarts, int) or restarts < 0:
        raise UserError(f"hardware.max_restarts={restarts} must be an integer of at least 0")


def is_timeout(seconds: Any) -> bool:
    """Whether processes can wait for one another so long."""
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < float("inf")


def check_hardware(hardware: DictConfig) -> None:
    """Raise UserError for a value of the hardware group that is unknown or cannot work; `auto` is resolved already."""
    if hardware.accelerator == "cpu" and str(hardware.precision).startswith("16"):
        raise UserError(f"hardware.precision={hardware.precision} needs a GPU; on a CPU use auto or 32-true")
    for key, allowed in (("matmul_precision", MATMUL), ("memory_format", MEMORY_FORMATS)):
        if hardware[key] not in allowed:
            raise UserError(f"hardware.{key}={hardware[key]} must be one of {', '.join(allowed)}")


def check_context_length(cfg: DictConfig, choices: Mapping[str, str] | None = None) -> None:
    """Raise UserError if data.max_length exceeds the network's maximum length; without choices, of trained weights."""
    context, length = cfg.model.get("max_length"), cfg.data.get("max_length")
    if context is None or length is None or context >= length:
        return
    parts = f"model={choices.get('model')} with data={choices.get('data')}: " if choices else ""
    raise UserError(
        f"{parts}data.max_length={length} is greater than model.max_length={context}; lower the first"
        f"{' or raise the second' if choices else ', as the network was trained for no more'}"
    )


def check_length(cfg: DictConfig) -> None:
    """Raise UserError if a schedule needs the number of steps, and nothing says where the training ends."""
    target = str((cfg.get("scheduler") or {}).get("_target_"))
    endless = cfg.trainer.max_epochs in (None, -1) and cfg.trainer.max_steps in (None, -1)
    if endless and needs_total_steps(cfg.get("scheduler")):
        what = f"the schedule {target.rpartition('.')[2]}" if needs_length(get_object(target)) else "scheduler.warmup"
        raise UserError(
            f"trainer.max_epochs={cfg.trainer.max_epochs} and trainer.max_steps={cfg.trainer.max_steps}: {what} "
            "needs the length of the training; set one of the two, or scheduler=constant"
        )


def needs_total_steps(scheduler: Mapping[str, Any] | None) -> bool:
    """Whether every value of a schedule, or the share of its warm-up, depends on the run's length.

    A LightningModule has a schedule of its own, which is not in the config.
    """
    if not scheduler:
        return False
    by_share = scheduler.get("warmup") and not (scheduler.get("warmup_steps") or scheduler.get("warmup_epochs"))
    return bool(by_share) or needs_length(get_object(str(scheduler.get("_target_"))))


def check_same_run(started: Mapping[str, Any], cfg: DictConfig) -> None:
    """Raise UserError, with the differences, if `cfg` does not describe the run that was started."""
    path = cfg.run.dir
    there, here = flatten(dict(started)), flatten(OmegaConf.to_container(cfg))
    check_same_accelerator(path, there.get("hardware.accelerator"))
    check_max_epochs(path, there, here)
    keys = [
        key
        for key in {**there, **here}
        if not may_change_on_resume(key) and key != "trainer.max_epochs" and there.get(key) != here.get(key)
    ]
    if keys:
        shown = "; ".join(f"{key} is {there.get(key)} there and {here.get(key)} here" for key in keys[:5])
        more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
        raise UserError(
            f"{path} contains another run: {shown}{more}. Choose another run.dir, or continue that run with "
            f"resume={path}"
        )


def check_same_accelerator(path: str, accelerator: Any) -> None:
    """Raise UserError if the run was started on a device that this machine does not have: another gives other bits."""
    if accelerator in ACCELERATORS and not ACCELERATORS[accelerator]():
        raise UserError(
            f"{path} was started with hardware.accelerator={accelerator}, which this machine does not have. Continue "
            f"it on a machine that has one, or start a new run, with pretrained={path} to use these weights"
        )


def check_max_epochs(path: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Raise UserError for an earlier last epoch, or for another one under a schedule planned for the old one."""
    old, new = (values.get("trainer.max_epochs") for values in (there, here))
    if old == new:
        return
    change = f"{path} was started with trainer.max_epochs={old}, and here it is {new}"
    if old is None or new is None or not new > old >= 0:
        raise UserError(f"{change}: it can only be increased; leave it out (Ctrl-C ends a run early)")
    scheduler = {key.removeprefix("scheduler."): value for key, value in here.items() if key.startswith("scheduler.")}
    if needs_total_steps(scheduler):
        name = str(scheduler.get("_target_")).rpartition(".")[2]
        raise UserError(
            f"{change}: the schedule {name} was planned for {old} epochs and has lowered the learning rate by then. "
            f"Leave it out, or start a new run of {new} epochs, with pretrained={path} to use these weights"
        )
    if LOOKAHEAD in here.values():
        raise UserError(
            f"{change}: Lookahead was planned for {old} epochs and has ended with its slow weights. Leave it out, or "
            f"start a new run of {new} epochs, with pretrained={path} to use these weights"
        )


def check_pretrained_data(path: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Raise UserError if the pretrained run's data is of another kind, or has another vocabulary, than this run's."""
    theirs, ours = there.get("vocab_size"), here.get("vocab_size")
    if (theirs is None) != (ours is None):
        kinds = [f"texts of {vocab_size:,} tokens" if vocab_size else f"samples of shape {data.get('shape')}"
                 for vocab_size, data in ((theirs, there), (ours, here))]  # fmt: skip
        raise UserError(f"pretrained={path} was trained on {kinds[0]}, and this network takes {kinds[1]}")
    if theirs != ours:
        raise UserError(
            f"pretrained={path} has data.vocab_size={theirs}, and here it is {ours}: the same token would mean another "
            f"word; set data.vocab_size={theirs}"
        )
