"""The jobs of -m, which hydra/launcher may run in other processes and on other machines: joblib, submitit, Ray."""

import multiprocessing
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict, read_write

from trainyard.config.user_conf import add_user_modules, set_user_conf, user_conf_argument

HERE = "basic"  # Hydra's own launcher: one job after the other, in this process
_command = SimpleNamespace(pid=None)  # the process of the command line


def begin_command() -> None:
    """This process runs the command line."""
    _command.pid = os.getpid()


def is_elsewhere() -> bool:
    """Whether a launcher runs this job in another process than that of the command line."""
    return _command.pid != os.getpid()


class Multirun(Callback):
    """What jobs that a launcher runs elsewhere need of the command; it travels to them with Hydra's context."""

    def __init__(self) -> None:
        self.conf: str | None = None  # of --config-dir
        self.folder: str | None = None  # of the command

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Remember where the command finds what it names."""
        if config.hydra.runtime.choices["hydra/launcher"] != HERE:
            self.conf, self.folder = user_conf_argument(), str(Path.cwd())

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


def set_sweep_folder(config: DictConfig, folder: Path) -> None:
    """Let the jobs be in that folder."""
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweep.dir = str(folder)
        quoted = str(folder).replace("'", r"\'")
        config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")  # from which the jobs compose theirs
