"""The kinds of training that are cut off and resumed, and what it takes for two runs to be the same."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningDataModule
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split
from torchmetrics.classification import MulticlassAUROC

import trainyard
from trainyard.data.base import Samples
from trainyard.data.loading.text_blocks import CausalBlocks, MaskedBlocks, ReplacedBlocks
from trainyard.data.reviews import Reviews
from trainyard.data.shapes import Shapes
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.models.mlp import MLP
from trainyard.tasks.classification import Classification


class Embedded(Reviews):
    """The embedded reviews where IMDB's are expected."""

    def __init__(self, root: str | None, download: bool, unlabelled: bool, **text: Any) -> None:
        super().__init__(**text)


class Gaps(MaskedBlocks, Embedded):
    pass


class Replaced(ReplacedBlocks, Embedded):
    pass


class Continued(CausalBlocks, Embedded):
    pass


class NoisyFiles:
    """Images that are read with noise of numpy's and Python's generators, as a transform of one's own would add."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images

    def __getitem__(self, rows: torch.Tensor) -> torch.Tensor:
        noise = np.random.randint(0, 40, self.images[rows].shape, dtype=np.uint8)
        return self.images[rows] // 2 + torch.from_numpy(noise) + random.randrange(20)


class NoisyShapes(Shapes):
    """The generators of torch, numpy and Python are used as each batch is read and transformed."""

    def read(self, split: str) -> Samples:
        samples = super().read(split)
        return Samples(NoisyFiles(samples.inputs), samples.all_labels)

    def transform(self, inputs, keys):
        return super().transform(inputs, keys) + 0.1 * torch.randn(1)


class NoisyMLP(MLP):
    """Its evaluation is random too."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x + 0.1 * torch.rand_like(x))


class ListMetrics(Classification):
    """A metric whose state is a list of all predictions, one made of others, and what is changed as an epoch starts."""

    def metrics(self, stage: str):
        exact, binned = (MulticlassAUROC(self.num_classes, thresholds=number) for number in (None, 5))
        return {**super().metrics(stage), "auroc": exact, "both": exact.clone() + binned}

    def on_train_epoch_start(self) -> None:
        """What is not in any checkpoint, and what is: a factor of the loss, and a weight."""
        self.factor = 1.0 + self.current_epoch
        with torch.no_grad():
            next(self.net.parameters()).mul_(0.9)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] *= 0.8

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return super().loss(logits, labels) * (self.factor if self.training else 1.0)


class Counter(Callback):
    """Counts epochs, in its state, and draws as each starts."""

    def __init__(self) -> None:
        self.epochs, self.shift = 0, 0.0

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        self.epochs += 1
        self.shift = float(torch.rand(()))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        pl_module.log("epochs_and_shift", self.epochs + self.shift)

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epochs = state_dict["epochs"]


class NoisyTensors(TensorDataset):
    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x + 0.1 * torch.randn(2), y


class PlainData(LightningDataModule):
    """A data module as Lightning's documentation has it: an unseeded split, a shuffled loader, draws while reading."""

    def __init__(self, shape: list[int], num_classes: int, num_workers: int = 0, **_: Any) -> None:
        super().__init__()
        self.num_workers = num_workers

    def setup(self, stage: str) -> None:
        x = torch.randn(80, 2, generator=torch.Generator().manual_seed(0))
        whole = NoisyTensors(x, (x.prod(dim=1) > 0).long())
        self.train, self.val = random_split(whole, [50, 30])

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, batch_size=8, shuffle=True, num_workers=self.num_workers)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, batch_size=8)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.val, batch_size=8)


class ScheduleFreeSGD(Optimizer):
    """SGD that trains y and means the average x (Defazio et al., 2024), with the modes of the package schedulefree."""

    def __init__(self, params: Any, lr: float, beta: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "beta": beta, "steps": 0, "train_mode": False})

    @torch.no_grad()
    def switch(self, train: bool) -> None:
        for group in self.param_groups:
            if group["train_mode"] != train:
                for weight in (weight for weight in group["params"] if weight in self.state):
                    weight.lerp_(self.state[weight]["z"], 1 - (group["beta"] if train else 1 / group["beta"]))
                group["train_mode"] = train

    def train(self) -> None:
        self.switch(True)

    def eval(self) -> None:
        self.switch(False)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            assert group["train_mode"]
            group["steps"] += 1
            share, lr, beta = 1 / group["steps"], group["lr"], group["beta"]
            for weight in (weight for weight in group["params"] if weight.grad is not None):
                if not self.state[weight]:
                    self.state[weight]["z"] = weight.clone()
                weight.lerp_(self.state[weight]["z"], share).sub_(weight.grad, alpha=lr * (1 - beta * (1 - share)))
                self.state[weight]["z"].sub_(weight.grad, alpha=lr)
        return loss


