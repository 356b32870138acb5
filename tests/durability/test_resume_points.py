"""Which resume point is the newest, and which best weights belong to it."""

import os
import shutil
import time
from pathlib import Path

import pytest
import torch
from interrupt import archived, as_if_killed
from lightning import Callback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from variants import ALWAYS, NET

import trainyard
from trainyard.durability.point_files import newest_intact, resume_points, step_of
from trainyard.trust.checkpoint_files import load_checkpoint


class Meddle(Callback):
    """Set the times of all resume points back to the future after each batch, as a clock that goes back would."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        for point in (Path(trainer.default_root_dir) / "checkpoints").glob("resume-*.ckpt"):
            os.utime(point, ns=(2**62 - trainer.global_step,) * 2)
        if trainer.global_step == 8:
            raise KeyboardInterrupt


def test_the_newest_is_the_one_after_most_steps_whatever_the_clock_says(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trainyard.train([*NET, *ALWAYS, f"run.dir={tmp_path}/here", "+callbacks.m._target_=test_resume_points.Meddle"])
    points = resume_points(tmp_path / "here" / "checkpoints")
    assert [step_of(point) for point in points] == [7, 6] and newest_intact(points[0].parent) == points[0]


def test_after_damage_the_points_of_later_steps_are_deleted(tmp_path: Path) -> None:
    run, moments = archived([*NET, *ALWAYS], tmp_path / "whole")
    path = tmp_path / "here"
    as_if_killed(run, moments["first batch"], path)
    later = next(moments["between epochs"].glob("resume-*.ckpt"))
    damaged = path / "checkpoints" / "resume-000000999.ckpt"
    damaged.write_bytes(later.read_bytes()[:-100])
    again = trainyard.train([f"resume={path}", "callbacks.resume.every_n_steps=null"])
    assert again.summary["test"] == run.summary["test"] and not damaged.exists()


def test_best_weights_of_a_step_that_the_resumed_run_never_takes_are_not_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after a better validation, resumed from before it, and ended by another limit before it."""
    callbacks = [f"+callbacks.{name.lower()}._target_=test_resume_points.{name}" for name in ("KeepAll", "StopNow")]
    words = [*NET, *ALWAYS, "callbacks.resume.every_n_steps=5", *callbacks]
    run = trainyard.train([*words, f"run.dir={tmp_path}/whole"])
    point = run.path / "kept" / "resume-000000015.ckpt"  # within the second epoch of 11 steps
    path, checkpoints = tmp_path / "cut", tmp_path / "cut" / "checkpoints"
    shutil.copytree(run.path, path, ignore=shutil.ignore_patterns("checkpoints", "*.json", "kept"))
    checkpoints.mkdir()
    for name in (point.name, f".best-of-{point.name}"):
        shutil.copy(point.with_name(name), checkpoints / name)
    best = load_checkpoint(checkpoints / f".best-of-{point.name}")
    assert best["global_step"] == 11
    torch.save({**best, "global_step": 10_000}, checkpoints / "best.ckpt")
    monkeypatch.setenv("STOP_NOW", "1")
    trainyard.train([f"resume={path}"])
    assert load_checkpoint(checkpoints / "best.ckpt")["global_step"] == 11
    assert {file.name for file in checkpoints.iterdir()} == {"best.ckpt", "last.ckpt"}


def test_a_file_of_the_users_own_naming_is_not_taken_for_one_of_these(tmp_path: Path) -> None:
    words = [
        *NET,
        *ALWAYS,
        "callbacks.best.filename='best-{epoch}'",
        "trainer.max_epochs=2",
        f"run.dir={tmp_path}/here",
    ]
    assert "test/accuracy" in trainyard.train(words).summary["test"]
    (best,) = (tmp_path / "here" / "checkpoints").glob("best-epoch=*.ckpt")
    assert best.is_file()


class KeepAll(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        folder = Path(trainer.default_root_dir)
        (folder / "kept").mkdir(exist_ok=True)
        for file in (folder / "checkpoints").glob("*resume-*.ckpt"):
            if not (folder / "kept" / file.name).exists():
                os.link(file, folder / "kept" / file.name)


class StopNow(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if "STOP_NOW" in os.environ:
            trainer.should_stop, trainer.limit_val_batches = True, 0


def test_a_run_killed_before_its_first_point_has_each_step_once_in_tensorboard(tmp_path: Path) -> None:
    words = [*NET, *ALWAYS, "callbacks.resume.every_n_steps=null", f"run.dir={tmp_path}/here"]
    with pytest.raises(KeyboardInterrupt):
        trainyard.train([*words, "+callbacks.m._target_=test_resume_points.Meddle"])
    for name in ("config.yaml", "config.resolved.yaml"):
        file = tmp_path / "here" / name
        file.write_text(file.read_text().replace("test_resume_points.Meddle", "lightning.Callback"))
    time.sleep(1.1)  # the name of TensorBoard's file has the second
    trainyard.train([f"resume={tmp_path}/here", "trust=true"])
    events = EventAccumulator(str(tmp_path / "here" / "train")).Reload()
    steps = [event.step for event in events.Scalars("curves/loss")]
    assert len(steps) == len(set(steps))
