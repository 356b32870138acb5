"""tune=lr and tune=batch_size: a value in place of a run, and nothing else is changed."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import trainyard
from trainyard.config.compose import compose
from trainyard.config.user_conf import set_user_conf
from trainyard.data import base
from trainyard.errors import UserError, train_command
from trainyard.models.mlp import MLP
from trainyard.tasks.classification import Classification
from trainyard.training.job import prepare
from trainyard.training.launch import launch, run_jobs
from trainyard.training.tune import largest_batch
from trainyard.training.tune.range_test import smoothed, steepest
from trainyard.training.tune.tune import command_with

WORDS = ["model=mlp", "model.widths=[16]", "data=shapes", "data.size=400", "data.test_size=100", "hardware=cpu",
         "hardware.threads=1", "data.batch_size=32"]  # fmt: skip


def tuned(tmp_path: Path, *words: str) -> tuple[dict[str, Any], Path]:
    """What is written, and where."""
    assert launch(compose([*WORDS, *words, f"run.root={tmp_path}"])) is None
    (file,) = tmp_path.rglob("tune-*.json")
    return json.loads(file.read_text()), file.parent


def test_the_rate_it_suggests_trains_better_than_those_far_from_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found, folder = tuned(tmp_path, "tune=lr", "seed=3", "data.size=1000")
    assert {file.name for file in folder.iterdir()} == {"tune-lr.json", "tune-lr.png"}  # no run
    assert (folder / "tune-lr.png").read_bytes().startswith(b"\x89PNG")
    rate = found["optimizer.lr"]
    assert found["command"].endswith(f"seed=3 data.size=1000 run.root={tmp_path} optimizer.lr={rate:g}")
    assert found["command"] in caplog.text and "tune=" not in found["command"]
    scores = [
        trainyard.train([*WORDS, f"optimizer.lr={each}", "trainer.max_epochs=3", "seed=3", "data.size=1000",
                         f"run.root={tmp_path}", "callbacks.pictures=null"]).summary["best"]["val/loss"]
        for each in (rate, rate / 100, rate * 1000)
    ]  # fmt: skip
    assert scores[0] == min(scores)
    assert len(found["losses"]) == len(found["rates"]) == len(found["smoothed"]) < 100  # it ended as it diverged


def test_a_run_after_it_is_the_run_without_it(tmp_path: Path) -> None:
    words = [*WORDS, "trainer.max_epochs=1", "model.dropout=0.5", "callbacks.pictures=null"]
    before = trainyard.train([*words, f"run.dir={tmp_path}/before"])
    tuned(tmp_path / "tune", "tune=lr", "tune.steps=20")
    after = trainyard.train([*words, f"run.dir={tmp_path}/after"])
    one, other = (torch.load(run.path / "checkpoints" / "last.ckpt")["state_dict"] for run in (before, after))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert "tune" not in after.cfg


def test_rates_of_groups_keep_their_proportions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[float]] = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW,
        "step",
        lambda self, *a, **k: (seen.append([group["lr"] for group in self.param_groups]), step(self, *a, **k))[1],
    )
    tuned(tmp_path, "tune=lr", "tune.steps=20", "task.backbone_lr_scale=0.1", "tune.highest=1e-2")
    assert seen[0] != seen[-1]
    assert all(sorted({round(rate / max(rates), 6) for rate in rates}) == [0.1, 1.0] for rates in seen)
    assert max(seen[0]) == pytest.approx(1e-6) and max(seen[-1]) == pytest.approx(1e-2)


def test_the_steepest_fall_is_before_the_minimum() -> None:
    losses = torch.tensor([3.0, 3.0, 2.9, 2.0, 1.5, 1.4, 2.0, 9.0, 1.5])
    assert steepest(losses, losses) == 3
    assert steepest(torch.arange(5.0), torch.arange(5.0)) is None  # never falls
    assert steepest(torch.tensor([]), torch.tensor([])) is None
    noise = torch.randn(100, generator=torch.Generator().manual_seed(0))
    assert steepest(smoothed(noise, 4.0), noise) is None
    peak = smoothed(torch.tensor([0.0, 0, 0, 1, 0, 0, 0], dtype=torch.float64), 1.0)
    assert int(peak.argmax()) == 3 and torch.allclose(peak, peak.flip(0))  # nothing is shifted


def test_batches_grow_to_a_limit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found, folder = tuned(tmp_path, "tune=batch_size", "tune.steps=2", "tune.most=100")
    assert list(found["samples_per_second"]) == ["16", "32", "64"] and found["data.batch_size"] == 64
    assert all(speed > 0 for speed in found["samples_per_second"].values())
    assert "the largest batch that fits is 64 samples (tune.most=100)" in caplog.text
    assert found["command"].endswith("data.batch_size=64") and found["command"].count("data.batch_size") == 1
    assert (folder / "tune-batch_size.png").exists()


def test_batches_end_with_the_training_split(tmp_path: Path) -> None:
    found, _ = tuned(tmp_path, "tune=batch_size", "tune.steps=2", "tune.least=100")
    assert found["data.batch_size"] == 200 and found["ended"] == "the training split has 360"


def test_the_smaller_batch_that_ends_an_epoch_is_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The split has 360 samples, each of which takes 0.2 ms or more: 256 and then 104 in an epoch."""
    forward = MLP.forward
    monkeypatch.setattr(MLP, "forward", lambda net, x: (time.sleep(2e-4 * len(x)), forward(net, x))[1])
    found, _ = tuned(tmp_path, "tune=batch_size", "tune.steps=2", "tune.least=128")
    assert list(found["samples_per_second"]) == ["128", "256"]
    assert max(found["samples_per_second"].values()) <= 5000


