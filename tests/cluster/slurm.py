"""Slurm on the two nodes of a stage: munge, a controller on node1, a slurmd on each, one core to a node."""

import subprocess
import sys
import time
from pathlib import Path

from stage import Stage, wait_until

PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "srun", "sbatch", "scontrol", "squeue")
CONFIG = """
ClusterName=stage
SlurmctldHost=node1
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdTimeout=30
KillWait=15
MpiDefault=none
NodeName=node[1-2] CPUs=1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """Daemons that end with the nodes."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.folder = stage, stage.folder / "slurm"
        for folder in (self.folder, self.folder / "state"):
            folder.mkdir(mode=0o755)
        self.config = self.folder / "slurm.conf"
        self.config.write_text(CONFIG.format(folder=self.folder))
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        stage.environment["SLURM_CONF"] = str(self.config)
        first = stage.nodes[1]
        first.run("mungekey", "--create", f"--keyfile={self.folder}/munge.key")
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        words = [f"--{option}={self.folder}/munge.{end}" for option, end in files.items()]
        first.start("munged", "--foreground", "--force", *words, log=self.folder / "munged.out")
        wait_until((self.folder / "munge.socket").exists, "munge's socket")
        first.start("slurmctld", "-D", "-f", self.config, log=self.folder / "slurmctld.log")
        for node in stage.nodes.values():
            node.start("slurmd", "-D", "-f", self.config, log=self.folder / f"{node.name}.log")
        wait_until(lambda: self.idle_nodes() == 2, "two idle nodes in sinfo")

    def idle_nodes(self) -> int:
        """How many nodes could start a job."""
        try:
            return int(self.ask("sinfo", "--noheader", "--states=idle", "--format=%D").split()[0])
        except (RuntimeError, IndexError):
            return 0

    def ask(self, *words: str | Path) -> str:
        """What a command of Slurm's prints on node1."""
        return self.stage.nodes[1].run(*words)

    def submit(self, script: str, *options: str) -> str:
        """Submit a batch script, and return the job's number."""
        file = self.folder / f"job-{time.monotonic_ns()}.sh"
        file.write_text(f"#!/bin/bash\n{script}\n")
        return self.ask("sbatch", "--parsable", *options, file).strip()

    def state(self, job: str) -> dict[str, str]:
        """What `scontrol show job` says: JobState, Restarts, ExitCode, NodeList and so on."""
        words = self.ask("scontrol", "--oneliner", "show", "job", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def ended(self, job: str) -> dict[str, str] | None:
        """The state of a job that has ended; None as long as it has not."""
        state = self.state(job)
        return None if state["JobState"] in ("PENDING", "RUNNING", "COMPLETING", "REQUEUED") else state

    def start_again(self, job: str) -> None:
        """Start a job that is queued again in three seconds, where Slurm would wait for two minutes."""
        wait_until(lambda: self.state(job)["JobState"] == "PENDING", f"job {job} in the queue again")
        self.ask("scontrol", "update", f"JobId={job}", "StartTime=now+3")


def install() -> None:
    """Install Debian's packages where a program is missing. (They would start no service here: containers deny it.)"""
    from shutil import which

    if not all(map(which, PROGRAMS)):
        packages = ["slurm-wlm", "munge"]
        print(f"installing {' and '.join(packages)} with apt-get ...", flush=True)
        quiet = subprocess.DEVNULL
        subprocess.run(["apt-get", "update", "-qq"], check=True, stdout=quiet)
        words = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        done = subprocess.run(words, stdout=quiet, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"apt-get cannot install {' '.join(packages)}:\n{done.stderr}")
