"""A loss that is no number ends the run before a checkpoint holds it."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import trainyard
from trainyard.durability.non_finite import NonFiniteGuard, NonFiniteLossError, first_non_finite_layer
from trainyard.models.mlp import MLP

WORDS = ["data=shapes", "data.size=200", "data.test_size=100", "data.batch_size=10", "model=mlp", "model.widths=[8]",
         "hardware=cpu", "hardware.threads=1", "trainer.max_epochs=4"]  # fmt: skip


def test_a_rate_that_is_too_high_is_reported_and_no_checkpoint_contains_nan(tmp_path: Path) -> None:
    words = ["optimizer=sgd", "optimizer.lr=1e30", "scheduler=constant", "callbacks.finite.every=3",
             "callbacks.resume.every_n_steps=1", f"run.dir={tmp_path}/here"]  # fmt: skip
    with pytest.raises(NonFiniteLossError) as caught:
        trainyard.train([*WORDS, *words])
    text = str(caught.value)
    assert "the loss has not been finite since optimizer step" in text and "learning rate 1e+30" in text
    assert "origin: the weights: net." in text and "usual fixes: a lower optimizer.lr" in text
    for file in (tmp_path / "here" / "checkpoints").glob("*.ckpt"):
        state = torch.load(file, weights_only=True)["state_dict"]
        assert all(torch.isfinite(value).all() for value in state.values()), file


def test_the_first_layer_that_is_not_finite_is_named() -> None:
    from lightning import LightningModule

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)

        def score(self, batch):
            return self.second(self.first(batch) * float("inf"))

    finite = NonFiniteGuard()
    finite.batch = torch.ones(1, 2)
    layer = first_non_finite_layer(Module(), finite.batch)
    assert finite.origin(Module(), layer) == "the output of second (Linear)"
    finite.batch = torch.tensor([[1.0, float("nan")]])
    assert finite.origin(Module(), layer).startswith("the data: the latest batch contains NaN")


class SpoilGradient(torch.optim.SGD):
    """Gradients become NaN in the last step of all, after which no loss is computed."""

    steps = 0

    def step(self, closure=None):
        loss = closure() if closure else None
        SpoilGradient.steps += 1
        if SpoilGradient.steps == LAST_STEP:
            for group in self.param_groups:
                for weight in group["params"]:
                    weight.grad.fill_(float("nan"))
        super().step()
        return loss


LAST_STEP = 18 * 4


def test_a_gradient_that_is_not_finite_in_the_last_step_is_found_before_the_weights_are_saved(tmp_path: Path) -> None:
    words = ["optimizer=sgd", "~optimizer.momentum", "~optimizer.nesterov", "~optimizer.weight_decay",
             "optimizer._target_=test_non_finite.SpoilGradient", f"run.dir={tmp_path}/here"]  # fmt: skip
    with pytest.raises(NonFiniteLossError, match="the weights are not finite after step") as caught:
        trainyard.train([*WORDS, *words])
    assert "resumed run would take the same steps" in str(caught.value)
    assert not any("continue with" in note for note in getattr(caught.value, "__notes__", []))
    for file in (tmp_path / "here" / "checkpoints").glob("*.ckpt"):
        state = torch.load(file, weights_only=True)["state_dict"]
        assert all(torch.isfinite(value).all() for value in state.values()), file


def test_a_mask_of_infinite_values_is_no_divergence() -> None:
    net = MLP([2], 2, [4])
    net.register_buffer("mask", torch.full((4, 4), -torch.inf).triu(1))
    NonFiniteGuard().check_weights(SimpleNamespace(global_step=1), net)  # pyright: ignore
