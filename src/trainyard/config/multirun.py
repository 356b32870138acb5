"""The jobs of -m, which hydra/launcher may run in other processes and on other machines: joblib, submitit, Ray."""

import logging
import multiprocessing
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict, read_write

from trainyard.config.user_conf import add_user_modules, set_user_conf, user_conf_argument

HERE = "basic"  # Hydra's own launcher: one job after the other, in this process
SUMMARY = "summary.json"  # of a finished run
# The process of the command line, whether torchrun or srun has started it as another one than the first, and where its
# jobs went elsewhere.
_command = SimpleNamespace(pid=None, follows=False, folder=None)
log = logging.getLogger(__name__)


def begin_command(follows: bool) -> None:
    """This process runs the command line; `follows`: another process does as well, and says where the runs go."""
    _command.pid, _command.follows, _command.folder = os.getpid(), follows, None


def is_elsewhere() -> bool:
    """Whether a launcher runs this job in another process than that of the command line."""
    return _command.pid != os.getpid()


def jobs_elsewhere() -> list[Path]:
    """The run directories of the jobs that were finished by other processes."""
    return sorted(file.parent for file in _command.folder.rglob(SUMMARY)) if _command.folder else []


class Multirun(Callback):
    """What is done before and after all jobs of -m; it travels to them with Hydra's context."""

    def __init__(self) -> None:
        self.conf: str | None = None  # of --config-dir
        self.folder: str | None = None  # of the command
        self.unused: TemporaryDirectory | None = None  # of a process that follows another one

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Give jobs that run elsewhere an absolute folder: they may begin in another one."""
        choices = config.hydra.runtime.choices
        launcher = choices["hydra/launcher"]
        if launcher == HERE:
            if _command.follows and choices["hydra/sweeper"] == "basic":  # those that share a study train alone
                self.unused = TemporaryDirectory(prefix="trainyard-")
                set_sweep_folder(config, Path(self.unused.name))
            return
        self.conf, self.folder = user_conf_argument(), str(Path.cwd())
        given = str(config.hydra.sweep.dir)
        set_sweep_folder(config, Path(given).absolute())
        submitit = "submitit" in config.hydra.launcher._target_
        printed = f" (what they print: {given}/.submitit)" if submitit else ""
        log.info("jobs of hydra/launcher=%s, in %s%s", launcher, given, printed)

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        """Let a job that runs elsewhere find what the command finds: relative paths, the user's conf and modules."""
        if self.folder is None or not is_elsewhere():
            return
        os.chdir(self.folder)
        set_user_conf(self.conf)
        add_user_modules()
        methods = multiprocessing.get_all_start_methods()
        if multiprocessing.get_start_method() not in methods:  # joblib's own, with which no data worker starts
            multiprocessing.set_start_method(methods[0], force=True)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Remember where the jobs are, for the table. (That of a sweep over a study is the sweeper's.)"""
        choices = config.hydra.runtime.choices
        if choices["hydra/launcher"] != HERE and choices["hydra/sweeper"] == "basic":
            _command.folder = Path(config.hydra.sweep.dir)


def set_sweep_folder(config: DictConfig, folder: Path) -> None:
    """Let the jobs be in that folder."""
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweep.dir = str(folder)
        quoted = str(folder).replace("'", r"\'")
        config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")  # from which the jobs compose theirs
