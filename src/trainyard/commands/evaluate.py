"""Score a run's best weights on one of its splits."""

import argparse
import logging

from lightning import Trainer

from trainyard import hardware
from trainyard.compose import name_own_conf
from trainyard.logs import log_to_console
from trainyard.reliability.foreign import LIMITS
from trainyard.run import Run

log = logging.getLogger(__name__)


def main(argv: list[str]) -> None:
    """trainyard evaluate RUN [--split test|val] [--trust] [key=value ...]"""
    parser = argparse.ArgumentParser(prog="trainyard evaluate", description=__doc__)
    parser.add_argument("run", help="a run directory, outputs/...")
    parser.add_argument("--split", choices=("test", "val"), default="test")
    parser.add_argument("--config-dir", help="the conf folder beside which a network of one's own lies")
    parser.add_argument("--trust", action="store_true", help="run the code that a run of someone else's names")
    parser.add_argument("overrides", nargs="*", help="changes of the run's config, as data.root=...")
    options = parser.parse_args(argv)
    name_own_conf(options.config_dir)
    log_to_console()
    for name, value in evaluate(Run(options.run, options.overrides, options.trust), options.split).items():
        log.info("%-20s %.4f", name, value)


def evaluate(run: Run, split: str = "test") -> dict[str, float]:
    """The scores of the best weights on `split`, by the names they are logged by."""
    with run.answered():
        cfg = run.cfg
        cfg.hardware.accelerator = hardware.choose("auto")
        hardware.set_up(cfg.hardware)
        task = run.task()
        hardware.prepare(task.net, cfg.hardware)
        limits = {key: cfg.trainer.get(key) for key in LIMITS}
        trainer = Trainer(
            accelerator=cfg.hardware.accelerator, devices=1, precision=cfg.hardware.precision, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            use_distributed_sampler=False, **limits,
        )  # fmt: skip
        data = run.data()
        data.prepare_data()
        score = {"test": trainer.test, "val": trainer.validate}[split]
        (scores,) = score(task, datamodule=data, verbose=False)
        return dict(scores)
