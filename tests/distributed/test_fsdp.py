"""Processes that have a part of the weights each train, stop, resume and are read as one with all of them."""

import os
import shutil
from pathlib import Path
from typing import Any

import processes
import pytest
import torch
from lightning import Callback, Trainer
from processes import full_disk
from ranks import run_ranks, together
from resumed import FEW, assert_nearly_the_same_with, assert_same_to_the_bit, killed
from test_equality import CASES, STEPS, scores
from variants import ALWAYS, IMAGES, NET, VARIANTS, comparable

import trainyard
from trainyard.durability.point_files import newest_intact, resume_points
from trainyard.durability.sharded_points import delete_orphans
from trainyard.errors import UserError
from trainyard.trust.checkpoint_files import load_checkpoint

FSDP = "hardware.strategy=fsdp"
GPT = CASES["causal language model"]
OWN = [*IMAGES, "model=resnet18", "model.width=4", "task._target_=variants.ListMetrics",
       "+callbacks.own._target_=variants.Counter"]  # fmt: skip
NETWORKS = {
    "gpt": GPT,
    "gpt, accumulation, clipped": [*GPT, "trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=0.1"],
    "gpt, checkpointed blocks, one file": [*GPT, "hardware.checkpoint_blocks=true", "hardware.sharded_points=false"],
    "bert": CASES["masked language model"],
    "transformer": CASES["transformer"],
}
FAST = ("gpt, accumulation, clipped", "transformer")


def differing(path: Path, other: Path) -> dict:
    expected, found = scores(path), scores(other)
    assert expected.keys() == found.keys()
    return {key: (value, found[key]) for key, value in expected.items()
            if found[key] != pytest.approx(value, abs=1e-6, rel=1e-6)}  # fmt: skip


@pytest.mark.parametrize("size", [2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in NETWORKS]
)
def test_parts_are_the_whole(name: str, size: int, tmp_path: Path) -> None:
    words = [*NETWORKS[name], *STEPS]
    if size == 3:
        words = [word.replace("batch_size=50", "batch_size=51").replace("batch_size=20", "batch_size=21")
                 for word in words]  # fmt: skip
    trainyard.train([*words, f"run.dir={tmp_path}/alone"])
    together([*words, f"run.dir={tmp_path}/together", FSDP], tmp_path, size)
    assert not differing(tmp_path / "alone", tmp_path / "together")


@pytest.mark.slow
@pytest.mark.parametrize("words", [CASES["finetune"], VARIANTS["batch norm, sgd, mixup"], OWN])
def test_they_are_as_with_ddp(words: list[str], tmp_path: Path) -> None:
    """Batch norm over all processes, parts that are frozen at first, a hook that changes weights."""
    together([*words, *STEPS, f"run.dir={tmp_path}/ddp"], tmp_path)
    together([*words, *STEPS, f"run.dir={tmp_path}/fsdp", FSDP], tmp_path)
    assert not differing(tmp_path / "ddp", tmp_path / "fsdp")


@pytest.mark.parametrize("points", ["true", pytest.param("false", marks=pytest.mark.slow)])
def test_resumed_with_as_many_processes_it_is_the_same_to_the_bit(points: str, tmp_path: Path) -> None:
    words = [*VARIANTS["causal language model"], *FEW, FSDP, f"hardware.sharded_points={points}"]
    together([*words, f"run.dir={tmp_path}/whole"], tmp_path)
    killed(words, tmp_path / "cut", 9)
    folder = tmp_path / "cut" / "checkpoints"
    assert len(resume_points(folder)) in (2, 3)  # the third was just written as the processes were killed
    assert any(folder.glob("resume-*.shards-*")) == (points == "true")
    together([f"resume={tmp_path}/cut"], tmp_path)
    assert [path.name for path in resume_points(folder)] == ["last.ckpt"]
    assert len([*folder.glob("*.shards-*")]) == (points == "true")
    for name in ("cut", "whole"):
        processes.run(processes.trainyard, "consolidate", f"{tmp_path}/{name}", folder=tmp_path)
    assert_same_to_the_bit(tmp_path / "cut", tmp_path / "whole")


