"""Write tests/slow.txt, the tests that `make test` leaves to `make test-slow`:  python tests/slow.py LOG

LOG is what `pytest --durations=0` (or a large number) has printed. A test is slow if it takes longer than LIMIT seconds
by itself, what it shares with others left out, unless KEPT names it: of each promise one test always runs. Tests that
are slow by a marker of their own are not in the list.
"""

import re
import sys
from pathlib import Path

LIMIT = 1.2  # seconds
LIST = Path(__file__).parent / "slow.txt"
LINE = re.compile(r"^([\d.]+)s call +(tests/\S+?::.*?)\s*$", re.MULTILINE)
KEPT = (
    "tests/sweep/test_jobs.py::test_a_command_that_was_killed_ends_as_the_uninterrupted_one[9]",
    "tests/durability/test_resume.py::test_resumed_is_uninterrupted_to_the_bit[early stopping]",
    "tests/durability/test_resume.py::test_resumed_is_uninterrupted_to_the_bit[text]",
    "tests/durability/test_signals.py::test_a_signal_ends_a_run_that_continues_to_the_bit[15-75-preempted-2]",
    "tests/distributed/test_equality.py::test_several_processes_are_one[gru-2]",
    "tests/distributed/test_together.py::test_a_process_that_is_killed_ends_the_others",
    "tests/sweep/test_sweep.py::test_a_trial_without_a_single_number_is_recorded_and_the_sweep_continues",
    "tests/test_conf.py::test_every_model_trains[resnet18]",
)


def listed() -> set[str]:
    """The names of the slow tests."""
    return set(LIST.read_text().splitlines())


def main() -> None:
    """Add the slow tests of a log to those that are listed."""
    found = {name for seconds, name in LINE.findall(Path(sys.argv[1]).read_text()) if float(seconds) > LIMIT}
    LIST.write_text("".join(f"{name}\n" for name in sorted((listed() | found) - set(KEPT))))
    print(f"{LIST}: {len(listed())} tests")


if __name__ == "__main__":
    main()
