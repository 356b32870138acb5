import logging
import re

import pytest
from interrupt import cut_off
from torch import nn

import trainyard
from trainyard.callbacks.model_summary import network_table
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.logs import fitting

WORDS = ["model=mlp", "model.widths=[8]", "data=shapes", "data.size=200", "data.test_size=100", "logger=none"]


def test_a_long_training_prints_a_line_now_and_then(short: list[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="trainyard")
    trainyard.train([*short, *WORDS, "trainer.max_epochs=20", "callbacks.epoch_lines.most=5"])
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("epoch ")]
    assert [line.split()[1] for line in lines] == ["1/20", "4/20", "8/20", "12/20", "16/20", "20/20"]
    assert "train/loss" in lines[0] and "val/accuracy" in lines[0]


def test_without_a_terminal_a_line_now_and_then_says_how_far_an_epoch_is(short: list[str], caplog) -> None:
    caplog.set_level(logging.INFO, logger="trainyard")
    trainyard.train([*short, *WORDS, "trainer.limit_train_batches=4", "callbacks.epoch_lines.seconds=0"])
    lines = [record.getMessage() for record in caplog.records if ", step " in record.getMessage()]
    pattern = r"epoch \d, step \d  loss \d\.\d{4}  \S+ steps/s  about \d+ s left"
    assert [line.split()[3] for line in lines] == ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert all(re.fullmatch(pattern, line) for line in lines)


def test_the_lines_within_an_epoch_show_the_mean_loss_since_the_last_one(short: list[str], caplog) -> None:
    """Also of accumulated gradients, where Lightning's outputs have a part of the step's loss. (4 batches of 8.)"""
    caplog.set_level(logging.INFO, logger="trainyard")
    words = ["trainer.limit_train_batches=4", "trainer.accumulate_grad_batches=2", "callbacks.epoch_lines.seconds=0"]
    run = trainyard.train([*short, *WORDS, *words])
    lines = [record.getMessage() for record in caplog.records if ", step " in record.getMessage()]
    losses = [float(line.split("loss ")[1].split()[0]) for line in lines]
    first, second = (row["train/loss"] for row in read_metrics(run.path) if "train/loss" in row)
    assert [line[:7] for line in lines] == ["epoch 1"] * 3 + ["epoch 2"] * 4
    assert (2 * losses[0] + losses[1] + losses[2]) / 4 == pytest.approx(first, abs=1e-4)
    assert sum(losses[3:]) / 4 == pytest.approx(second, abs=1e-4)


def test_a_line_has_the_monitored_score_and_the_losses_first(short: list[str], caplog) -> None:
    caplog.set_level(logging.INFO, logger="trainyard")
    trainyard.train([*short, *WORDS, "monitor=val/f1", "trainer.max_epochs=1"])
    (line,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("epoch ")]
    names = [part.split()[0] for part in line.split("  ")[1:] if part.split()[0].startswith(("val/", "train/"))]
    assert names == ["val/f1", "val/loss", "train/loss", "val/accuracy", "train/accuracy"]
    assert fitting(line, 80).split("  ")[-1].endswith(" s") and len(fitting(line, 80)) <= 80 < len(line)
    assert fitting(line, 30).split("  ") == line.split("  ")[:2] and fitting(line, 500) == line


def test_an_epoch_without_validation_shows_no_score_of_an_earlier_one(short: list[str], caplog) -> None:
    caplog.set_level(logging.INFO, logger="trainyard")
    trainyard.train([*short, *WORDS, "trainer.max_epochs=4", "trainer.check_val_every_n_epoch=2"])
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("epoch ")]
    assert ["val/accuracy" in line for line in lines] == [False, True, False, True]
    assert all("train/accuracy" in line and "step_loss" not in line for line in lines)


def test_a_resumed_epoch_still_shows_the_scores_of_its_validation(short: list[str], tmp_path, caplog) -> None:
    words = [*short, *WORDS, "trainer.limit_train_batches=10", "trainer.val_check_interval=6"]
    cut_off([*words, "callbacks.resume.every_n_steps=7"], tmp_path / "cut", after=8)
    caplog.set_level(logging.INFO, logger="trainyard")
    trainyard.train([f"resume={tmp_path}/cut"])
    (first,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("epoch 1/")]
    assert "train/accuracy" in first and "val/accuracy" in first


def test_early_stopping_ends_a_training_that_gets_no_better(short: list[str]) -> None:
    words = [
        "callbacks=early_stopping",
        "callbacks.early_stopping.patience=2",
        "optimizer.lr=0",
        "trainer.max_epochs=20",
    ]
    run = trainyard.train([*short, *WORDS, *words])
    assert run.summary["epochs"] == 3
    assert run.summary["best_epoch"] == 0


def test_a_callback_is_left_out_by_null(short: list[str]) -> None:
    run = trainyard.train([*short, *WORDS, "callbacks.resume=null"])
    assert [file.name for file in (run.path / "checkpoints").iterdir()] == ["best.ckpt"]


def test_the_network_table_counts_every_layer() -> None:
    table = network_table(nn.Sequential(nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 2)))
    assert "55" in table and "12" in table and "67" in table
