"""Muon beside torch's own Muon and AdamW, and in runs."""

import copy

import pytest
import torch
from torch import nn

import trainyard
from trainyard.optim.groups import decay_groups
from trainyard.optim.muon import Muon, newton_schulz

SHAPES = ["data=shapes", "data.size=200", "data.test_size=100", "optimizer=muon", "logger=none"]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def trained(optimizer: torch.optim.Optimizer, weights: list[nn.Parameter], steps: int = 5) -> list[torch.Tensor]:
    for step in range(steps):
        for i, weight in enumerate(weights):
            weight.grad = random(*weight.shape, seed=10 * step + i).to(weight.dtype)
        optimizer.step()
    return [weight.detach().clone() for weight in weights]


@pytest.mark.parametrize("shape", [(8, 20), (20, 8), (8, 8)])
def test_newton_schulz_makes_singular_values_nearly_one(shape: tuple[int, int]) -> None:
    values = torch.linalg.svdvals(newton_schulz(random(3, *shape)))
    assert values.min() > 0.3 and values.max() < 1.3
    left, _, right = torch.linalg.svd(random(1, *shape), full_matrices=False)
    alike = (newton_schulz(random(1, *shape)) * (left @ right)).sum() / min(shape)
    assert 0.8 < alike < 1.2  # it points where the nearest orthogonal matrix does


@pytest.mark.parametrize(("precision", "tolerance"), [("32-true", 0.02), ("bf16-mixed", 0.002)])
@pytest.mark.parametrize(("scale", "theirs"), [("original", "original"), ("rms", "match_rms_adamw")])
def test_matrices_move_as_by_torchs_muon(scale: str, theirs: str, precision: str, tolerance: float) -> None:
    """Which computes in bfloat16: equal but for that."""
    ours, reference = ([nn.Parameter(random(*shape)) for shape in ((6, 10), (10, 6), (6, 10))] for _ in range(2))
    given = {"lr": 0.02, "weight_decay": 0.1}
    mine = Muon([{"params": ours, "kind": "hidden"}], scale=scale, precision=precision, **given)
    torchs = torch.optim.Muon(reference, adjust_lr_fn=theirs, **given)
    starts = [weight.detach().clone() for weight in ours]
    for found, expected, start in zip(trained(mine, ours), trained(torchs, reference), starts, strict=True):
        assert (found - expected).norm() < tolerance * (expected - start).norm()


def test_all_else_moves_as_by_torchs_adamw_to_the_bit() -> None:
    ours, reference = ([nn.Parameter(random(*shape)) for shape in ((6, 10), (7,))] for _ in range(2))
    given = {"lr": 0.02, "weight_decay": 0.1, "betas": (0.8, 0.95)}
    found = trained(Muon([{"params": ours}], **given), ours)
    for mine, theirs in zip(found, trained(torch.optim.AdamW(reference, **given), reference), strict=True):
        assert torch.equal(mine, theirs)


def test_a_filter_is_a_matrix() -> None:
    flat, filters = nn.Parameter(random(4, 27)), nn.Parameter(random(4, 27).reshape(4, 3, 3, 3))
    optimizer = Muon([{"params": [flat], "kind": "hidden"}, {"params": [filters], "kind": "hidden"}], lr=0.02)
    flat.grad, filters.grad = random(4, 27, seed=1), random(4, 27, seed=1).reshape(4, 3, 3, 3)
    optimizer.step()
    torch.testing.assert_close(filters.reshape(4, 27), flat)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_state_that_was_saved_continues_to_the_bit(dtype: torch.dtype, tmp_path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5), nn.Linear(5, 2)).to(
        dtype
    )
    other = copy.deepcopy(net)
    whole, again = (Muon(decay_groups(each, splits_hidden=True, head=("4",))) for each in (net, other))
    trained(whole, list(net.parameters()))
    torch.save((net.state_dict(), whole.state_dict()), tmp_path / "point")
    weights, state = torch.load(tmp_path / "point", weights_only=True)
    other.load_state_dict(weights)
    again.load_state_dict(state)
    expected = trained(whole, list(net.parameters()))
    assert all(map(torch.equal, trained(again, list(other.parameters())), expected))
    assert all(weight.isfinite().all() for weight in expected)


def test_a_rate_of_its_own_for_what_adamw_trains() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    rates = {
        group["name"]: group["lr"]
        for group in Muon(decay_groups(net, splits_hidden=True, head=("1",)), 0.02, 1e-3).param_groups
    }
    assert rates == {"hidden": 0.02, "matrices": 1e-3, "vectors": 1e-3}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scale": "rmss"}, "scale=rmss is unknown; choose one of rms, original"),
        ({"lr": -1.0}, "lr=-1.0, adam_lr=None and weight_decay=0.01 must not be negative"),
        ({"momentum": 1.0}, "momentum=1.0 and betas=.* must be in"),
        ({"steps": 0}, "steps=0 of Newton-Schulz must be from 1 to 99"),
    ],
)
def test_values_out_of_range(given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Muon([nn.Parameter(torch.zeros(2, 2))], **given)


def test_a_run_says_which_weights_it_trains(short: list[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    run = trainyard.train([*short, *SHAPES, "model=cnn", "model.stages=[[4],[4]]", "model.dense=8", "seed=1"])
    assert "3 hidden matrices of" in caplog.text and "others (embeddings, head, biases, gains)" in caplog.text
    assert run.summary["steps"] == 4


def test_it_learns(short: list[str]) -> None:
    words = ["data=shapes", "data.size=400", "model=mlp", "model.widths=[32]", "logger=none", "callbacks=none"]
    words += ["optimizer=muon", "optimizer.lr=0.01", "hardware=cpu", "test=false", "trainer.max_epochs=6"]
    place = [word for word in short if word.startswith("run.root")]
    run = trainyard.train([*words, *place, "callbacks=default", "callbacks.pictures=null", "data.batch_size=20"])
    assert run.summary["best"]["val/accuracy"] > 0.4
