"""Several batches that make one step together weigh as their samples, or tokens, do."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import trainyard
from trainyard.tasks.classification import Classification

LARGE = "data.batch_size=32"
SMALL = ["data.batch_size=8", "trainer.accumulate_grad_batches=4"]


@pytest.mark.parametrize(
    "words",
    [
        ["model=mlp", "model.widths=[16]", "data=shapes", "data.size=222", "data.test_size=100"],  # a short last batch
        ["model=bert", "model.dropout=0", "data=imdb_mlm", "data.max_length=8"],  # as many targets as chance has it
    ],
)
def test_four_small_batches_step_like_a_large_one(words: list[str], small_imdb: Path, tmp_path: Path) -> None:
    common = [*words, "optimizer=sgd", "optimizer.lr=0.05", "scheduler=constant", "trainer.max_epochs=2",
              "hardware=cpu", "logger=none", f"run.root={tmp_path}", "trainer.gradient_clip_val=1.0"]  # fmt: skip
    runs = [trainyard.train([*common, LARGE]), trainyard.train([*common, *SMALL])]
    large, small = (run.task("last").state_dict() for run in runs)
    fresh = trainyard.train([*common, LARGE, "optimizer.lr=0"]).task("last").state_dict()
    for name, weight in large.items():
        torch.testing.assert_close(small[name], weight, rtol=1e-4, atol=1e-6)
    assert max((large[name] - fresh[name]).abs().max() for name in large) > 1e-2


def test_a_first_batch_without_a_target_does_not_erase_the_step() -> None:
    net = torch.nn.Linear(2, 1)
    parts = {"optimizer": partial(torch.optim.SGD, lr=1.0), "scheduler": torch.optim.lr_scheduler.ConstantLR}
    task = Classification(net=net, num_classes=2, **parts)
    task.trainer = SimpleNamespace(accumulate_grad_batches=2)  # pyright: ignore
    loss = net(torch.ones(1, 2)).sum()
    for weight in (0, 4):
        (task.weight_loss(loss, weight) / 2).backward(retain_graph=True)
    task.on_before_optimizer_step(torch.optim.SGD(net.parameters()))
    assert net.weight.grad is not None
    torch.testing.assert_close(net.weight.grad, torch.ones(1, 2))
