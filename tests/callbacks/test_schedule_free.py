"""Optimizers with modes: what is validated, kept and tested are the weights that they mean."""

import sys
from pathlib import Path

import pytest
import torch

import trainyard
from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics

sys.path.insert(0, str(Path(__file__).parents[1] / "durability"))
SHAPES = ["data=shapes", "data.size=200", "data.test_size=100", "logger=none", "model=mlp", "model.widths=[8]"]
OWN = ["optimizer._target_=variants.ScheduleFreeSGD", "~optimizer.betas", "~optimizer.eps", "~optimizer.weight_decay",
       "optimizer.lr=0.1", "scheduler=constant"]  # fmt: skip


def state(run: trainyard.Run, key: str, file: str = "best.ckpt") -> dict[str, torch.Tensor]:
    return torch.load(run.path / "checkpoints" / file, weights_only=True)[key]


@pytest.mark.parametrize("target", ["variants.ScheduleFreeSGD", "schedulefree.AdamWScheduleFree"])
def test_the_weights_that_it_means_are_kept(target: str, short: list[str]) -> None:
    if "variants" not in target:
        pytest.importorskip("schedulefree", reason="the package schedulefree is not installed")
    words = [word for word in short if "limit_" not in word]
    run = trainyard.train([*words, *SHAPES, *OWN, f"optimizer._target_={target}"])
    assert run.evaluate("test") == pytest.approx(run.summary["test"])
    assert run.evaluate("val") == pytest.approx(run.summary["best"])
    trained, meant = (state(run, key)["net.head.weight"] for key in ("current_model_state", "state_dict"))
    assert not torch.equal(trained, meant)


def test_how_often_it_is_validated_leaves_the_training_as_it_is(short: list[str]) -> None:
    """The weights come back to the bit."""
    words = [*short, *SHAPES, *OWN, "trainer.limit_train_batches=6"]
    runs = [trainyard.train([*words, *more]) for more in ([], ["trainer.val_check_interval=1"])]
    losses = [[row["train/loss"] for row in read_metrics(run.path) if "train/loss" in row] for run in runs]
    assert losses[0] == losses[1]
    first, second = (state(run, "current_model_state", "last.ckpt") for run in runs)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_without_callbacks_the_last_weights_are_those_it_means(short: list[str]) -> None:
    run = trainyard.train([*short, *SHAPES, *OWN, "callbacks=none"])
    assert run.summary["test"]


def test_a_dry_run_switches_as_well(short: list[str]) -> None:
    with pytest.raises(UserError, match="check=true trains nothing"):  # after it has passed
        trainyard.train([*short, *SHAPES, *OWN, "check=true"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["scheduler=step"], "ScheduleFreeSGD averages the weights in place of a schedule, and StepLR would lower"),
        (["callbacks=ema"], "EMA averages the weights, and so does the optimizer"),
        (["callbacks=lookahead"], "Lookahead averages the weights, and so does the optimizer"),
    ],
)
def test_what_does_not_go_with_it_is_refused(words: list[str], message: str, short: list[str]) -> None:
    with pytest.raises(UserError, match=message):
        trainyard.train([*short, *SHAPES, *OWN, *words])


def test_an_optimizer_that_wants_a_closure_is_refused(short: list[str]) -> None:
    words = ["optimizer._target_=torch.optim.LBFGS", "~optimizer.betas", "~optimizer.eps", "~optimizer.weight_decay"]
    with pytest.raises(UserError, match="LBFGS computes the loss several times in a step"):
        trainyard.train([*short, *SHAPES, *words])
