"""A frozen base, thawed when asked, at a rate of its own."""

import pytest
import torch
from lightning import Callback
from torch import Tensor, nn

import trainyard
from trainyard.callbacks.finetune import Finetune
from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate, instantiate_task
from trainyard.config.resolve import resolve
from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.training.factory import make_trainer

SHAPES = ["data=shapes", "data.size=200", "data.test_size=100", "logger=none"]
TORCHS_ONE_CYCLE = [
    "scheduler=onecycle", "scheduler._target_=torch.optim.lr_scheduler.OneCycleLR", "+scheduler.max_lr=0.1"
]  # fmt: skip
RESNET = ["model=resnet18", "model.width=4", "callbacks=finetune"]


class Watch(Callback):
    """Copies the network's state, and which modules train, at the end of each epoch."""

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []
        self.training: list[set[str]] = []

    def keep(self, net: nn.Module) -> None:
        self.states.append({name: value.clone() for name, value in net.state_dict().items()})
        self.training.append({name for name, module in net.named_modules() if module.training})

    def on_train_start(self, trainer, pl_module) -> None:
        self.keep(pl_module.net)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if batch_idx == trainer.num_training_batches - 1:
            self.keep(pl_module.net)

    def changed(self, epoch: int) -> set[str]:
        """The top parts whose weights or statistics changed in an epoch."""
        before, after = self.states[epoch], self.states[epoch + 1]
        return {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}


def watched(short: list[str], finetune: Finetune, *words: str) -> Watch:
    composed = compose([*short, *SHAPES, *words, "run.dir=x"])
    cfg, watch = resolve(composed), Watch()
    trainer = make_trainer(cfg, [finetune, watch], [], enable_progress_bar=False, enable_checkpointing=False)
    trainer.fit(instantiate_task(cfg, composed.choices), datamodule=instantiate(cfg.data, "data"))
    return watch


def test_a_frozen_base_stays_as_it_is_to_the_bit_with_its_statistics(short: list[str]) -> None:
    watch = watched(short, Finetune(), *RESNET)
    assert watch.changed(0) == watch.changed(1) == {"head"}
    assert watch.training[2] == {"", "head"}


def test_the_base_is_thawed_at_its_epoch(short: list[str]) -> None:
    watch = watched(short, Finetune(unfreeze_at_epoch=1), *RESNET)
    assert watch.changed(0) == {"head"}
    assert watch.changed(1) == {"stem", "stages", "head"}
    before, after = watch.states[1:3]
    assert not any(torch.equal(before[name], after[name]) for name in before if name.endswith("weight"))
    assert {"stem.1", "stages.stage4"} <= watch.training[2]


def test_parts_within_the_base_can_train_from_the_beginning(short: list[str]) -> None:
    watch = watched(short, Finetune(train=["stages.stage4", "head"]), *RESNET)
    changed = {name for name in watch.states[0] if not torch.equal(watch.states[0][name], watch.states[1][name])}
    assert changed and all(name.startswith(("stages.stage4.", "head.")) for name in changed)
    assert any("running_mean" in name for name in changed)


def test_dropout_of_a_frozen_base_is_off(short: list[str]) -> None:
    watch = watched(short, Finetune(), "model=cnn", "model.dense=16", "model.stages=[[4],[8]]")
    assert watch.training[1] == {"", "head"}


def test_freezing_an_untrained_backbone_is_reported(short: list[str], caplog) -> None:
    trainyard.train([*short, *SHAPES, *RESNET])
    assert "callbacks=finetune freezes a backbone that was never trained; set pretrained=RUN" in caplog.text


def test_without_freezing_everything_trains(short: list[str]) -> None:
    assert watched(short, Finetune(freeze=False), *RESNET).changed(0) == {"stem", "stages", "head"}


def test_a_part_that_is_not_there_is_refused_before_the_run(short: list[str]) -> None:
    with pytest.raises(
        ValueError, match="callbacks.finetune.train=neck is not a part of the network; it has stem, stages"
    ):
        trainyard.train([*short, *SHAPES, *RESNET, "callbacks.finetune.train=[neck,head]"])


@pytest.mark.parametrize(
    ("scheduler", "first"),
    [("cosine", 1e-2), ("onecycle", 1e-2 / 25), ("constant", 1e-2), ("step", 1e-2), ("plateau", 1e-2)],
)
def test_the_base_learns_at_its_own_rate(scheduler: str, first: float, short: list[str]) -> None:
    words = [
        "model=mlp",
        "model.widths=[8]",
        f"scheduler={scheduler}",
        "task.backbone_lr_scale=0.1",
        "optimizer.lr=1e-2",
    ]
    run = trainyard.train([*short, *SHAPES, *words])
    rows = [row for row in read_metrics(run.path) if "lr/head/matrices" in row]
    assert rows and rows[0]["lr/head/matrices"] == pytest.approx(first)
    for row in rows:
        for kind in ("matrices", "vectors"):
            assert row[f"lr/backbone/{kind}"] == pytest.approx(0.1 * row[f"lr/head/{kind}"])


def test_rates_that_cannot_be_are_refused(short: list[str]) -> None:
    for words, message in (
        (
            [*TORCHS_ONE_CYCLE, "task.backbone_lr_scale=0.1"],
            "sets one learning rate for all weights, which contradicts task.backbone_lr_scale=0.1",
        ),
        (
            ["task.backbone_lr_scale=0"],
            "task.backbone_lr_scale=0 must be positive; callbacks=finetune freezes the backbone",
        ),
        (["model=perceptron", "data=xor", "task.backbone_lr_scale=0.1"], "all of Perceptron is its head"),
    ):
        with pytest.raises(UserError, match=message):
            trainyard.train([*short, "model=mlp", "logger=none", *words])
