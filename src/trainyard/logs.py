"""What a run prints: short lines on the console, everything in its run.log."""

import logging
import os
import shutil
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from traceback import format_exc
from typing import TYPE_CHECKING

from trainyard.errors import without_control

if TYPE_CHECKING:
    from rich.console import RenderableType

# Warnings of Lightning and torch about what is intended here.
IGNORED_WARNINGS = (
    ".*does not have many workers.*",  # data in memory needs none
    ".*The number of training batches .* is smaller than the logging interval.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*LeafSpec.*is deprecated.*",
    ".*Precision .* is not supported by the model summary.*",
    ".*your dataloader is not resumable.*",  # BatchOrder can start at any batch
    ".*`srun` command is available.*",  # one process needs none
    ".*lr_scheduler.step.*before.*optimizer.step.*",
    ".*recommended to use .*sync_dist=True.*",  # what is logged is computed over all processes, or is rank 0's own
)


class CleanFormatter(logging.Formatter):
    """Leave out control characters, which a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        """The text of the record."""
        return without_control(super().format(record))


class Printer(logging.Handler):
    """Print to the current sys.stdout (or stderr): a progress bar replaces it, so that lines appear above the bar.

    A record with `again` is printed once, and then that instead. One with `one_line` is cut at the width of a terminal.
    """

    def __init__(self, stream: str = "stdout") -> None:
        super().__init__()
        self.stream = stream
        self.printed: set[str] = set()

    def shortened(self, text: str, record: logging.LogRecord) -> str:
        """The text of the record for the console."""
        again = getattr(record, "again", None)
        if again is not None and text in self.printed:
            return again
        if again is not None:
            self.printed.add(text)
        if getattr(record, "one_line", False) and sys.stdout.isatty() and (width := terminal_width()):
            return fitting(text, width)
        return text

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record. Output that cannot be written (to a closed pipe, a full disk) does not end a training."""
        text, stream = self.format(record), getattr(sys, self.stream)
        try:
            text = self.shortened(text, record)
            print(text, flush=True, file=stream)
        except UnicodeEncodeError as error:  # a terminal that knows no such letters
            print(text.encode(error.encoding, "backslashreplace").decode(error.encoding), flush=True, file=stream)
        except (OSError, ValueError):  # ValueError: closed by the program
            discard_output()


def discard_output() -> None:
    """Send what is printed from now on nowhere; also what is buffered, which would be written at the end."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller; another file may have its number by now
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  as long as the process lives
        elif name == "stdout":
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != 1:
                os.dup2(nowhere, 1)
                os.close(nowhere)


def log_to_console(stream: str = "stdout") -> None:
    """Show Trainyard's own lines on stdout (or stderr), the warnings of other packages on stderr. Idempotent."""
    if sys.stdout is None or sys.stderr is None:
        discard_output()
    for message in IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    own = logging.getLogger("trainyard")
    if not own.handlers:
        printer = Printer(stream)
        printer.setFormatter(CleanFormatter("%(message)s"))
        own.addHandler(printer)
        own.setLevel(logging.INFO)
    root = logging.getLogger()
    if not root.handlers:  # a program or notebook that has set up its own logging keeps it
        others = logging.StreamHandler(sys.stderr)
        others.setFormatter(CleanFormatter("%(levelname)s %(name)s: %(message)s"))
        others.setLevel(logging.WARNING)
        others.addFilter(lambda record: not record.name.startswith("trainyard"))
        root.addHandler(others)
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).handlers.clear()  # Lightning adds its own at import
        logging.getLogger(name).propagate = True


def silence() -> None:
    """Show errors alone: what several processes do at the same time, the first one tells."""
    warnings.simplefilter("ignore")
    logging.getLogger("trainyard").setLevel(logging.ERROR)
    logging.getLogger().setLevel(logging.ERROR)


def terminal_width() -> int | None:
    """The columns of the terminal, or of $COLUMNS; None where stdout is none."""
    return shutil.get_terminal_size((0, 0)).columns or None


def fitting(line: str, width: int) -> str:
    """The beginning of a line that fits the width; its parts, between which there are two spaces, are not broken."""
    while len(line) > width and "  " in line:
        line = line.rpartition("  ")[0]
    return line


def render(table: "RenderableType", width: int | None = None) -> str:
    """A table as plain text of that width, by default the terminal's."""
    from rich.console import Console  # deferred: not every command prints a table

    console = Console(highlight=False, force_terminal=False, color_system=None, width=width)
    with console.capture() as capture:
        console.print(table)
    return without_control(capture.get().rstrip())


class LogFile(logging.FileHandler):
    """Append to a file; what cannot be written, to a full disk, is left out without a traceback on stderr."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """Report any other error as logging does."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        """Close the file, and drop what could not be written."""
        with suppress(OSError):
            super().close()


def _report_thread_error(args: threading.ExceptHookArgs) -> None:
    """Print a thread's error, but not that of TensorBoard's writer, which raises it again in the main thread."""
    if not (isinstance(args.exc_value, OSError) and type(args.thread).__module__.startswith("tensorboard.")):
        threading.__excepthook__(args)


@contextmanager
def log_to_file(file: Path) -> Iterator[None]:
    """Append everything that is logged, and every warning, to `file`."""
    handler = LogFile(file)
    handler.setFormatter(CleanFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    logging.captureWarnings(True)
    threading.excepthook = _report_thread_error
    try:
        yield
    except BaseException:
        handler.emit(logging.makeLogRecord({"name": "trainyard", "levelname": "ERROR", "msg": format_exc()}))
        raise
    finally:
        logging.captureWarnings(False)
        threading.excepthook = threading.__excepthook__
        root.removeHandler(handler)
        handler.close()


def duration(seconds: float) -> str:
    """A time in seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
