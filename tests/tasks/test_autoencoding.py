"""Autoencoding: the input is the target; labels and other networks have no part in it."""

from pathlib import Path

import pytest
import torch

import trainyard
from trainyard.errors import UserError
from trainyard.models.autoencoder import Autoencoder

SHAPES = ["data=shapes", "data.size=200", "data.test_size=100"]


def test_a_short_code_reproduces_what_lies_in_a_plane(tmp_path: Path) -> None:
    """Four numbers of which two determine the rest."""
    points = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    rows = torch.cat((points, points.sum(dim=1, keepdim=True), points[:, :1] - 2 * points[:, 1:]), dim=1)
    lines = [",".join(f"{value:.4f}" for value in row) for row in rows.tolist()]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,c,d,x", *(f"{line},{i % 2}" for i, line in enumerate(lines))]))
    words = ["data=tabular", f"data.path={tmp_path}/table.csv", "model=autoencoder", "model.widths=[]",
             "optimizer.lr=0.05", "trainer.max_epochs=20", "hardware=cpu", "hardware.threads=1",
             f"run.root={tmp_path}"]  # fmt: skip
    errors = [trainyard.train([*words, f"model.code={code}"]).summary["test"]["test/rmse"] for code in (1, 2)]
    assert errors[0] > 0.3 and errors[1] < 0.05


def test_it_is_scored_again_and_predicts_the_input(short: list[str]) -> None:
    run = trainyard.train([*short, *SHAPES, "model=autoencoder", "model.code=4", "task.metrics=[cosine_similarity]"])
    assert run.cfg.monitor == "val/loss" and run.cfg.mode == "min"
    assert run.evaluate() == pytest.approx(run.summary["test"])
    assert run.predict(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape == (2, 3, 32, 32)


def test_a_network_that_returns_something_else_is_refused(short: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the network returns \(2, 10\) for inputs \(2, 3, 32, 32\) of torch.float32"):
        trainyard.train([*short, *SHAPES, "model=mlp", "task=autoencoding", f"run.dir={tmp_path}/run"])
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match="widths=.0. and code=2 must be at least 1"):
        trainyard.train([*short, *SHAPES, "model=autoencoder", "model.widths=[0]", "model.code=2"])


def test_the_code_is_as_short_as_it_says() -> None:
    net = Autoencoder([3, 4, 4], [20, 10], 5)
    assert net.encoder(torch.zeros(2, 3, 4, 4)).shape == (2, 5) and net(torch.zeros(2, 3, 4, 4)).shape == (2, 3, 4, 4)