class Patches(Dataset):
    """A map-style dataset as other people write one: its transforms draw from three generators, sample by sample."""

    classes = ("dark", "light")

    def __init__(self, size: int, noise: bool = True) -> None:
        self.size, self.noise = size, noise

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        label = index % 2
        patch = np.full((1, 4, 4), label - 0.5, dtype=np.float64)
        if self.noise:
            patch += np.random.randn(1, 4, 4) + random.gauss(0, 0.5) + torch.randn(1, 4, 4).numpy()
        return patch, label


IMAGES = ["data=shapes", "data.size=112", "data.test_size=100", "data.batch_size=10", "data.eval_batch_size=20"]
NET = [*IMAGES, "model=mlp", "model.widths=[8]"]
NOISY = ["data._target_=variants.NoisyShapes", "model._target_=variants.NoisyMLP"]
TEXT = ["data=reviews", "data.size=500", "data.test_size=100", "data.batch_size=50", "model=gru", "model.dim=8",
        "model.layers=[8]", "model.dropout=0.5"]  # fmt: skip
BLOCKS = ["data.vocab_size=80", "data.max_length=8", "data.batch_size=20", "model.depth=1", "model.heads=2",
          "model.ff_dim=8", "+data.size=200", "+data.test_size=100"]  # fmt: skip
TABLE = [f"data.path={Path(__file__).with_name('houses.csv')}", "data=tabular", "data.batch_size=8", "model=mlp",
         "model.widths=[8]"]  # fmt: skip
PLAIN = ["data=xor", "data._target_=variants.PlainData", "model=mlp", "model.widths=[8]"]
DATASET = ["data=dataset", "data.train._target_=variants.Patches", "+data.train.size=120", "data.batch_size=10",
           "model=mlp", "model.widths=[8]"]  # fmt: skip
