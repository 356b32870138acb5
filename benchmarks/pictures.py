"""What pictures cost:  python benchmarks/pictures.py [--rounds 3] [group=choice key=value ...]

The same training with callbacks.pictures and without, in one process, by turns; by default the CNN on the shapes for 5
epochs. Prints the part of the training that the pictures took by their own clock, the last set of them included, and by
how much the whole training, its test included, became longer: in time, and in time of the processor, which other
programs on the machine disturb less.
"""

import argparse
import logging
import statistics
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import trainyard
from trainyard.callbacks.pictures import pictures

DEFAULT = ["model=cnn", "data=shapes", "trainer.max_epochs=5", "hardware=cpu", "callbacks.progress_bar=null"]


class Spent(logging.Handler):
    """Keeps what the callback says in the end: the seconds of the pictures, and of the training."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.DEBUG:
            self.seconds = record.args


def timed(words: list[str]) -> tuple[float, float]:
    """Seconds of a training, and of the processor during it."""
    start = perf_counter(), process_time()
    trainyard.train(words)
    return perf_counter() - start[0], process_time() - start[1]


def main() -> None:
    """Take turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options, overrides = parser.parse_known_args()
    spent = Spent()
    pictures.log.addHandler(spent)
    pictures.log.setLevel(logging.DEBUG)
    own, longer, work = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(options.rounds):
            words = [*DEFAULT, *overrides, f"run.root={folder}"]
            without = timed([*words, "callbacks.pictures=null"])
            with_all = timed(words)
            drawing, training = spent.seconds
            files = len(list(Path(folder).rglob("pictures/*.png")))
            own.append(100 * drawing / training)
            longer.append(100 * (with_all[0] / without[0] - 1))
            work.append(100 * (with_all[1] / without[1] - 1))
            print(f"round {turn + 1}: {drawing:.2f} of {training:.1f} s ({own[-1]:.2f} %); {without[0]:.1f} s without, "
                  f"{with_all[0]:.1f} s with ({longer[-1]:+.1f} %; processor {work[-1]:+.1f} %); {files} files",
                  flush=True)  # fmt: skip
    clock, time, processor = (f"{statistics.median(column):+.2f} %" for column in (own, longer, work))
    print(f"pictures: {clock[1:]} of the training by their own clock; the run: time {time}, processor time {processor}")


if __name__ == "__main__":
    main()
