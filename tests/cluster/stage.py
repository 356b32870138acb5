"""Two nodes on one machine, made of Linux namespaces; needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN).

A node has its own network interface and address, host name, /etc/hosts, process ids, /dev/shm and /tmp/ray; the files
are shared, as on a cluster. Nodes are joined by a bridge in a further namespace: nothing of the machine's own network
is touched. A node is killed as a machine is: the first process of its process ids dies, and all others with it. So
does the whole stage, however the program that built it ends.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEPT = ("PATH", "HOME", "LANG", "TRAINYARD_DATA", "TMPDIR")  # of the environment; SLURM_*, RANK ... would mislead
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """In a new process: be killed as soon as the one that started it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """The first true value of `condition`; TimeoutError that says `what` did not happen."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > until:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.2)
    return value


class Namespace:
    """A network of its own, held by a process; `command` runs first in it."""

    def __init__(self, name: str, flags: list[str], command: str) -> None:
        self.name = name
        ready, wait = os.pipe()
        script = f"{command}; echo ready >&{wait}; trap '' CHLD; exec sleep infinity"  # '' has children reaped
        words = ["unshare", "--net", "--fork", "--kill-child=SIGKILL", *flags, "bash", "-ec", script]
        self.holder = subprocess.Popen(words, preexec_fn=die_with_parent, pass_fds=[wait], stdin=subprocess.DEVNULL)
        os.close(wait)
        with os.fdopen(ready) as pipe:
            if not pipe.read(1):
                raise RuntimeError(f"{name}: no namespace could be made (is this root, with CAP_NET_ADMIN?)")
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split()
        self.first = int(children[0])

    def enter(self, *flags: str) -> list[str]:
        """The words before a command that is to run in it."""
        return ["nsenter", "--target", str(self.first), "--net", *flags]

    def ip(self, words: str) -> None:
        """Run `ip` in this network alone."""
        subprocess.run([*self.enter(), "ip", *words.split()], check=True)

    def has(self, link: str) -> bool:
        """Whether there is a link of that name in this network."""
        found = subprocess.run([*self.enter(), "ip", "link", "show", link], capture_output=True)
        return found.returncode == 0

    def kill(self) -> None:
        """End it, and every process in it."""
        self.holder.kill()
        self.holder.wait()


class Node(Namespace):
    """A machine: `node1` at 10.77.0.1 and so on."""

    def __init__(self, number: int, switch: Namespace, hosts: Path, environment: dict[str, str]) -> None:
        self.address, self.environment = f"10.77.0.{number}", environment
        name = f"node{number}"
        mounts = f"mount --bind {hosts} /etc/hosts; mkdir -p /tmp/ray; mount -t tmpfs ray /tmp/ray; "
        mounts += f"mount -t tmpfs shm /dev/shm; hostname {name}; ip link set lo up"
        super().__init__(name, ["--mount", "--uts", "--pid", "--mount-proc"], mounts)
        if switch.has(f"port{number}"):  # of this machine before it was killed: the kernel takes its time
            switch.ip(f"link delete port{number}")
        self.ip(f"link add eth0 type veth peer name port{number} netns {switch.first}")
        self.ip(f"address add {self.address}/24 dev eth0")
        self.ip("link set eth0 up")
        switch.ip(f"link set port{number} master bridge up")

    def start(self, *words: str | Path, log: Path, **env: str) -> subprocess.Popen:
        """Start a command on this node in the repository's folder; what it prints goes to a file."""
        command = [*self.enter("--mount", "--uts", "--pid", f"--wd={ROOT}"), *map(str, words)]
        with log.open("ab") as file:
            return subprocess.Popen(
                command, env={**self.environment, **env}, stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, preexec_fn=die_with_parent,
            )  # fmt: skip

    def run(self, *words: str | Path, timeout: float = 60, **env: str) -> str:
        """What a command on this node prints; RuntimeError with that if it fails."""
        command = [*self.enter("--mount", "--uts", "--pid", f"--wd={ROOT}"), *map(str, words)]
        done = subprocess.run(
            command, env={**self.environment, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=timeout, preexec_fn=die_with_parent,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, words))} on {self.name}: {done.returncode}\n{done.stdout[-2000:]}")
        return done.stdout


class Stage:
    """`with Stage() as stage:` has two nodes and a folder; afterwards nothing is left but the logs of a failure."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cluster-"))
        own = {name: str(self.folder / name.lower()) for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME")}
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        modules = os.pathsep.join(str(ROOT / folder) for folder in ("src", "tests/cluster"))
        self.environment = {**kept, **own, "PYTHONPATH": modules, "COLUMNS": "120"}
        self.nodes: dict[int, Node] = {}
        self.switch: Namespace | None = None

    def __enter__(self) -> "Stage":
        self.hosts = self.folder / "hosts"
        self.hosts.write_text("127.0.0.1 localhost\n10.77.0.1 node1\n10.77.0.2 node2\n")
        self.switch = Namespace("switch", [], "ip link add bridge type bridge; ip link set bridge up")
        for number in (1, 2):
            self.boot(number)
        return self

    def boot(self, number: int) -> Node:
        """Start a node, for the first time or again."""
        assert self.switch
        self.nodes[number] = Node(number, self.switch, self.hosts, self.environment)
        return self.nodes[number]

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for namespace in (*self.nodes.values(), self.switch):
            if namespace:
                namespace.kill()
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # not empty: of a Ray of this machine's own
            Path("/tmp/ray").rmdir()