VARIANTS: dict[str, list[str]] = {
    "plain": NET,
    "balanced": [*NET, "data.sampling=balanced", "data.augment=[flip]"],
    "dataset of others": [*DATASET, "data.num_workers=0"],
    "dataset of others, workers": [*DATASET, "data.num_workers=2"],
    "dropout": [*NET, "model.dropout=0.5"],
    "cnn": [*IMAGES, "model=cnn", "model.stages=[[4],[4]]", "model.dense=8", "data.augment=strong"],
    "batch norm, sgd, mixup": [*IMAGES, "model=resnet18", "model.width=4", "optimizer=sgd", "data.mix=both"],
    "stochastic depth": [*IMAGES, "model=resnet18", "model.width=4", "model.stochastic_depth=0.5"],
    "workers": [*NET, "data.num_workers=2"],
    "own randomness": [*NET, *NOISY],
    "own randomness, workers, validation within epochs": [
        *NET, *NOISY, "data.num_workers=2", "trainer.val_check_interval=4"],
    "bf16": [*NET, "model.dropout=0.5", "hardware.precision=bf16-mixed"],
    "accumulation": [*NET, "trainer.accumulate_grad_batches=3", "trainer.gradient_clip_val=0.1"],
    "validation within epochs": [*NET, "trainer.val_check_interval=4"],
    "every second epoch": [*NET, "trainer.check_val_every_n_epoch=2"],
    "plateau": [*NET, "scheduler=plateau", "scheduler.patience=0", "optimizer.lr=0.1"],
    "step": [*NET, "scheduler=step", "scheduler.step_size=1"],
    "onecycle": [*NET, "scheduler=onecycle"],
    "warm-up, step": [*NET, "scheduler=step", "scheduler.step_size=1", "scheduler.warmup_steps=13"],
    "warm-up, plateau": [*NET, "scheduler=plateau", "scheduler.patience=0", "optimizer.lr=0.1",
                         "scheduler.warmup_epochs=1.5", "trainer.val_check_interval=4"],
    "restarts": [*NET, "scheduler=cosine_restarts", "scheduler.warmup_steps=2"],
    "wsd": [*NET, "scheduler=wsd", "trainer.accumulate_grad_batches=2"],
    "polynomial": [*NET, "scheduler=polynomial", "scheduler.power=0.9"],
    "inverse square root": [*NET, "scheduler=inverse_sqrt", "scheduler.timescale=5", "scheduler.warmup_steps=5"],
    "muon": [*IMAGES, "model=cnn", "model.stages=[[4],[4]]", "model.dense=8", "optimizer=muon", "task.layer_decay=0.7"],
    "schedule-free": [*NET, "optimizer._target_=variants.ScheduleFreeSGD", "~optimizer.betas", "~optimizer.eps",
                      "~optimizer.weight_decay", "optimizer.lr=0.05", "scheduler=constant", "scheduler.warmup_steps=5",
                      "trainer.val_check_interval=4"],
    "overfit": [*NET, "trainer.overfit_batches=5"],
    "augmentation": [
        *IMAGES, "model=cnn", "model.stages=[[4]]", "model.dense=8", "data.mix=mixup", "data.mix_alpha=0.2",
        "data.augment=[randaugment,augmix,jitter,alternating_flip,resized_crop,{erasing: {probability: 0.8}},"
        "{_target_: torchvision.transforms.v2.RandomRotation, degrees: 9}]"],
    "early stopping": [*NET, "callbacks=early_stopping", "callbacks.early_stopping.patience=1", "optimizer.lr=0.3"],
    "ema": [*NET, "callbacks=ema", "callbacks.ema.decay=0.9"],
    "ema, warm-up": [*NET, "callbacks=ema", "callbacks.ema.decay=0.9", "callbacks.ema.warmup=true"],
    "airbench": [*IMAGES, "model=airbench", "model.widths=[4,8]", "model.bias_epochs=1", "optimizer=sgd",
                 "scheduler=triangular", "task.norm_lr_scale=4", "task.views=crops", "task.label_smoothing=0.2",
                 "callbacks=lookahead", "callbacks.lookahead.power=3",
                 "data.augment=[alternating_flip,{crop: {padding: 0.0625}}]"],
    "max_steps": [*NET, "trainer.max_steps=23"],
    "text": TEXT,
    "naive Bayes weights": [*TEXT[:4], "model=nb_bow", "model.rows=5000"],
    "noisy text": [*TEXT, "data.word_dropout=0.2", "data.token_noise=0.1"],
    "buckets": [*TEXT, "data.bucket=true"],
    "masked language model": [*BLOCKS, "model=bert", "data=imdb_mlm", "data._target_=variants.Gaps", "model.dim=8"],
    "replaced tokens": [*BLOCKS, "model=electra", "data=imdb_rtd", "data._target_=variants.Replaced", "model.dim=8"],
    "causal language model": [*BLOCKS, "model=gpt", "data=imdb_lm", "data._target_=variants.Continued", "model.dim=8",
                              "data.tokenizer=word", "model.dropout=0.5", "callbacks.samples=null"],
    "language model with samples": [*BLOCKS, "model=gpt", "data=imdb_lm", "data._target_=variants.Continued",
                                    "model.dim=8", "data.tokenizer=word", "callbacks.samples.max_new_tokens=3"],
    "cutmix": [*IMAGES, "model=cnn", "model.stages=[[4]]", "model.dense=8", "data.mix=cutmix"],
    "ema, bf16, workers": [*NET, "callbacks=ema", "callbacks.ema.decay=0.9", "hardware.precision=bf16-mixed",
                           "model.dropout=0.5", "data.num_workers=2"],
    "accumulation, plateau, validation within epochs": [
        *NET, "trainer.accumulate_grad_batches=2", "scheduler=plateau", "scheduler.patience=0", "optimizer.lr=0.1",
        "trainer.val_check_interval=6", "data.augment=flip"],
    "finetune": [*IMAGES, "model=resnet18", "model.width=4", "callbacks=finetune",
                 "callbacks.finetune.unfreeze_at_epoch=1"],
    "validation after every batch": [*NET, "trainer.val_check_interval=1", "scheduler=plateau", "scheduler.patience=0",
                                     "trainer.limit_val_batches=1", "optimizer.lr=0.1"],
    "accumulation, validation after every step": [
        *NET, "trainer.accumulate_grad_batches=3", "trainer.val_check_interval=3", "model.dropout=0.5"],
    "own randomness, validation after every batch": [*NET, *NOISY, "trainer.val_check_interval=1", "callbacks=ema",
                                                     "callbacks.ema.decay=0.9"],
    "double precision": [*IMAGES, "model=cnn", "model.stages=[[4]]", "model.dense=8", "hardware.precision=64-true"],
    "brain floats": [*NET, "model.dropout=0.5", "hardware.precision=bf16-true", "data.mix=none"],
    "own metrics and hooks": [*NET, "task._target_=variants.ListMetrics", "+callbacks.own._target_=variants.Counter"],
    "changing accumulation": [
        *NET, "+callbacks.a={_target_: lightning.pytorch.callbacks.GradientAccumulationScheduler, scheduling: {1: 3}}"],
    "swa": [*NET, "scheduler=constant",
            "+callbacks.swa={_target_: lightning.pytorch.callbacks.StochasticWeightAveraging, swa_lrs: 0.01,"
            " swa_epoch_start: 1, annealing_epochs: 2}"],
    "swa, batch norm": [*IMAGES, "model=resnet18", "model.width=4", "scheduler=constant",
            "+callbacks.swa={_target_: lightning.pytorch.callbacks.StochasticWeightAveraging, swa_lrs: 0.01,"
            " swa_epoch_start: 1, annealing_epochs: 2, annealing_strategy: linear}"],
    "plain data module": PLAIN,
    "plain data module, workers": [*PLAIN, "data.num_workers=2", "trainer.val_check_interval=3"],
    "max_time": [*NET, "trainer.max_time=00:00:10:00"],
    "limited batches, two loggers": [*NET, "trainer.limit_train_batches=7", "logger=[tensorboard,csv]"],
    "regression on a table": [*TABLE, "task=regression", "task.metrics=[spearman_corr_coef]", "model.dropout=0.5"],
    "balanced classes, focal loss": [*TABLE, "data.target=color", "task.class_weights=balanced",
                                     "task.loss=focal", "task.metrics=[auroc]"],
    "fold": [*NET, "data.folds=4", "data.fold=2", "callbacks=early_stopping"],
    "early stopping, ema, plateau": [
        *NET, "callbacks=[early_stopping,ema]", "callbacks.early_stopping.patience=1", "callbacks.ema.decay=0.9",
        "scheduler=plateau", "scheduler.patience=0", "optimizer.lr=0.1"],
}  # fmt: skip
ALWAYS = ["hardware=cpu", "hardware.threads=1", "trainer.max_epochs=3", "trainer.log_every_n_steps=1",
          "callbacks.resume.every_n_steps=1", "callbacks.progress_bar=null"]  # fmt: skip


def comparable(value: Any) -> Any:
    """A checkpoint without what measures time or names a place."""
    if isinstance(value, dict):
        aside = ("seconds", "dirpath", "time_elapsed")
        return {Path(str(k)).name: comparable(v) for k, v in value.items()
                if k not in aside and not str(k).endswith("_path")}  # fmt: skip
    if isinstance(value, list | tuple):
        return [comparable(v) for v in value]
    if isinstance(value, torch.Tensor):
        return value.dtype, value.tolist()
    return value


def end(run: trainyard.Run) -> tuple[Any, list[dict[str, Any]]]:
    """All that a run came to: its last checkpoint, and what it logged."""
    rows = [{k: v for k, v in row.items() if k != "time" and not k.startswith("throughput/")}
            for row in read_metrics(run.path)]  # fmt: skip
    state = torch.load(run.path / "checkpoints" / "last.ckpt", weights_only=True)
    state["callbacks"] = {name: value for name, value in state["callbacks"].items() if "Interrupt" not in name}
    return comparable(state), [row for row in rows if len(row) > 1]
