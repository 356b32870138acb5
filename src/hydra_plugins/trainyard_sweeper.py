"""The plugin by which Hydra finds the sweeper; imported by every Hydra program, so that it imports nothing heavy."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class StudySweeper(Sweeper):
    """hydra/sweeper=trainyard: see `trainyard.sweep`."""

    def __init__(self, **options: Any) -> None:
        """The options are read from the whole config, to which they refer."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra first."""
        self.context, self.composed = hydra_context, config

    def sweep(self, arguments: list[str]) -> Any:
        """Called by Hydra with the words of the command line, except those that begin with hydra."""
        from trainyard.sweep.sweeper import sweep  # heavy

        return sweep(arguments, self.context, self.composed)
