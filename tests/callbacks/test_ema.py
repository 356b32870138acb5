"""The averaged weights are what is validated, kept and tested."""

from types import SimpleNamespace
from typing import cast

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

import trainyard
from trainyard.callbacks.ema import EMA
from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate, instantiate_task
from trainyard.config.resolve import resolve
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.training.factory import make_trainer

DECAY = 0.8
SHAPES = ["data=shapes", "data.size=200", "data.test_size=100", "logger=none", "optimizer.lr=1e-2"]
RESNET = ["model=resnet18", "model.width=4"]
AVERAGED = ["callbacks=ema", f"callbacks.ema.decay={DECAY}"]


def weights(run: trainyard.Run, key: str) -> dict[str, Tensor]:
    return torch.load(run.path / "checkpoints" / "best.ckpt", weights_only=True)[key]


def test_evaluating_a_run_gives_its_own_scores(short: list[str]) -> None:
    whole = [word for word in short if "limit_" not in word]
    run = trainyard.train([*whole, *SHAPES, *RESNET, *AVERAGED])
    assert run.evaluate("test") == pytest.approx(run.summary["test"])
    assert run.evaluate("val") == pytest.approx(run.summary["best"])
    raw = weights(run, "current_model_state")
    averaged = weights(run, "state_dict")
    assert not torch.equal(raw["net.head.weight"], averaged["net.head.weight"])


def test_the_average_is_the_formulas(short: list[str]) -> None:
    """The first step is copied, each later one counts 1 - decay; when training ends the network holds the average."""

    class Raw(Callback):
        steps: list[Tensor] = []

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
            self.steps.append(pl_module.net.stem[0].weight.detach().clone())

    composed = compose([*short, *SHAPES, *RESNET, "run.dir=x"])
    cfg, raw = resolve(composed), Raw()
    task = instantiate_task(cfg, composed.choices)
    callbacks: list[Callback] = [EMA(decay=DECAY), raw]
    trainer = make_trainer(cfg, callbacks, [], enable_progress_bar=False, enable_checkpointing=False)
    trainer.fit(task, datamodule=instantiate(cfg.data, "data"))
    average = raw.steps[0]
    for step in raw.steps[1:]:
        average = DECAY * average + (1 - DECAY) * step
    assert len(raw.steps) == 4
    torch.testing.assert_close(task.net.stem[0].weight.detach(), average)


def test_a_young_average_follows_its_warmup() -> None:
    """min(decay, (1 + n) / (10 + n)) after n updates, the first of which copies the weights."""
    module = LightningModule()
    module.net = nn.Linear(1, 1, bias=False).double()
    trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cpu")))
    ema = EMA(decay=0.5, warmup=True)
    ema.setup(cast(Trainer, trainer), module, "fit")
    average = ema._average_model
    assert average is not None
    expected = 0.0
    for n in range(12):
        nn.init.constant_(module.net.weight, float(n * n))
        average.update_parameters(module)
        share = min(0.5, (1 + n) / (10 + n)) if n else 0.0
        expected = share * expected + (1 - share) * n * n
        assert average.module.net.weight.item() == pytest.approx(expected)


def test_a_decay_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"decay=1.0 must be in \[0, 1\)"):
        EMA(decay=1.0)


def test_training_continues_from_the_raw_weights(short: list[str]) -> None:
    """The average is only looked at: the training losses are those of a run without it."""
    words = [*short, *SHAPES, "model=mlp", "model.widths=[8]"]
    plain, averaged = trainyard.train(words), trainyard.train([*words, *AVERAGED])
    losses = [[row["train/loss"] for row in read_metrics(run.path) if "train/loss" in row] for run in (plain, averaged)]
    assert losses[0] == losses[1]
    assert plain.summary["best"] != averaged.summary["best"]


def test_a_run_that_ends_before_its_first_validation_keeps_the_average(short: list[str]) -> None:
    run = trainyard.train([*short, *SHAPES, *RESNET, *AVERAGED, "trainer.max_steps=1"])
    assert run.evaluate("val") == pytest.approx(run.summary["best"])


def test_the_average_is_kept_on_the_device_of_the_training_to_which_the_module_moves_later() -> None:
    """The meta device stands for a GPU: a module in the host's memory, a strategy that will move it away."""
    module = LightningModule()
    module.net = nn.Linear(2, 2)
    trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")))
    ema = EMA()
    ema.setup(cast(Trainer, trainer), module, "fit")
    average = ema._average_model
    assert average is not None and {p.device.type for p in average.parameters()} == {"meta"}
    assert {p.device.type for p in module.parameters()} == {"cpu"}