def test_data_without_batches_of_the_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a module with loaders of its own."""
    order = base.BatchOrder
    monkeypatch.setattr(base, "BatchOrder", lambda count, size, *rest: order(count, 7, *rest))
    with pytest.raises(UserError, match="of the batches of data.batch_size=16, 0 had 16 samples, and a step is timed"):
        tuned(tmp_path, "tune=batch_size")


def test_a_batch_that_does_not_fit_is_not_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU raises, from the third size on; no machine of the tests has one."""
    measure = largest_batch.measure

    def limited(bench: Any, size: int, steps: int) -> float:
        if size > 32:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return measure(bench, size, steps)

    monkeypatch.setattr(largest_batch, "measure", limited)
    found, _ = tuned(tmp_path, "tune=batch_size", "tune.steps=2")
    assert (found["data.batch_size"], found["ended"]) == (32, "64 is out of memory")
    with pytest.raises(UserError, match="not even 64 samples fit: 64 is out of memory; lower tune.least"):
        tuned(tmp_path / "none", "tune=batch_size", "tune.least=64")


def test_memory_of_the_machine_is_a_limit_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(largest_batch, "free_bytes", lambda: 1e6)
    found, _ = tuned(tmp_path, "tune=batch_size", "tune.steps=2")
    assert "need about" in found["ended"] and found["data.batch_size"] < 256


@pytest.mark.parametrize("loss", ["nan", "inf"])
def test_a_first_loss_that_is_not_finite_is_said_to_be(
    loss: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classification, "loss", lambda _, logits, labels: logits.square().sum() * float(loss))
    with pytest.raises(UserError, match=rf"loss of the first step is not finite \({loss}\) at a rate of 1e-06; look"):
        tuned(tmp_path, "tune=lr")


def test_the_command_has_whole_numbers_and_the_conf_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = prepare(compose([*WORDS, "tune=batch_size", f"run.root={tmp_path}"]))
    assert "--config-dir" not in command_with(job, "optimizer.lr", 0.1)
    folder = tmp_path / "my conf"
    folder.mkdir()
    set_user_conf(str(folder))
    try:
        command = command_with(job, "data.batch_size", 2**20 + 1)
    finally:
        set_user_conf(None)
    assert command.startswith(f"{train_command()} --config-dir '{folder}' model=mlp ")
    assert command.endswith(" data.batch_size=1048577")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tune=lr", "hardware.devices=2"], "trains in one process, and hardware.devices=2"),
        (["tune=lr", "tune.highest=1e-7"], "tune.lowest=1e-06 must be above 0, and tune.highest=1e-07 above it"),
        (["tune=lr", "tune.steps=3"], "tune.steps=3 must be at least 20"),
        (["tune=lr", "tune.highest=1e-9", "tune.lowest=1e-10"], "never fell by more than steps differ; change"),
        (["tune=lr", "optimizer.lr=0"], "tune=lr looks for optimizer.lr, and here it is 0"),
        (["tune=batch_size", "tune.least=500"], "not even 500 samples fit: the training split has 360"),
        (["tune=batch_size", "tune.steps=1"], "tune.steps=1 must be at least 2"),
        (["tune=rate"], "tune=rate is not an option"),
        (["tune=lr", "model=lightning", "~model.widths", "data=lightning",
          "model._target_=lightning.pytorch.demos.boring_classes.BoringModel"], "tune=lr needs a Task of Trainyard"),
    ],
)  # fmt: skip
def test_what_cannot_be_tuned_is_refused(words: list[str], said: str, tmp_path: Path) -> None:
    own = [] if "model=lightning" in words else WORDS
    with pytest.raises(UserError, match=said):
        launch(compose([*own, *(word for word in words if word[0] != "~"), f"run.root={tmp_path}"]))
    assert not list(tmp_path.rglob("*.*"))


def test_jobs_of_m_and_runs_that_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="tune=lr looks for one value and makes no run: leave out -m"):
        run_jobs(["-m", *WORDS, "tune=lr", f"run.root={tmp_path}"])
    run = trainyard.train([*WORDS, "trainer.max_epochs=1", f"run.dir={tmp_path}/run", "callbacks.pictures=null"])
    with pytest.raises(UserError, match="tune=lr would change it"):
        launch(compose([f"resume={run.path}", "tune=lr"]))
    with pytest.raises(UserError, match=r"makes no run; leave them out"):
        trainyard.train([*WORDS, "tune=lr", "tune.steps=20", f"run.root={tmp_path}"])


def test_processes_that_somebody_started_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As torchrun does; each would look for a value of its own."""
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2",
                        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="tune=lr trains in one process: leave out torchrun"):
        launch(compose([*WORDS, "tune=lr", f"run.root={tmp_path}"]))
