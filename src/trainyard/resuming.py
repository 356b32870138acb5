"""Which run to go on with, and whether it would be the same run."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from trainyard.compose import Composed
from trainyard.directory import CHOICES, COMPOSED, OVERRIDES, RESOLVED, SUMMARY
from trainyard.errors import UserError
from trainyard.free import flat, is_free
from trainyard.hardware import WHERE
from trainyard.reliability.files import read_small
from trainyard.reliability.folder import is_busy, status
from trainyard.reliability.plain import read_config
from trainyard.reliability.seal import SEALED, own_files
from trainyard.run import Run

PLANNED = ("cosine", "one_cycle", "OneCycleLR")  # schedules whose every value hangs on the run's length
log = logging.getLogger(__name__)


def stored(asked: Composed) -> Composed:
    """The config of the run that `resume` names, with what was typed beside it where that is free to change."""
    trust = asked.cfg.trust
    path = latest(Path(asked.cfg.run.root), trust) if asked.cfg.resume == "latest" else Path(asked.cfg.resume)
    if not (path / COMPOSED).is_file():
        raise UserError(f"resume={asked.cfg.resume}: {path} is not a run, it has no {COMPOSED}")
    files = own_files(path) or (read_all(path) if trust else None)
    if files is None:
        raise UserError(
            f"resume={asked.cfg.resume}: {path} was made by another user or on another machine, or changed since. To "
            "go on with it would run whatever code its config names, and write where it says; if you know where it "
            f"comes from, add trust=true. (pretrained={path} takes its weights alone, and needs no trust.)"
        )
    cfg = DictConfig(read_config(path / COMPOSED, files[COMPOSED]))
    words = [word for word in asked.overrides if not word.startswith(("resume=", "trust="))]
    for word in words:
        key = word.partition("=")[0].lstrip("+~")
        if not is_free(key):
            there = OmegaConf.select(cfg, key, default=None)
            raise UserError(
                f"resume={asked.cfg.resume} goes on with that run's own config, and {word} would change it (there: "
                f"{there}); leave it out, or begin a new run, with pretrained={path} if it is to have these weights"
            )
        OmegaConf.update(cfg, key, OmegaConf.select(asked.cfg, key))
    cfg.hardware.precision = read_config(path / RESOLVED, files[RESOLVED])["hardware"]["precision"]  # not this auto's
    cfg.run.dir, cfg.resume = str(path), None
    typed, choices = (yaml.safe_load(files[name]) or [] for name in (OVERRIDES, CHOICES))
    keys = {word.partition("=")[0] for word in words}
    typed = [word for word in typed if word.partition("=")[0] not in keys]
    return replace(asked, cfg=cfg, choices=choices or {}, overrides=[*typed, *words], folder=None)


def read_all(path: Path) -> dict[str, bytes]:
    """The config files of a run that is trusted; UserError if one is missing."""
    try:
        return {name: read_small(path / name) for name in SEALED}
    except OSError as error:
        raise UserError(f"{path} is not a whole run: {error}") from error


def latest(root: Path, trust: bool) -> Path:
    """The newest run of this user's below `root` that is not done and that no process works on."""
    files = sorted(root.rglob("status.json"), key=lambda file: file.lstat().st_mtime, reverse=True)
    own = [file.parent for file in files if trust or own_files(file.parent) is not None]
    for path in own:
        if status(path).get("state") != "done" and not is_busy(path):
            return path
    others = (
        f"; {len(files) - len(own)} more are not yours (trust=true takes them too)" if len(files) > len(own) else ""
    )
    raise UserError(f"resume=latest: below {root} there is no unfinished run (of {len(own)}){others}")


def check_links(path: Path) -> None:
    """UserError if someone else's run directory would have this run write elsewhere."""
    link = next((file for file in path.rglob("*") if file.is_symlink()), None)
    if link and own_files(path) is None:
        raise UserError(f"{path} was not made by you, and {link} leads to {link.readlink()}; choose another run.dir")


def check_same(path: Path, cfg: DictConfig) -> None:
    """UserError if the run in `path` was another than `cfg` asks for, with the difference."""
    there = flat(read_config(path / RESOLVED))
    here = flat(OmegaConf.to_container(cfg))
    keys = [key for key in {**there, **here} if not is_free(key) and there.get(key) != here.get(key)]
    check_end(path, there, here)
    check_device(path, there.get("hardware.accelerator"))
    if keys:
        shown = "; ".join(f"{key} is {there.get(key)} there and {here.get(key)} here" for key in keys[:5])
        raise UserError(
            f"{path} holds another run: {shown}{f' and {len(keys) - 5} more' if len(keys) > 5 else ''}. Choose another "
            f"run.dir, or go on with that one by resume={path}"
        )


def check_device(path: Path, accelerator: str | None) -> None:
    """UserError if the run was on a device that this machine has not: another would not go on to the bit."""
    if accelerator in WHERE and not WHERE[accelerator]():
        raise UserError(
            f"{path} was on hardware.accelerator={accelerator}, and this machine has none. Go on with it where there "
            f"is one, or begin a new run, with pretrained={path} if it is to have these weights"
        )


def check_end(path: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    """UserError if the end moves to an earlier epoch, or under a schedule that was laid out for the old one."""
    old, new = (values.get("trainer.max_epochs") for values in (there, here))
    if old == new:
        return
    asked = f"{path} was begun with trainer.max_epochs={old}, and here it is {new}"
    if old is None or new is None or not new > old >= 0:
        raise UserError(f"{asked}: it may grow alone; leave it out (a Ctrl-C ends a run early)")
    scheduler = str(here.get("scheduler._target_")).rpartition(".")[2]
    if scheduler in PLANNED:
        raise UserError(
            f"{asked}: the schedule {scheduler} was laid out for {old} epochs and has brought the rate down by then. "
            f"Leave it out, or begin a new run of {new} epochs, with pretrained={path} if it is to have these weights"
        )


def finished(path: Path, cfg: DictConfig) -> Run | None:
    """The run, if it has come to its end and is to go no further."""
    then = read_config(path / RESOLVED)["trainer"]["max_epochs"]
    if status(path).get("state") != "done" or not (path / SUMMARY).is_file() or then != cfg.trainer.max_epochs:
        return None
    run = Run(path)
    log.info("run: %s is finished (score %s); a larger trainer.max_epochs may extend it", path, run.summary["score"])
    return run
