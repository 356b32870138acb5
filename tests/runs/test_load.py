"""Opening a run by its directory, by a checkpoint, or as the latest one."""

import shutil
import traceback
from pathlib import Path

import pytest
import torch

import trainyard
from trainyard.errors import UserError


def test_a_checkpoint_opens_its_run_with_its_weights(run: trainyard.Run) -> None:
    for name in ("best", "last"):
        opened = trainyard.load(run.path / "checkpoints" / f"{name}.ckpt")
        assert opened.path == run.path
        for one, two in zip(opened.task().parameters(), run.task(name).parameters(), strict=True):
            assert torch.equal(one, two)


@pytest.mark.parametrize("name", ["checkpoints/resume-000000001.ckpt", "best.ckpt", "elsewhere/best.ckpt"])
def test_any_other_checkpoint_is_refused(name: str, run: trainyard.Run) -> None:
    with pytest.raises(UserError, match="ckpt is not the best.ckpt or last.ckpt of a run; name the run directory"):
        trainyard.load(run.path / name)


def test_latest_is_the_newest_that_finished(
    run: trainyard.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="latest: there is no finished run below outputs"):
        trainyard.load("latest")
    for name, state in (("one", "done"), ("two", "running")):
        shutil.copytree(run.path, f"outputs/mine/{name}")
        Path(f"outputs/mine/{name}/status.json").write_text(f'{{"state": "{state}"}}')
        Path(f"outputs/mine/{name}/summary.json").touch()
    assert trainyard.load("latest", ["data.size=300"]).cfg.data.size == 300
    assert trainyard.load("latest").path == Path("outputs/mine/one")
    with pytest.raises(UserError, match=r"outputs is not a run: it has no .*; the newest run below it is outputs/mine"):
        trainyard.load("outputs")


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("data.batch_size=abc", "data.batch_size=abc must be a number, like its default 8"),
        ("trainer.limit_test_batches=x", "trainer.limit_test_batches=x must be a number, like its default 2"),
        ("data.bach_size=3", r"data.bach_size is not a key of its config. Did you mean data.batch_size"),
        ("zzz=3", "zzz is not a key of its config"),
    ],
)
def test_overrides_of_a_run_are_checked(word: str, answer: str, run: trainyard.Run) -> None:
    with pytest.raises(UserError, match=answer):
        _ = trainyard.load(run.path, [word]).cfg
    assert trainyard.load(run.path, ["+data.new=3"]).cfg.data.new == 3


def test_a_mistake_in_a_notebook_is_a_short_traceback() -> None:
    def lines(words: list[str]) -> int:
        try:
            trainyard.train(words)
        except UserError as error:
            return len(traceback.extract_tb(error.__traceback__)) + (error.__cause__ is not None)
        return 0

    assert lines(["modle=mlp"]) == 2 < lines(["modle=mlp", "debug=true"])
