"""Which run to continue, and the config that it continues with."""

import logging
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from trainyard.config.composition import Composed
from trainyard.config.validate import needs_total_steps
from trainyard.config_keys import flatten, may_change_on_resume
from trainyard.durability.run_lock import is_locked, read_status
from trainyard.errors import UserError, did_you_mean
from trainyard.files import newest_first, read_small
from trainyard.runs.directory import CHOICES, COMPOSED, OVERRIDES, RESOLVED, SUMMARY
from trainyard.runs.run import Run
from trainyard.trust.safe_yaml import read_config, read_yaml
from trainyard.trust.signature import SIGNED_FILES, read_signed

log = logging.getLogger(__name__)


def load_stored_config(requested: Composed) -> Composed:
    """The config of the run that `resume` names, with the overrides beside it; UserError if one changes its numbers."""
    resume, trust = requested.cfg.resume, requested.cfg.trust
    path = latest_unfinished(Path(requested.cfg.run.root), trust) if resume == "latest" else Path(resume)
    if not (path / COMPOSED).is_file():
        raise UserError(f"resume={resume}: {path} is not a run, it has no {COMPOSED}")
    files = read_signed(path) or (_read_unsigned(path) if trust else None)
    if files is None:
        raise UserError(
            f"resume={resume}: {path} was made by another user or on another machine, or was changed since. To "
            "continue it would run whatever code its config names, and write where it says; if you know where it "
            f"comes from, add trust=true. (pretrained={path} uses its weights alone, and needs no trust.)"
        )
    cfg = DictConfig(read_config(path / COMPOSED, files[COMPOSED]))
    words = [word.lstrip("+") for word in requested.overrides if not word.startswith(("resume=", "trust="))]
    known = flatten(OmegaConf.to_container(cfg))
    for word in words:
        key = word.partition("=")[0].lstrip("~")
        if "." in key and not any(name == key or name.startswith(f"{key}.") for name in known):
            raise UserError(f"resume={resume}: {key} is not a key of that run's config.{did_you_mean(key, known)}")
        if not may_change_on_resume(key) and key != "trainer.max_epochs":
            there = OmegaConf.select(cfg, key, default=None)
            raise UserError(
                f"resume={resume} continues with that run's own config, and {word} would change it (there: {there}); "
                f"leave it out, or start a new run: like={path} takes its config, pretrained={path} its weights"
            )
        OmegaConf.update(cfg, key, OmegaConf.select(requested.cfg, key))
    cfg.hardware.precision = read_config(path / RESOLVED, files[RESOLVED])["hardware"]["precision"]  # not `auto` here
    cfg.run.dir, cfg.resume = str(path), None
    typed, choices = (read_yaml(path / name, files[name]) or [] for name in (OVERRIDES, CHOICES))
    keys = {word.partition("=")[0] for word in words}
    typed = [word for word in typed if word.partition("=")[0] not in keys]
    return replace(requested, cfg=cfg, choices=choices or {}, overrides=[*typed, *words], job_dir=None)


def latest_unfinished(root: Path, trust: bool) -> Path:
    """The newest run of this user's below `root` that is not done and that no process works on."""
    found = newest_first(root.rglob("status.json"))
    own = [path for path in found if trust or read_signed(path) is not None]
    for path in own:
        if read_status(path).get("state") != "done" and not is_locked(path):
            return path
    others = len(found) - len(own)
    note = f"; {others} more are not yours (trust=true includes them)" if others else ""
    raise UserError(f"resume=latest: there is no unfinished run below {root} (of {len(own)}){note}")


def check_links(path: Path, trust: bool) -> None:
    """Raise UserError if a link in the run directory would make this run write elsewhere, unless `trust`.

    (The signature of a run says who wrote its config, and nothing about its other files.)
    """
    is_run = (path / RESOLVED).exists()
    files = path.rglob("*") if is_run else (path / name for name in ("run.log", "metrics.jsonl", "checkpoints"))
    here = path.resolve()
    link = next((file for file in files if file.is_symlink() and not file.resolve().is_relative_to(here)), None)
    if link and not trust:
        raise UserError(
            f"{link} links to {link.readlink()}, which this run would write to; delete the link, choose another "
            "run.dir, or add trust=true"
        )


def finished_run(path: Path, cfg: DictConfig) -> Run | None:
    """The run, if it has reached its end and is not to be extended."""
    then = read_config(path / RESOLVED)["trainer"]["max_epochs"]
    is_done = read_status(path).get("state") == "done" and (path / SUMMARY).is_file()
    if not is_done or then != cfg.trainer.max_epochs:
        return None
    run = Run(path)
    fixed = needs_total_steps(cfg.get("scheduler"))
    more = f"pretrained={path} starts a new run with its weights" if fixed else "a larger trainer.max_epochs extends it"
    log.info("run: %s is finished (score %s); %s", path, run.summary["score"], more)
    return run


def _read_unsigned(path: Path) -> dict[str, bytes]:
    """The config files of a run that is trusted; UserError if one is missing."""
    try:
        return {name: read_small(path / name) for name in SIGNED_FILES}
    except OSError as error:
        raise UserError(f"{path} is not a whole run: {error}") from error
