"""What the hardware group says about several processes, and what of a run only the first of them does."""

from pathlib import Path

import pytest
import torch
from ranks import run_ranks, together
from torch import Tensor, nn
from variants import NET, PLAIN, VARIANTS

import trainyard
from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.models.mlp import MLP

STEPS = ["hardware=cpu", "hardware.threads=1", "trainer.max_epochs=2", "trainer.log_every_n_steps=1",
         "callbacks.progress_bar=null"]  # fmt: skip


class Partial(MLP):
    """Uses one of two layers in each step, in turn."""

    def __init__(self, **arguments) -> None:
        super().__init__(**arguments)
        self.extra = nn.ModuleList([nn.Linear(10, 10), nn.Linear(10, 10)])
        self.steps = 0

    def forward(self, x: Tensor) -> Tensor:
        self.steps += self.training
        return self.extra[self.steps % 2](super().forward(x))


def losses_of(words: list[str], path: Path) -> list[float]:
    """The losses of the steps of two processes."""
    ended = together([*words, *STEPS, f"run.dir={path}"], path.parent)
    assert not ended[1].stdout and not ended[1].stderr
    return [row["train/step_loss"] for row in read_metrics(path) if "train/step_loss" in row]


def test_gradients_are_exchanged_in_fewer_bits(tmp_path: Path) -> None:
    exact, rounded = (losses_of([*NET, f"hardware.comm_hook={hook}"], tmp_path / hook) for hook in ("null", "bf16"))
    assert exact != rounded and rounded == pytest.approx(exact, abs=0.02)


def test_a_network_of_which_a_step_uses_a_part(tmp_path: Path) -> None:
    words = [*NET, "model._target_=test_options.Partial"]
    assert losses_of([*words, "hardware.find_unused_parameters=true"], tmp_path / "found")
    ended = run_ranks([*words, *STEPS, f"run.dir={tmp_path}/run"], tmp_path)
    errors = "".join(process.stderr for process in ended)
    assert errors.count("set hardware.find_unused_parameters=true") == errors.count("error:") == 1


def test_lightning_divides_what_a_plain_data_module_has(tmp_path: Path) -> None:
    losses = losses_of(PLAIN, tmp_path / "run")
    assert len(losses) == 2 * 4  # of 50 samples 25 for each process, in batches of 8
    assert "validation and test may count samples twice" in (tmp_path / "run" / "run.log").read_text()


def test_curves_samples_and_hyperparameters_are_the_first_process_s(tmp_path: Path) -> None:
    words = [word for word in VARIANTS["language model with samples"] if "dropout" not in word]
    losses_of([*words, "logger=[tensorboard,csv]"], tmp_path / "run")
    assert len({file.name.split(".")[-2] for file in (tmp_path / "run").glob("events.out.tfevents.*")}) == 1
    assert (tmp_path / "run" / "metrics.csv").is_file()


def test_a_run_of_several_processes_is_opened_by_one(tmp_path: Path) -> None:
    losses_of([*VARIANTS["batch norm, sgd, mixup"], "data.mix=none"], tmp_path / "run")
    run = trainyard.Run(tmp_path / "run")
    assert run.cfg.hardware.devices == 2
    assert run.predict(torch.zeros(2, *run.cfg.data.shape, dtype=torch.uint8)).shape == (2, 10)
    scores = run.evaluate()
    assert scores["test/loss"] == pytest.approx(run.summary["test"]["test/loss"], abs=1e-6)


def test_statistics_of_ones_own_samples_are_validated_as_they_are_saved(tmp_path: Path) -> None:
    words = [*VARIANTS["batch norm, sgd, mixup"], "data.mix=none", "hardware.sync_batchnorm=false", "test=false"]
    losses_of(words, tmp_path / "run")
    run = trainyard.Run(tmp_path / "run")
    validated = [row["val/loss"] for row in read_metrics(run.path) if "val/loss" in row]
    score = run.evaluate("val")["val/loss"]
    assert any(score == pytest.approx(value, abs=1e-6) for value in validated)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("hardware.strategy=foo", "hardware.strategy=foo must be one of ddp, fsdp"),
        ("hardware.comm_hook=int8", "hardware.comm_hook=int8 must be one of null, fp16, bf16"),
        ("hardware.devices=0", "hardware.devices=0 must be auto or an integer of at least 1"),
    ],
)
def test_an_unknown_value_is_refused(word: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        trainyard.train([*NET, *STEPS, f"run.dir={tmp_path}/run", word])
