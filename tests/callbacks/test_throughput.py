from copy import deepcopy
from itertools import count
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ConstantLR

import trainyard
from trainyard.callbacks import throughput
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.tasks.classification import Classification

WORDS = ["model=mlp", "model.widths=[8]", "data=shapes", "data.size=200", "data.test_size=100", "logger=none"]


def test_throughput_counts_samples_and_the_wait_for_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of 0.08 s behind waits of 0.02 s, by a clock of the test's own; the first is warm-up."""
    logged: dict[str, float] = {}
    trainer = SimpleNamespace(world_size=1)
    module = SimpleNamespace(log_dict=lambda values, **_: logged.update(values))
    ticks = count()
    monkeypatch.setattr(throughput, "perf_counter", lambda: (tick := next(ticks)) // 2 * 0.1 + tick % 2 * 0.08)
    callback = throughput.Throughput(warmup=1)
    batch = (torch.zeros(10, 2), torch.zeros(10))
    for step in range(4):
        callback.on_train_batch_start(trainer, module, batch, step)
        callback.on_train_batch_end(trainer, module, None, batch, step)
    callback.on_train_epoch_end(trainer, module)
    assert logged == pytest.approx(
        {"throughput/samples_per_second": 100, "throughput/step_ms": 100, "throughput/data_share": 0.2}
    )


def test_every_epoch_logs_its_throughput(short: list[str]) -> None:
    run = trainyard.train([*short, *WORDS, "trainer.limit_train_batches=10"])
    rows = [row for row in read_metrics(run.path) if "throughput/samples_per_second" in row]
    assert len(rows) == 2
    assert run.summary["samples_per_second"] > 0
    assert all(row["throughput/tflops"] > 0 and "throughput/mfu" not in row for row in rows)  # a CPU has no known peak


def test_tflops_are_three_forward_passes_of_every_element(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 10 and of 30 samples, 0.1 s each; a sample is multiplied by 2 x 3 weights."""
    logged: dict[str, float] = {}
    task = Classification(3, net=nn.Linear(2, 3), optimizer=torch.optim.SGD, scheduler=ConstantLR)
    monkeypatch.setattr(task, "log_dict", lambda values, **_: logged.update(values))
    monkeypatch.setattr(throughput, "peak_flops", lambda trainer: 20_000)
    ticks = count()
    monkeypatch.setattr(throughput, "perf_counter", lambda: next(ticks) * 0.05)
    trainer, callback = SimpleNamespace(world_size=2), throughput.Throughput(warmup=0)
    for size in (10, 10, 30):
        batch = (torch.zeros(size, 2), torch.zeros(size, dtype=torch.long))
        callback.on_train_batch_start(trainer, task, batch, 0)
        callback.on_train_batch_end(trainer, task, None, batch, 0)
    callback.on_train_epoch_end(trainer, task)
    flops = 3 * 2 * (2 * 3) * (10 + 30) * 2 / 0.2  # the first batch had nothing before it that could be a wait
    assert logged["throughput/tflops"] == pytest.approx(flops / 1e12)
    assert logged["throughput/mfu"] == pytest.approx(flops / 20_000)


def test_counting_leaves_no_trace() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
    net[2].eval()
    task = Classification(2, net=net, optimizer=torch.optim.SGD, scheduler=ConstantLR)
    batch = (torch.randn(5, 4), torch.zeros(5, dtype=torch.long))
    before, drawn = deepcopy(net.state_dict()), torch.get_rng_state()
    assert throughput.forward_flops(task, batch) == 2 * 5 * 8 * (4 + 2)
    assert torch.equal(drawn, torch.get_rng_state())
    assert [part.training for part in net] == [True, True, False, True]
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert all(weight.grad is None for weight in net.parameters())
