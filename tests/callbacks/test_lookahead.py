"""Slow weights to which the network goes back."""

import pytest
import torch
from lightning import Callback, LightningModule
from torch import Tensor

import trainyard
from trainyard.callbacks.lookahead import Lookahead
from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate, instantiate_task
from trainyard.config.resolve import resolve
from trainyard.config.validate import LOOKAHEAD, check_max_epochs
from trainyard.errors import UserError
from trainyard.training.factory import make_trainer

SHAPES = ["data=shapes", "data.size=200", "data.test_size=100", "logger=none", "model=resnet18", "model.width=4"]
NAMES = ("stem.0.weight", "stem.1.running_mean")


class Seen(Callback):
    """A weight and a running mean, before or after the other callbacks."""

    def __init__(self) -> None:
        self.steps: list[list[Tensor]] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.steps.append([pl_module.net.state_dict()[name].clone() for name in NAMES])


@pytest.mark.parametrize("power", [0.0, 3.0])
def test_the_weights_are_those_by_hand(power: float, short: list[str]) -> None:
    """After each second of five steps, and after the last, the network has the slow weights."""
    composed = compose([*short, *SHAPES, "run.dir=x", "trainer.limit_train_batches=5", "trainer.max_epochs=1"])
    cfg, before, after = resolve(composed), Seen(), Seen()
    task = instantiate_task(cfg, composed.choices)
    slow = [task.net.state_dict()[name].clone() for name in NAMES]
    callbacks = [before, Lookahead(every=2, decay=0.6, power=power), after]
    trainer = make_trainer(cfg, callbacks, [], enable_progress_bar=False, enable_checkpointing=False)
    trainer.fit(task, datamodule=instantiate(cfg.data, "data"))
    for step, (fast, found) in enumerate(zip(before.steps, after.steps, strict=True), start=1):
        if step % 2 == 0:
            share = 0.6 * (step / 5) ** power
            slow = [share * old + (1 - share) * new for old, new in zip(slow, fast, strict=True)]
        expected = slow if step % 2 == 0 or step == 5 else fast
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other)
    assert len(after.steps) == 5 and not torch.equal(before.steps[-1][0], after.steps[-1][0])


def test_a_decay_of_zero_changes_nothing(short: list[str]) -> None:
    """And one above does."""
    words = [*short, *SHAPES[:4], "model=mlp", "model.widths=[8]", "callbacks.pictures=null"]
    looking = ["callbacks=lookahead", "callbacks.pictures=null", "callbacks.lookahead.every=1"]
    losses = [
        trainyard.train([*words, *more]).summary["best"]["val/loss"]
        for more in ([], [*looking, "callbacks.lookahead.decay=0"], looking)
    ]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("wrong", [{"every": 0}, {"decay": 1.0}, {"power": -1}])
def test_what_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="must be at least 1, decay="):
        Lookahead(**wrong)


def test_a_run_is_not_extended() -> None:
    """Its decay, and when it ended with its slow weights, were planned for the old length."""
    config = {"scheduler._target_": "torch.optim.lr_scheduler.ConstantLR", "callbacks.lookahead._target_": LOOKAHEAD}
    with pytest.raises(UserError, match="it is 4: Lookahead was planned for 2 epochs"):
        check_max_epochs("x", {**config, "trainer.max_epochs": 2}, {**config, "trainer.max_epochs": 4})


def test_a_constant_mask_stays_as_it_is() -> None:
    """The slow share of an infinite one would be no number."""
    module = LightningModule()
    module.register_buffer("mask", torch.full((3,), -torch.inf))
    module.norm = torch.nn.BatchNorm1d(2)
    assert set(Lookahead.fast(module)) == {"norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"}
