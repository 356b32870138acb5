"""Score the best weights of a finished run."""

from lightning import Trainer

from trainyard.config.validate import check_hardware
from trainyard.runs.run import Run
from trainyard.training.hardware import choose_accelerator, configure_torch, prepare_network
from trainyard.trust.allowlist import LIMITS


def evaluate(run: Run, split: str = "test") -> dict[str, float]:
    """The scores of the best weights on `split` (test or val), by the names that they are logged by."""
    with run.explain_errors():
        cfg = run.cfg
        asked = any(word.startswith("hardware.accelerator=") for word in run.overrides)
        cfg.hardware.accelerator = choose_accelerator(cfg.hardware.accelerator if asked else "auto")
        check_hardware(cfg.hardware)
        configure_torch(cfg.hardware)
        task = run.task()
        prepare_network(task.net, cfg.hardware)
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
