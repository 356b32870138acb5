"""What is going to be trained: checked before anything is built or written, and handed to other processes."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf

from trainyard.config.composition import Composed
from trainyard.config.override_types import check_override_types
from trainyard.config.resolve import resolve
from trainyard.config.validate import validate
from trainyard.distributed.ranks import Ranks
from trainyard.hardware.settings import resolve_auto
from trainyard.runs.directory import RESOLVED, name_run
from trainyard.runs.resume import check_links, load_stored_config
from trainyard.training.devices import resolve_devices
from trainyard.training.sharding import check_sharding
from trainyard.trust.safe_yaml import read_config

FILE = "job.yaml"
DECIDED = ("hardware.accelerator", "hardware.precision", "hardware.devices", "hardware.num_nodes")  # of `auto`


@dataclass(frozen=True)
class Job:
    """A training that may begin."""

    composed: Composed
    cfg: DictConfig  # with plain values alone
    path: Path  # the run directory
    owner: int | None = None  # the process that holds the run directory, where that is another one

    @property
    def resumes(self) -> bool:
        """Whether the run directory contains the run already."""
        return (self.path / RESOLVED).exists() and not self.cfg.check

    def at(self, name: str, path: Path) -> "Job":
        """The same job under the name and in the directory that another process chose."""
        if (name, path) == (self.cfg.run.name, self.path):
            return self
        decided = {key: OmegaConf.select(self.cfg, key) for key in DECIDED}
        cfg = resolve(self.composed, {**decided, "run.name": name, "run.dir": str(path)})
        return replace(self, cfg=cfg, path=path)


def prepare(requested: Composed, ranks: Ranks | None = None) -> Job:
    """Check what is requested, of one of several processes with its ranks, and decide what the config leaves open."""
    check_override_types(requested)
    composed = load_stored_config(requested) if requested.cfg.resume else requested
    name, path = name_run(composed, ranks.job if ranks else None)
    hardware = resolve_auto(composed.cfg.hardware)
    hardware |= resolve_devices(composed.cfg, hardware["hardware.accelerator"], ranks)
    cfg = resolve(composed, {"run.name": name, "run.dir": str(path), **hardware})
    job = Job(composed, cfg, path)
    if not cfg.check:
        check_links(path, requested.cfg.trust)
    if cfg.hardware.strategy == "fsdp":
        check_sharding(cfg, composed.choices)
    validate(composed, cfg, started=read_config(path / RESOLVED) if job.resumes else None)
    return job


def write_job(job: Job, folder: Path, owner: int) -> Path:
    """Write a job for processes that this one is going to start."""
    composed = job.composed
    content = {
        "composed": OmegaConf.to_container(composed.cfg),
        "cfg": OmegaConf.to_container(job.cfg),
        "choices": dict(composed.choices),
        "overrides": list(composed.overrides),
        "sweeper": OmegaConf.to_container(composed.sweeper, resolve=True),
        "path": str(job.path),
        "owner": owner,
        "sys_path": sys.path,
    }
    file = folder / FILE
    file.touch(0o600)  # a storage's URL may contain a password
    file.write_text(yaml.safe_dump(content))
    return file


def read_job(file: Path) -> Job:
    """The job that `write_job` wrote; modules are found from now on where the process that wrote it finds them."""
    content = yaml.safe_load(file.read_text())
    sys.path[:] = content["sys_path"]
    composed = Composed(
        DictConfig(content["composed"]), content["choices"], content["overrides"], None, DictConfig(content["sweeper"])
    )
    return Job(composed, DictConfig(content["cfg"]), Path(content["path"]), content["owner"])