@pytest.mark.parametrize("size", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_resumed_with_another_number_of_processes_it_is_nearly_the_same(size: int, tmp_path: Path) -> None:
    words = [*[word.replace("batch_size=20", "batch_size=24") for word in GPT], *FEW, FSDP]
    assert_nearly_the_same_with(size, words, 5, tmp_path, rel=1e-6)  # a perplexity is near 70


class FullDisk(Callback):
    """From the fifth step on, the second process cannot write."""

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == 5 and trainer.global_rank == 1:
            full_disk(100)


def test_a_part_that_cannot_be_written_ends_the_run_in_one_sentence_and_leaves_what_was_there(tmp_path: Path) -> None:
    words = [*GPT, *FEW, FSDP, f"run.dir={tmp_path}/run", "+callbacks.full._target_=test_fsdp.FullDisk"]
    ended = run_ranks(words, tmp_path)
    assert all(process.returncode == 1 for process in ended)
    texts = "".join(process.stderr for process in ended)
    assert ".ckpt cannot be written: File too large" in texts and "Traceback" not in texts
    assert "the disk is full" in texts
    folder = tmp_path / "run" / "checkpoints"
    points = resume_points(folder)
    assert points and newest_intact(folder) == points[0]
    assert {*folder.glob("*.shards-*")} == {shards_of(point) for point in points}


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes that was stopped between its ends."""
    folder = tmp_path_factory.mktemp("cut")
    killed([*VARIANTS["causal language model"], *FEW, FSDP], folder / "run", 9)
    return folder / "run"


@pytest.fixture
def run(cut: Path, tmp_path: Path) -> Path:
    return shutil.copytree(cut, tmp_path / "run")


def shards_of(point: Path) -> Path:
    return point.parent / load_checkpoint(point, whole=False)["shards"]["folder"]


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", ["a bit", "a part cut short", "a missing part", "the metadata", "a missing folder"])
def test_a_damaged_point_is_reported_and_the_one_before_it_used(
    damage: str, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    newest, before = resume_points(run / "checkpoints")[:2]
    folder = shards_of(newest)
    part = folder / "__1_0.distcp"
    match damage:
        case "a bit":
            flip(part)
        case "a part cut short":
            os.truncate(part, part.stat().st_size - 1)
        case "a missing part":
            part.unlink()
        case "the metadata":
            flip(folder / ".metadata")
        case "a missing folder":
            shutil.rmtree(folder)
    assert newest_intact(run / "checkpoints") == before
    assert f"{newest} is damaged (its part " in caplog.text
    with pytest.raises(UserError, match="its part .* is (damaged|missing)|has .* bytes in place of"):
        load_checkpoint(newest)


def test_shards_that_no_checkpoint_names_are_deleted(run: Path) -> None:
    """As a process leaves them that is killed before the file is written which names them."""
    point = resume_points(run / "checkpoints")[0]
    used = shards_of(point)
    half = shutil.copytree(used, used.with_name(f"{point.name}.shards-0a"))
    other = shutil.copytree(used, used.with_name("resume-000000999.ckpt.shards-0b"))
    delete_orphans(run / "checkpoints")
    assert used.is_dir() and not half.exists() and not other.exists()


def test_consolidated_points_are_files_with_the_same_content(run: Path) -> None:
    points = resume_points(run / "checkpoints")
    before = [comparable(load_checkpoint(point)) for point in points]
    done = processes.run(processes.trainyard, "consolidate", str(run), folder=run.parent)
    assert done.returncode == 0 and all(f"{point}: one file of " in done.stdout + done.stderr for point in points)
    assert [comparable(torch.load(point, weights_only=True)) for point in points] == before
    assert not [*run.glob("checkpoints/*.shards-*")]
    again = processes.run(processes.trainyard, "consolidate", str(run), folder=run.parent)
    assert "each checkpoint is one file already" in again.stdout + again.stderr


def test_its_weights_are_used_as_those_of_any_run(tmp_path: Path) -> None:
    words = [*VARIANTS["causal language model"], *STEPS]
    together([*words, f"run.dir={tmp_path}/run", FSDP], tmp_path)
    run = trainyard.load(tmp_path / "run")
    assert run.evaluate() == pytest.approx(run.summary["test"], rel=1e-6)
    assert run.summary["parameters"] == sum(p.numel() for p in run.task().net.parameters())
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    weights = trainyard.load(last).task().state_dict()
    for source in (tmp_path / "run", last):
        trained = trainyard.train(
            [*words, f"pretrained={source}", "optimizer.lr=0", f"run.dir={tmp_path}/{source.name}2"]
        )
        expected = run.task().state_dict() if source != last else weights
        assert all(torch.equal(value, expected[name]) for name, value in trained.task().state_dict().items())
    like = trainyard.train([f"like={tmp_path}/run", "hardware=cpu", "seed=3", f"run.dir={tmp_path}/like"])
    assert like.summary["steps"] == run.summary["steps"]


def test_generated_texts_are_those_of_one_process(tmp_path: Path) -> None:
    words = [*VARIANTS["language model with samples"], *ALWAYS, "model.dropout=0"]
    alone = trainyard.train([*words, f"run.dir={tmp_path}/alone"]).path
    together([*words, f"run.dir={tmp_path}/together", FSDP], tmp_path)
    assert texts(alone) == texts(tmp_path / "together") != []


def texts(path: Path) -> list[tuple[str, int, bytes]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(path)).Reload()
    tags = [tag for tag in sorted(events.Tags()["tensors"]) if "samples" in tag]
    return [(tag, each.step, each.tensor_proto.string_val[0]) for tag in tags for each in events.Tensors(tag)]


REFUSED = {
    "a network without blocks": ([*NET], "hardware=fsdp divides the blocks of a network, and MLP has none"),
    "an average": ([*GPT, "callbacks=ema"], "averages whole weights"),
    "lookahead": ([*GPT, "callbacks=lookahead"], "averages whole weights"),
    "a generator": (["model=electra", "data=imdb_rtd"], "the generator of ELECTRA is called by itself"),
    "swa": ([*GPT, VARIANTS["swa"][-1]], "averages whole weights"),
    "muon": ([*GPT, "optimizer=muon"], "hardware=fsdp: Muon needs whole weights"),
    "precision": ([*GPT, "hardware.precision=64-true"], "hardware.precision=64-true; use one of 32-true"),
    "memory format": ([*GPT, "hardware.memory_format=channels_last"], "channels_last; set it to contiguous"),
    "compile": ([*GPT, "hardware.compile=true"], "hardware.compile=true; set it to false"),
    "batch norm": ([*CASES["finetune"], "hardware.sync_batchnorm=false"], "set hardware.sync_batchnorm=true"),
    "hook": ([*GPT, "hardware.comm_hook=bf16"], "hardware.comm_hook=bf16 is for hardware=ddp"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    words, reason = REFUSED[name]
    words = [*words, "hardware.devices=2", FSDP, f"run.root={tmp_path}/runs", f"run.dir={tmp_path}/runs/one"]
    done = processes.run(processes.train, *words, folder=tmp_path)
    assert done.returncode == 1 and reason in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
