"""Which keys may change when a run is resumed: each is flipped here, and the numbers stay equal bit for bit."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

import trainyard
from trainyard.config.compose import compose
from trainyard.config_keys import FIXED_ON_RESUME, KINDS, Kind, flatten, kind_of, may_change_on_resume
from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics

WORDS = ["model.dropout=0.5", "hardware=cpu", "hardware.threads=1", "data.batch_size=10", "data.eval_batch_size=7",
         "trainer.max_epochs=2", "trainer.log_every_n_steps=1", "logger=[tensorboard,csv]",
         "test=true"]  # fmt: skip
NETWORKS = {  # with blocks and dropout
    "shapes": ("vit", "patch_size=8"), "image_folder": ("vit", "patch_size=4"), "imdb": ("transformer", "ff_dim=8"),
}  # fmt: skip
NOT_FLIPPED = (  # each run has another run.dir; these train nothing, need the trial of a study, or start processes
    "hardware.devices", "hardware.num_nodes", "trainer.devices", "trainer.num_nodes",
    "run.dir", "logger.csv.folder", "resume", "check", "callbacks.pruning.monitor", "callbacks.pruning.trial",
    "callbacks.pruning.study", "callbacks.pruning.storage",
)  # fmt: skip


def flipped(tmp_path: Path) -> dict[str, Any]:
    """Each key that may change, with another value than its default."""
    place = tmp_path / "elsewhere"
    return {
        "trust": True, "debug": True, "run.name": "other", "run.root": place / "root",
        "trainer.enable_progress_bar": False, "trainer.default_root_dir": place, "trainer.profiler": "simple",
        "hardware.checkpoint_blocks": True, "hardware.num_workers": 1, "hardware.timeout": 60,
        "hardware.max_restarts": 1, "hardware.sharded_points": False,
        "data.num_workers": 2, "data.root": place / "data", "data.cache": place / "tokens",
        "data.download": False, "data.in_memory_bytes": 0, "data.decode": "every_epoch",
        "callbacks.resume.every_seconds": 0,
        "callbacks.resume.every_n_steps": 1, "callbacks.resume.keep": 5, "callbacks.resume.folder": place / "points",
        "callbacks.best.dirpath": place / "points", "callbacks.finite.every": 1, "callbacks.epoch_lines.most": 1,
        "callbacks.epoch_lines.seconds": 0,
        "callbacks.throughput.warmup": 0, "callbacks.pictures.folder": place / "pictures",
        "callbacks.pictures.share": 1, "callbacks.pictures.at_least": 0,
        **{f"callbacks.pictures.{name}": False for name in ("config", "batch", "confusion", "reliability")},
        **{f"callbacks.pictures.{name}": False for name in ("mistakes", "precision_recall", "boundary", "attention")},
        "callbacks.pictures.graph": False, "callbacks.pictures.projector": False,
        "logger.tensorboard.name": "a", "logger.tensorboard.version": "b",
        "logger.tensorboard.default_hp_metric": True, "logger.tensorboard.save_dir": place / "curves",
    }  # fmt: skip


def free_keys(data: str, *more: str) -> list[str]:
    cfg = OmegaConf.to_container(compose([f"data={data}", f"model={NETWORKS[data][0]}", *WORDS, *more]).cfg)
    return [key for key in flatten(cfg) if may_change_on_resume(key) and not key.endswith("_target_")]


def test_every_key_that_may_change_has_another_value_here(tmp_path: Path) -> None:
    keys = {key for data in ("shapes", "image_folder", "imdb") for key in free_keys(data)}
    keys |= set(free_keys("shapes", "sweep=search"))
    assert keys == {*flipped(tmp_path), *NOT_FLIPPED}


def numbers(words: list[str], path: Path) -> list[Any]:
    """All that a run logged, and its last weights."""
    cfg = trainyard.train([*words, f"run.dir={path}"]).cfg
    rows = [{key: value for key, value in row.items() if key != "time" and not key.startswith("throughput/")}
            for row in read_metrics(path)]  # fmt: skip
    weights = torch.load(Path(cfg.callbacks.resume.folder) / "last.ckpt", weights_only=True)["state_dict"]
    return [*filter(None, rows), {name: value.tolist() for name, value in weights.items()}]


@pytest.mark.parametrize("data", ["shapes", "image_folder", "imdb"])
def test_flipping_them_leaves_every_bit_as_it_was(
    data: str, tmp_path: Path, image_root: Path, small_imdb: Path
) -> None:
    given = {
        "shapes": ["data.size=112", "data.test_size=100"],
        "image_folder": [f"data.root={image_root}"],
        "imdb": [f"data.root={small_imdb}"],
    }[data]
    model, size = NETWORKS[data]
    given += [f"model={model}", "model.dim=8", "model.depth=2", f"model.{size}"]
    if data != "shapes":
        shutil.copytree(image_root if data == "image_folder" else small_imdb, tmp_path / "elsewhere" / "data")
    words = [f"data={data}", *given, *WORDS]
    other = flipped(tmp_path)
    flips = [f"{key}={other[key]}" for key in free_keys(data) if key in other and other[key] is not None]
    before = numbers(words, tmp_path / "before")
    if numbers([*words, *flips], tmp_path / "after") != before:
        wrong = [flip for i, flip in enumerate(flips) if numbers([*words, flip], tmp_path / str(i)) != before]
        pytest.fail(f"these change the numbers: {wrong or flips}")


def test_what_only_rounds_otherwise_is_refused_too(tmp_path: Path) -> None:
    words = ["data=shapes", "data.size=300", "data.test_size=100", "model=mlp", "model.widths=[8]", *WORDS]
    before = numbers(words, tmp_path / "before")
    assert numbers([*words, "data.eval_batch_size=30"], tmp_path / "after") != before
    for word in ("hardware.threads=2", "data.eval_batch_size=30", "test=false"):
        assert not may_change_on_resume(word.partition("=")[0])
        with pytest.raises(UserError, match=f"{word} would change it"):
            trainyard.train([f"resume={tmp_path}/before", word])


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("optimizer.lr", Kind.NUMBERS), ("data.root", Kind.MACHINE), ("data.rooted", Kind.NUMBERS),
        ("run", Kind.NUMBERS), ("run.dir", Kind.BOOKKEEPING), ("hydra.sweeper.n_trials", Kind.BOOKKEEPING),
        ("callbacks.mine.dirpath", Kind.BOOKKEEPING), ("hardware", Kind.MACHINE), ("hardware.precision", Kind.NUMBERS),
        ("callbacks.resumed", Kind.NUMBERS), ("trainer.max_epochs", Kind.NUMBERS),
    ],
)  # fmt: skip
def test_kinds(key: str, kind: Kind) -> None:
    assert kind_of(key) is kind


def test_no_key_is_of_two_kinds_and_what_is_fixed_is_in_the_table() -> None:
    entries = [entry for kind in KINDS.values() for entry in kind]
    assert len(entries) == len(set(entries)) and set(FIXED_ON_RESUME) <= set(entries)
