"""One of the processes that Trainyard starts for a run: `python -m trainyard.training.worker JOB PARENT COMMAND`."""

import ctypes
import os
import signal
import sys
from pathlib import Path
from traceback import format_exception
from typing import NoReturn

from trainyard.errors import exit_at_once

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def die_with(parent: int) -> None:
    """Be killed when the process that started this one ends, however it does (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it had ended before
            os.kill(os.getpid(), signal.SIGKILL)


def main(file: Path) -> NoReturn:
    """Run the job, and exit: at once after an error, when threads of the process group would keep it alive."""
    if code := run(file):
        exit_at_once(code)
    sys.exit(0)


def run(file: Path) -> int:
    """Run the job, and return the exit code."""
    from trainyard.distributed.forwarding import announce_process
    from trainyard.durability.signals import exit_on_signal

    try:
        with exit_on_signal(ends_process=True):
            announce_process(file.parent)
            run_job(file)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except KeyboardInterrupt:
        return 130
    except Exception:  # it is in the report, which the driver shows
        return 1
    return 0


def run_job(file: Path) -> None:
    """Train; what it imports takes seconds, within which a signal ends it already (exit_on_signal)."""
    from trainyard.distributed.failures import report_failure
    from trainyard.distributed.ranks import find_ranks
    from trainyard.logs import log_to_console, silence
    from trainyard.training.job import read_job
    from trainyard.training.together import train_as_rank

    ranks = find_ranks()
    assert ranks is not None
    log_to_console()
    if ranks.rank:
        silence()
    job = read_job(file)
    try:
        train_as_rank(lambda: job, ranks, job.cfg.hardware.timeout)
    except Exception as error:
        if job.cfg.debug:  # a note of the error that the driver raises
            error.add_note("".join(format_exception(error)))
        report_failure(error, ranks.rank, job.path)
        raise


if __name__ == "__main__":
    job_file, parent, command = sys.argv[1:]
    die_with(int(parent))
    sys.argv = [command]  # what the user called, which messages name
    main(Path(job_file))
