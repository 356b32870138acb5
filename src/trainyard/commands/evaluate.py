"""Score a run's best weights on one of its splits."""

import argparse
import logging

from trainyard.logs import log_to_console
from trainyard.run import Run

log = logging.getLogger(__name__)


def main(argv: list[str]) -> None:
    """trainyard evaluate RUN [--split test|val]"""
    parser = argparse.ArgumentParser(prog="trainyard evaluate", description=__doc__)
    parser.add_argument("run", help="a run directory, outputs/...")
    parser.add_argument("--split", choices=("test", "val"), default="test")
    options = parser.parse_args(argv)
    log_to_console()
    for name, value in evaluate(Run(options.run), options.split).items():
        log.info("%-20s %.4f", name, value)


def evaluate(run: Run, split: str = "test") -> dict[str, float]:
    """The scores of the best weights on `split`, by the names they are logged by."""
    from trainyard.training import make_trainer

    here = {"accelerator": "auto", "enable_progress_bar": False, "enable_checkpointing": False}
    trainer = make_trainer(run.cfg, callbacks=[], logger=[], **here)
    data = run.data()
    data.prepare_data()
    score = {"test": trainer.test, "val": trainer.validate}[split]
    (scores,) = score(run.task(), datamodule=data, verbose=False)
    return dict(scores)
