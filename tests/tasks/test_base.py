import pytest
import torch

import trainyard
from trainyard.compose import compose, resolve
from trainyard.errors import UserError
from trainyard.loggers.metrics_file import read_metrics
from trainyard.run import make_task
from trainyard.tasks.base import Task


def task(*words: str) -> Task:
    composed = compose(["model=mlp", "data=xor", "run.dir=x", *words])
    return make_task(resolve(composed), composed.choices)


@pytest.mark.parametrize(
    ("scheduler", "interval"),
    [("cosine", "step"), ("onecycle", "step"), ("constant", "epoch"), ("step", "epoch"), ("exponential", "epoch"),
     ("plateau", "epoch")],
)  # fmt: skip
def test_a_schedule_is_stepped_at_its_own_interval(scheduler: str, interval: str) -> None:
    made = task(f"scheduler={scheduler}").make_optimizer(total_steps=50, epochs=5)
    assert made["lr_scheduler"]["interval"] == interval


def test_a_plateau_watches_the_monitor() -> None:
    made = task("scheduler=plateau", "monitor=val/loss", "mode=min").make_optimizer(50, 5)
    assert made["lr_scheduler"]["monitor"] == "val/loss"
    assert made["lr_scheduler"]["scheduler"].mode == "min"


def test_a_schedule_spans_the_whole_run(short: list[str]) -> None:
    """The last step of a cosine ends at zero, whatever cut the run short."""
    words = ["model=mlp", "data=shapes", "data.size=200", "data.test_size=100", "scheduler=cosine", "logger=none"]
    run = trainyard.train([*short, *words, "trainer.log_every_n_steps=1"])
    rates = [row["lr/matrices"] for row in read_metrics(run.path) if "lr/matrices" in row]
    assert len(rates) == 4 and rates[0] == 1e-3 and rates[-1] < 2e-4


@pytest.mark.parametrize("word", ["optimizer.lr=-1", "scheduler.warmup=2", "scheduler.warmup=-0.1"])
def test_values_out_of_range_are_refused_at_construction(word: str) -> None:
    value = word.partition("=")[2]
    with pytest.raises(UserError, match=f"optimizer=adamw and scheduler=cosine: .*{value}"):
        task(word)


def test_a_schedule_without_an_end_is_refused(short: list[str]) -> None:
    words = ["model=mlp", "data=xor", "scheduler=cosine", "trainer.max_epochs=-1"]
    with pytest.raises(ValueError, match="needs an end: set trainer.max_epochs"):
        trainyard.train([*(word for word in short if "max_epochs" not in word), *words])


def test_checkpoints_hold_plain_values_alone(run: trainyard.Run) -> None:
    state = torch.load(run.path / "checkpoints" / "last.ckpt", weights_only=True)
    assert all(key.startswith("net.") for key in state["state_dict"])
