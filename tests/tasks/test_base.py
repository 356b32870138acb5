import math
from pathlib import Path

import pytest
import torch
from lightning import Callback

import trainyard
from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate, instantiate_task
from trainyard.config.resolve import resolve
from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.tasks.base import Task
from trainyard.tasks.run_length import total_steps
from trainyard.training.factory import make_trainer


def task(*words: str) -> Task:
    composed = compose(["model=mlp", "data=xor", "run.dir=x", *words])
    return instantiate_task(resolve(composed), composed.choices)


@pytest.mark.parametrize(
    ("scheduler", "interval"),
    [("cosine", "step"), ("onecycle", "step"), ("constant", "epoch"), ("step", "epoch"), ("exponential", "epoch"),
     ("plateau", "epoch"), ("wsd", "step"), ("cosine_restarts", "step"), ("inverse_sqrt", "step"),
     ("polynomial", "step")],
)  # fmt: skip
def test_a_schedule_is_stepped_at_its_own_interval(scheduler: str, interval: str) -> None:
    made = task(f"scheduler={scheduler}").make_optimizer(total_steps=50)
    assert made["lr_scheduler"]["interval"] == interval


def test_a_plateau_watches_the_monitor() -> None:
    made = task("scheduler=plateau", "monitor=val/loss", "mode=min").make_optimizer(50)
    assert made["lr_scheduler"]["monitor"] == "val/loss"
    assert made["lr_scheduler"]["scheduler"].mode == "min"


def test_a_schedule_spans_the_whole_run(short: list[str]) -> None:
    """The last step of a cosine ends at zero, whatever cut the run short."""
    words = ["model=mlp", "data=shapes", "data.size=200", "data.test_size=100", "scheduler=cosine", "logger=none"]
    run = trainyard.train([*short, *words, "trainer.log_every_n_steps=1"])
    rates = [row["lr/matrices"] for row in read_metrics(run.path) if "lr/matrices" in row]
    assert len(rates) == 4 and rates[0] == 1e-3 and rates[-1] < 2e-4


def test_a_schedule_spans_the_whole_run_where_the_accumulation_changes(short: list[str]) -> None:
    words = ["model=mlp", "data=shapes", "data.size=200", "data.test_size=100", "scheduler=cosine", "logger=none"]
    limits = ["trainer.limit_train_batches=6", "trainer.log_every_n_steps=1", "scheduler.warmup=0"]
    change = "+callbacks.a={_target_: lightning.pytorch.callbacks.GradientAccumulationScheduler, scheduling: {1: 3}}"
    run = trainyard.train([*short, *words, *limits, change])
    rates = [row["lr/matrices"] for row in read_metrics(run.path) if "lr/matrices" in row]
    assert run.summary["steps"] == 6 + 2
    assert rates[-1] == pytest.approx(1e-3 * 0.5 * (1 + math.cos(math.pi * 7 / 8)))


@pytest.mark.parametrize("word", ["optimizer.lr=-1", "scheduler.warmup=2", "scheduler.warmup=-0.1"])
def test_values_out_of_range_are_refused_at_construction(word: str) -> None:
    value = word.partition("=")[2]
    with pytest.raises(UserError, match=f"optimizer=adamw and scheduler=cosine: .*{value}"):
        task(word)


def test_a_schedule_without_an_end_is_refused(short: list[str]) -> None:
    words = ["model=mlp", "data=xor", "scheduler=cosine", "trainer.max_epochs=-1"]
    with pytest.raises(UserError, match="the schedule cosine needs the length of the training; set one of the two"):
        trainyard.train([*(word for word in short if "max_epochs" not in word), *words])


def test_checkpoints_hold_plain_values_alone(run: trainyard.Run) -> None:
    state = torch.load(run.path / "checkpoints" / "last.ckpt", weights_only=True)
    assert all(key.startswith("net.") for key in state["state_dict"])


@pytest.mark.parametrize("scheduler", ["constant", "inverse_sqrt"])
def test_a_schedule_that_needs_no_end_trains_without_one(scheduler: str, short: list[str]) -> None:
    words = ["model=mlp", "data=xor", f"scheduler={scheduler}", "trainer.max_epochs=-1", "trainer.max_steps=5"]
    run = trainyard.train([*(word for word in short if "max_epochs" not in word), *words])
    assert run.summary["steps"] == 5


def test_a_plateau_waits_for_the_validation_it_watches(short: list[str]) -> None:
    words = ["model=mlp", "data=xor", "scheduler=plateau", "trainer.check_val_every_n_epoch=2", "trainer.max_epochs=4"]
    assert trainyard.train([*short, *words]).summary["epochs"] == 4


def test_a_loss_that_is_nan_is_written_as_null(short: list[str]) -> None:
    words = ["model=mlp", "data=shapes", "data.size=200", "data.test_size=100", "optimizer=sgd", "optimizer.lr=1e30"]
    run = trainyard.train([*short, *words, "callbacks.finite=null"])
    rows = [row for row in read_metrics(run.path) if "val/loss" in row]
    assert rows[-1]["val/loss"] is None  # as metrics.jsonl writes NaN


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["max_steps=3"],
        ["max_epochs=-1", "max_steps=7"],
        ["limit_train_batches=0.5"],
        ["accumulate_grad_batches=3", "limit_train_batches=10"],
    ],
)
def test_the_length_of_a_run_is_lightnings(words: list[str], tmp_path) -> None:
    base = ["model=mlp", "data=shapes", "data.size=200", "data.batch_size=7", "hardware=cpu", f"run.dir={tmp_path}"]
    composed = compose([*base, "trainer.max_epochs=2", *(f"trainer.{word}" for word in words)])
    cfg = resolve(composed)

    class Compare(Callback):
        def on_train_start(self, trainer, pl_module) -> None:
            self.lengths = total_steps(trainer), trainer.estimated_stepping_batches

    compare = Compare()
    trainer = make_trainer(cfg, [compare], [], enable_progress_bar=False, enable_checkpointing=False)
    trainer.fit(instantiate_task(cfg, composed.choices), datamodule=instantiate(cfg.data, "data"))
    assert compare.lengths[0] == compare.lengths[1]


def test_a_language_model_may_watch_its_bits_per_character(short: list[str], small_imdb: Path) -> None:
    words = ["model=gpt", "data=imdb_lm", "model.dim=8", "model.depth=1", "model.heads=2", "data.max_length=16"]
    run = trainyard.train([*short, *words, "data.vocab_size=300", "monitor=val/bits_per_character", "mode=min"])
    assert run.summary["score"] == run.summary["best"]["val/bits_per_character"]
