"""Pictures of a training in several processes: the first one draws, and none waits for another."""

from pathlib import Path

import pytest
import torch
from ranks import together
from variants import ALWAYS, TEXT

TRANSFORMER = [*(word for word in TEXT if "model" not in word), "model=transformer", "model.dim=8", "model.heads=2",
               "model.ff_dim=8", "model.depth=1", "trainer.max_epochs=1"]  # fmt: skip
DRAWN = {"confusion", "mistakes", "reliability", "precision_recall"}


@pytest.mark.parametrize("strategy", ["ddp", pytest.param("fsdp", marks=pytest.mark.slow)])
def test_one_process_draws_what_it_can_alone(strategy: str, tmp_path: Path) -> None:
    words = [*ALWAYS, *TRANSFORMER, "hardware.timeout=60", f"hardware.strategy={strategy}"]
    together([*words, "callbacks.pictures=null", f"run.dir={tmp_path}/without"], tmp_path)
    drawing = ["callbacks.pictures.share=1", "callbacks.pictures.at_least=0", f"run.dir={tmp_path}/with"]
    ended = together([*words, *drawing], tmp_path)
    assert not any("could not be drawn" in process.stderr + process.stdout for process in ended)
    drawn = {file.stem for file in (tmp_path / "with" / "pictures").glob("*.png")}
    calls = set() if strategy == "fsdp" else {"attention"}  # the weights are in parts, which one process has not
    assert drawn == DRAWN | calls and (tmp_path / "with" / "projector").exists() == bool(calls)
    assert len(list((tmp_path / "with").glob("events.out.*"))) == len(list((tmp_path / "without").glob("events.out.*")))
    expected, found = (
        torch.load(tmp_path / name / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
        for name in ("without", "with")
    )
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
