"""Trainyard under torchrun, Slurm and Ray on two nodes, as far as one machine can show it: make cluster.

    sudo make cluster                                              all scenarios, six to ten minutes
    sudo .venv/bin/python tests/cluster/run.py torchrun ray        some of them

Needs Linux, root and, the first time, Debian's packages and 400 MB for Ray. Two nodes are made of namespaces
(stage.py) and vanish at the end, also after Ctrl-C; the exit code is 1 if a scenario failed, and its logs are kept.
"""

import os
import signal
import sys
import time
from pathlib import Path

import ray_cluster
import slurm
from checks import Expected
from rich.console import Console
from rich.table import Table
from scenarios import Scenarios
from stage import Stage

NAMES = ("torchrun", "torchrun_process", "srun_requeued", "srun_requeues_itself", "submitit", "ray")


def play(name: str, scenarios: Scenarios, python: Path) -> tuple[str, Path | None]:
    """Play one scenario on a stage of its own: the result, and where the logs of a failure are."""
    stage = Stage()
    try:
        with stage:
            scenarios.play(name, stage, python)
    except Exception as error:
        return f"failed: {error}", stage.folder
    return "passed", None


def main(chosen: list[str]) -> None:
    """Play the scenarios, and print the table."""
    if wrong := set(chosen) - set(NAMES):
        sys.exit(f"{', '.join(sorted(wrong))}: no such scenario; there are {', '.join(NAMES)}")
    if sys.platform != "linux" or os.geteuid() != 0:
        sys.exit("two nodes are made of Linux namespaces, which takes root: sudo make cluster")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is cleaned up
    names = chosen or list(NAMES)
    if any(name.startswith(("srun", "submitit")) for name in names):
        slurm.install()
    pythons = {"ray": ray_cluster.install()} if "ray" in names else {}
    here, table, failed = Path(sys.executable), Table("scenario", "result", "seconds"), []
    scenarios = Scenarios(Expected())
    for name in ["undisturbed", *names]:
        started = time.monotonic()
        result, logs = play(name, scenarios, pythons.get(name, here))
        seconds = f"{time.monotonic() - started:.0f}"
        print(f"{name}: {result} ({seconds} s){f'; logs: {logs}' if logs else ''}", flush=True)
        table.add_row(f"{name}: {scenarios.describe(name)}", result.partition("\n")[0], seconds)
        failed += [name] if logs else []
        if failed == ["undisturbed"]:
            break
    Console(highlight=False).print(table)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("interrupted; everything that was started has ended")
