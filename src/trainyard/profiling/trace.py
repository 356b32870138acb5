"""profile=pytorch: what torch does in a few training steps, as a trace to look at and a table of operators."""

import logging
import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.profilers import Profiler
from lightning.pytorch.profilers.pytorch import RegisterRecordFunction
from torch.profiler import ProfilerActivity, profile, record_function, schedule

from trainyard.collectives import rank
from trainyard.files import write_durably

log = logging.getLogger(__name__)
STEP = "run_training_batch"  # Lightning's name of a training step
ROWS = 50  # of the table


class Trace(Profiler):
    """After `wait` steps left out and `warmup` steps that are dropped, record `active` training steps into `folder`.

    The trace has Lightning's actions and the names of modules (unless the network is compiled) beside the operators.
    `record_shapes` adds the shapes of their inputs, `profile_memory` what they allocate, `with_stack` the lines of
    Python; each makes the steps slower and the trace larger. Nothing is recorded after that, or outside of training.
    """

    def __init__(
        self, folder: str, wait: int = 5, warmup: int = 2, active: int = 5, record_shapes: bool = False,
        profile_memory: bool = False, with_stack: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if min(wait, warmup) < 0 or active < 1:
            raise ValueError(
                f"profile.wait={wait} and profile.warmup={warmup} must be at least 0, and profile.active={active} at "
                "least 1"
            )
        self.folder = Path(folder)
        self.first = wait
        self.left_out, self.needed, self.seen = wait + warmup, wait + warmup + active, 0
        self.options: dict[str, Any] = {
            "record_shapes": record_shapes,
            "profile_memory": profile_memory,
            "with_stack": with_stack,
        }
        self.schedule = schedule(wait=0, warmup=warmup, active=active, repeat=1)
        self.recorder: Any = None
        self.names: RegisterRecordFunction | None = None
        self.open: dict[str, record_function] = {}
        self._lightning_module: Any = None  # set by Lightning

    def start(self, action_name: str) -> None:
        """Begin an action; with the first step to record, begin to record."""
        if action_name == STEP and self.seen == self.first and self.recorder is None:
            self.begin()
        if self.recorder is not None:
            self.open[action_name] = record_function(action_name)
            self.open[action_name].__enter__()

    def stop(self, action_name: str) -> None:
        """End an action; with the last step to record, write the files."""
        if (action := self.open.pop(action_name, None)) is not None:
            action.__exit__(None, None, None)
        if action_name != STEP:
            return
        self.seen += 1
        if self.recorder is not None:
            self.recorder.step()
            if self.seen == self.needed:
                self.end()

    def begin(self) -> None:
        """Record from now on, as the schedule says."""
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else the recorder writes lines of its own on stderr
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]
        self.recorder = profile(
            activities=activities, schedule=self.schedule, on_trace_ready=self.write, **self.options
        )
        self.recorder.start()
        module = self._lightning_module
        if module is not None and all(each._compiled_call_impl is None for each in module.modules()):
            self.names = RegisterRecordFunction(module)
            self.names.__enter__()

    def end(self) -> None:
        """Record no more."""
        for action in reversed(list(self.open.values())):
            action.__exit__(None, None, None)
        self.open.clear()
        if self.names is not None:
            self.names.__exit__(None, None, None)
        recorder, self.recorder, self.names = self.recorder, None, None
        if recorder is not None:
            recorder.stop()

    def write(self, recorder: profile) -> None:
        """Write the trace and the table, if a step was recorded, and say how to look at them."""
        if self.seen <= self.left_out:
            return
        name = f"trace{f'-{rank()}' if rank() else ''}"
        self.folder.mkdir(parents=True, exist_ok=True)
        trace, table = self.folder / f"{name}.json", self.folder / f"{name}.txt"
        recorder.export_chrome_trace(str(trace))
        key = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
        text = recorder.key_averages().table(sort_by=key, row_limit=ROWS, max_name_column_width=80)
        write_durably(table, lambda opened: opened.write(text.encode()))
        log.info(
            "profile: of training steps %d to %d, %s (open it at ui.perfetto.dev or chrome://tracing) and %s, a table "
            "of operators", self.left_out + 1, min(self.needed, self.seen), trace, table,
        )  # fmt: skip

    def describe(self) -> None:
        """Say so if the training was too short for any step to be recorded."""
        if self._stage == "fit" and self.seen <= self.left_out:
            log.warning(
                "profile: nothing was recorded, as the training has %d steps and the first %d are left out: lower "
                "profile.wait", self.seen, self.left_out,
            )  # fmt: skip
        super().describe()

    def teardown(self, stage: str | None) -> None:
        """End with the training, however it ends."""
        if getattr(self, "recorder", None) is not None:
            self.end()
        super().teardown(stage)
