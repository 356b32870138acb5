"""Commands in processes of their own that start in hundredths of a second.

They are forked from one server for each session, which has imported torch, Lightning and the sweeper and started
nothing else. What only a new interpreter can show (entry points, late imports, environment variables that are read when
a library is loaded) is tested with `subprocess`.
"""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

Target = Callable[[list[str]], None]
SERVER = multiprocessing.get_context("forkserver")
PRELOAD = ["trainyard.training.together", "trainyard.sweep.sweeper",
           "trainyard.sweep.pruning", "torch.utils.tensorboard"]  # fmt: skip
TIMEOUT = 120.0  # seconds


def full_disk(most: int) -> None:
    """No file of this process may grow above so many bytes from now on.

    Nor does Python store what it compiles: it (3.11) does not notice that such a file is cut off, and every later
    import of that module, in any process, would fail.
    """
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def train(words: list[str]) -> None:
    """python train.py WORDS"""
    trainyard(["train", *words])


def trainyard(words: list[str]) -> None:
    """trainyard WORDS"""
    from trainyard.cli.main import main

    sys.argv = ["trainyard", *words]
    main()


def start_server() -> None:
    """Start the server, if it does not run yet."""
    SERVER.set_forkserver_preload(PRELOAD)
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported: the tests run beside each other
    forkserver.ensure_running()
    if before is None:
        del os.environ["OMP_NUM_THREADS"]


class Process:
    """What `subprocess.Popen` has, for a forked process; `terminal` is the path of one to use instead of pipes."""

    def __init__(self, target: Target, words: list[str], folder: Path, terminal: str = "", **env: str) -> None:
        start_server()
        (out, out_end), (error, error_end) = SERVER.Pipe(duplex=False), SERVER.Pipe(duplex=False)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "150", **env}
        arguments = (target, words, str(folder), environment, out_end, error_end, terminal)
        self.process: Any = SERVER.Process(target=_run, args=arguments)
        self.process.start()
        for end in (out_end, error_end):
            end.close()
        self.stdout, self.stderr = (os.fdopen(os.dup(end.fileno()), errors="replace") for end in (out, error))

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def communicate(self, timeout: float = TIMEOUT) -> tuple[str, str]:
        """The rest of its output and errors, once it has ended; TimeoutExpired, and a kill, if it takes longer."""
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.append(self.stderr.read()))
        with self._killed_after(timeout):
            reader.start()
            text = self.stdout.read()
            reader.join()
            self.process.join()
        return text, "".join(errors)

    @contextmanager
    def _killed_after(self, timeout: float) -> Iterator[None]:
        late = threading.Event()
        timer = threading.Timer(timeout, lambda: (late.set(), self.kill()))
        timer.start()
        yield
        timer.cancel()
        if late.is_set():
            raise subprocess.TimeoutExpired("trainyard", timeout)


def run(target: Target, *words: str, folder: Path, timeout: float = TIMEOUT, **env: str) -> subprocess.CompletedProcess:
    """What `subprocess.run` returns."""
    process = Process(target, list(words), folder, **env)
    out, errors = process.communicate(timeout)
    return subprocess.CompletedProcess(list(words), process.returncode or 0, out, errors)


def _run(
    target: Target, words: list[str], folder: str, env: dict[str, str], out: Any, error: Any, terminal: str
) -> None:
    """In the new process."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has background processes ignore it,
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and nohup this
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    for number, end in ((1, out), (2, error)):
        os.dup2(os.open(terminal, os.O_RDWR) if terminal else end.fileno(), number)
        end.close()
    multiprocessing.set_start_method("fork", force=True)  # of data workers, as in a process that nobody forked
    # the trials of a sweep are forked from the same server
    forkserver.ensure_running = forkserver._forkserver.ensure_running = lambda: None
    target(words)
