"""Several processes, each with a part of every batch, are one process with all of it."""

from pathlib import Path

import pytest
from ranks import together
from variants import IMAGES, NET, TEXT, VARIANTS

import trainyard
from trainyard.loggers.metrics_lines import read_metrics

STEPS = ["hardware=cpu", "hardware.threads=1", "trainer.max_epochs=2", "trainer.log_every_n_steps=1", "logger=none",
         "callbacks.progress_bar=null", "callbacks.samples=null"]  # fmt: skip
CNN = ["model.stage_dropout=0", "model.dense_dropout=0"]
BLOCKS = [word for word in VARIANTS["causal language model"] if "dropout" not in word]
CASES = {
    "uneven batches": [*NET, "data.val_fraction=0.1"],
    "a last batch of one sample": [*NET, "data.size=111", "data.test_size=101", "data.mix=mixup"],
    "cnn, augmentation": [*IMAGES, "model=cnn", "model.stages=[[4],[4]]", "model.dense=8", "data.augment=strong",
                          *CNN],
    "muon, warm-up, augmentation by policies": [
        *IMAGES, "model=cnn", "model.stages=[[4]]", "model.dense=8", *CNN, "hardware.precision=64-true",
        "optimizer=muon", "scheduler=step", "scheduler.warmup_steps=7", "task.layer_decay=0.8",
        "data.augment=[randaugment,augmix,jitter,alternating_flip,resized_crop,erasing]"],
    "own transform, overfit": [
        *IMAGES, "model=cnn", "model.stages=[[4]]", "model.dense=8", *CNN, "trainer.overfit_batches=3",
        "data.augment=[{_target_: torchvision.transforms.v2.RandomRotation, degrees: 9}]"],
    "noisy text": [*[word for word in VARIANTS["noisy text"] if "dropout=0.5" not in word], "model.dropout=0"],
    "mixup": [*IMAGES, "model=cnn", "model.stages=[[4]]", "model.dense=8", "data.mix=mixup", "data.augment=flip",
              *CNN],
    "cutmix or mixup": [*IMAGES, "model=cnn", "model.stages=[[4]]", "model.dense=8", "data.mix=both", *CNN],
    "a metric with lists, no sample in some processes": [
        *NET, "data.eval_batch_size=1", "trainer.limit_val_batches=20", "trainer.limit_test_batches=20",
        "task._target_=variants.ListMetrics"],
    "accumulation": [*NET, "trainer.accumulate_grad_batches=3", "trainer.gradient_clip_val=0.1"],
    "gru": [word for word in TEXT if "dropout" not in word] + ["model.dropout=0"],
    "transformer": [*[word for word in TEXT if "model" not in word], "model=transformer", "model.dim=8",
                    "model.heads=2", "model.ff_dim=8", "model.depth=1", "model.dropout=0"],
    "masked language model": [*VARIANTS["masked language model"], "model.dropout=0"],
    "causal language model": [*BLOCKS, "model.dropout=0"],
    "causal language model, accumulation": [*BLOCKS, "model.dropout=0", "trainer.accumulate_grad_batches=2"],
    "resnet18": [*IMAGES, "model=resnet18", "model.width=4", "data.augment=flip", "hardware.precision=64-true"],
    "finetune": [*IMAGES, "model=resnet18", "model.width=4", "callbacks=finetune",
                 "callbacks.finetune.unfreeze_at_epoch=1"],
}  # fmt: skip

FAST = ("a last batch of one sample", "mixup", "accumulation", "gru", "causal language model, accumulation", "resnet18")


def scores(path: Path) -> dict[tuple[int, str], float]:
    """What a run logged, but for its speed, by step and name."""
    return {
        (row["step"], name): value
        for row in read_metrics(path)
        for name, value in row.items()
        if name.startswith(("train/", "val/", "test/"))
    }


@pytest.mark.parametrize(
    ("name", "size"),
    [pytest.param(name, size, marks=[] if size == 2 and name in FAST else [pytest.mark.slow]) for name in CASES
     for size in (2, 3)],
)  # fmt: skip
def test_several_processes_are_one(name: str, size: int, tmp_path: Path) -> None:
    words = [*CASES[name], *STEPS]
    if size == 3:
        words = [word.replace("batch_size=10", "batch_size=12").replace("batch_size=50", "batch_size=51")
                 .replace("batch_size=20", "batch_size=21") for word in words]  # fmt: skip
    alone = trainyard.train([*words, f"run.dir={tmp_path}/alone"])
    together([*words, f"run.dir={tmp_path}/together"], tmp_path, size)
    expected, found = scores(alone.path), scores(tmp_path / "together")
    assert expected.keys() == found.keys()
    wrong = {key: (value, found[key]) for key, value in expected.items()
             if found[key] != pytest.approx(value, abs=1e-6, rel=1e-6)}  # fmt: skip
    assert not wrong
