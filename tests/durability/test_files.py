"""Files that survive: a crash while writing, a full disk, a flipped bit."""

import os
import subprocess
import sys
from pathlib import Path

import processes
import pytest
import torch
from interrupt import cut_off
from lightning import Callback, Trainer
from processes import full_disk

import trainyard
from trainyard.durability.checkpoint_io import DurableIO
from trainyard.durability.point_files import newest_intact, resume_points
from trainyard.durability.run_lock import RunLock, read_status, write_status
from trainyard.files import remove_parts, write_durably
from trainyard.trust.checkpoint_files import integrity_error

SHORT = ["data=shapes", "data.size=112", "data.test_size=100", "data.batch_size=10", "model=mlp", "model.widths=[8]",
         "hardware=cpu", "hardware.threads=1", "callbacks.resume.every_n_steps=1"]  # fmt: skip


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_durably(file, lambda f: f.write(b"old"))

    def half(f) -> None:
        f.write(b"ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_durably(file, half)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"] and file.read_bytes() == b"old"


def test_a_write_that_was_killed_leaves_the_old_file_and_its_part_is_removed(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from trainyard.files import write_durably
def put(f):
    f.write(b"x" * 100_000); f.flush()
    os.kill(os.getpid(), signal.SIGKILL)
write_durably(sys.argv[1], put)
"""
    (tmp_path / "a.ckpt").write_bytes(b"old")
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.ckpt")], timeout=60)
    assert (tmp_path / "a.ckpt").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 2
    mine = tmp_path / f".b.ckpt.{os.getpid()}.part"  # of a process that lives
    mine.touch()
    remove_parts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.ckpt", mine.name}


def save_on_a_full_disk(words: list[str]) -> None:
    full_disk(100_000)
    DurableIO().save_checkpoint({"a": torch.zeros(100_000)}, words[0])


def train_on_a_full_disk(words: list[str]) -> None:
    full_disk(100_000)
    processes.train(words)


def train_on_a_disk_of(words: list[str]) -> None:
    full_disk(int(words[0]))
    processes.train(words[1:])


def test_a_full_disk_is_one_sentence_and_the_old_checkpoint_intact(tmp_path: Path) -> None:
    file = tmp_path / "a.ckpt"
    DurableIO().save_checkpoint({"a": torch.ones(3)}, file)
    done = processes.run(save_on_a_full_disk, str(file), folder=tmp_path)
    assert "a.ckpt cannot be written: File too large. The file that was there before is intact" in done.stderr
    assert integrity_error(file) is None and [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_a_run_whose_disk_fills_up_stops_with_a_sentence_and_continues_when_there_is_space(tmp_path: Path) -> None:
    words = [*SHORT, "trainer.max_epochs=3"]
    whole = trainyard.train([*words, f"run.dir={tmp_path}/whole"])
    cut_off(words, tmp_path / "cut", after=17)
    before = resume_points(tmp_path / "cut" / "checkpoints")
    done = processes.run(train_on_a_full_disk, f"resume={tmp_path}/cut", folder=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "cannot be written: File too large. The file that was there before is intact" in done.stderr
    assert f"continue with: trainyard train resume={tmp_path}/cut" in done.stderr
    assert resume_points(tmp_path / "cut" / "checkpoints") == before and not any(map(integrity_error, before))
    again = trainyard.train([f"resume={tmp_path}/cut"])
    a, b = (run.task("last").state_dict() for run in (whole, again))
    assert all(torch.equal(a[name], b[name]) for name in a)


class Talkative(Callback):
    """Writes more into TensorBoard's file than is in any other."""

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        trainer.loggers[0].experiment.add_text("a letter", "x" * 1000, trainer.global_step)  # pyright: ignore


@pytest.mark.parametrize(
    ("most", "logger"), [(7000, "tensorboard"), (9000, "none")]
)  # what is written before it has less
def test_logs_that_cannot_be_written_end_a_run_with_sentences(most: int, logger: str, tmp_path: Path) -> None:
    words = [*SHORT, f"logger={logger}", "trainer.log_every_n_steps=1", "trainer.max_epochs=30",
             "callbacks.resume=null", "callbacks.best=null", f"run.dir={tmp_path}/here"]  # fmt: skip
    words += ["+callbacks.talkative._target_=test_files.Talkative"] * (logger == "tensorboard")
    done = processes.run(train_on_a_disk_of, str(most), *words, folder=tmp_path)
    name = "a file" if logger == "tensorboard" else f"{tmp_path}/here/metrics.jsonl"
    assert done.returncode == 1 and f"error: {name} cannot be written: File too large" in done.stderr
    assert "the disk is full, or a quota is used up" in done.stderr
    assert f"continue with: trainyard train resume={tmp_path}/here" in done.stderr
    assert ("crash.txt" in done.stderr) == (tmp_path / "here" / "crash.txt").exists()
    assert len(done.stderr.splitlines()) <= 6 and "Traceback" not in done.stderr and "Logging" not in done.stderr
    assert read_status(tmp_path / "here")["state"] == "failed"


def test_a_status_is_replaced_in_its_place_if_there_is_no_space(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    with pytest.raises(KeyboardInterrupt), lock:
        write_status(lock.path, "running", note="x" * 300)
        (tmp_path / f".status.json.{os.getpid()}.part").mkdir()  # so that the new file cannot be made
        raise KeyboardInterrupt
    assert read_status(tmp_path)["state"] == "interrupted"


@pytest.mark.parametrize(("most", "name"), [("200", "tokens.npy"), ("600", "tokenizer.json")])
def test_tokens_that_do_not_fit_on_the_disk_are_removed(most: str, name: str, text_root: Path, tmp_path: Path) -> None:
    words = [*SHORT[6:], "data=text_folder", f"data.root={text_root}", "model=bow", f"data.cache={tmp_path}/cache",
             f"run.dir={tmp_path}/here"]  # fmt: skip
    done = processes.run(train_on_a_disk_of, most, *words, folder=tmp_path)
    assert done.returncode == 1 and f"{name} cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert [file.suffix for file in (tmp_path / "cache" / "tokens").iterdir()] == [".lock"]
    assert trainyard.train([*words, "trainer.max_epochs=1"]).summary["epochs"] == 1


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_resume_point_is_reported_and_the_one_before_is_used(damage: str, tmp_path: Path, caplog) -> None:
    whole = trainyard.train([*SHORT, "trainer.max_epochs=3", f"run.dir={tmp_path}/whole"])
    cut_off([*SHORT, "trainer.max_epochs=3"], tmp_path / "cut", after=17)
    folder = tmp_path / "cut" / "checkpoints"
    first, second = resume_points(folder)
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes({"flip": bytes(data), "cut": bytes(data[: len(data) // 2]), "empty": b""}[damage])
    assert newest_intact(folder) == second
    assert f"{first} is damaged (" in caplog.text and "): using the resume point before it" in caplog.text
    again = trainyard.train([f"resume={tmp_path}/cut"])
    a, b = (run.task("last").state_dict() for run in (whole, again))
    assert all(torch.equal(a[name], b[name]) for name in a)
