import pytest
import torch

from trainyard.data.loading.hashing import sample_keys, splitmix64, stable_hash, uniform


def test_draws_are_uniform_and_independent() -> None:
    keys = sample_keys(0, 0, torch.arange(100_000))
    a, b = uniform(keys, "a"), uniform(keys, "b")
    assert a.min() >= 0 and a.max() < 1
    assert a.histc(10, 0, 1).sub(10_000).abs().max() < 400  # four standard deviations
    assert abs(torch.corrcoef(torch.stack((a, b)))[0, 1]) < 0.015
    assert abs(torch.corrcoef(torch.stack((a[1:], a[:-1])))[0, 1]) < 0.015
    assert uniform(keys, "a", -2, 3).aminmax().min == pytest.approx(-2, abs=0.01)


def test_a_draw_hangs_on_seed_epoch_and_sample_alone() -> None:
    index = torch.arange(10)
    assert torch.equal(sample_keys(1, 2, index)[3:5], sample_keys(1, 2, index[3:5]))
    assert not torch.equal(sample_keys(1, 2, index), sample_keys(1, 3, index))
    assert not torch.equal(sample_keys(1, 2, index), sample_keys(2, 2, index))


def test_mixing_is_splitmix64() -> None:
    """Against a plain computation with Python's integers."""

    def plain(x: int) -> int:
        wrap = 2**64 - 1
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & wrap
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & wrap
        return x ^ (x >> 31)

    for value in (1, 12345, 2**62 + 7, -5):
        assert splitmix64(torch.tensor(value)).item() % 2**64 == plain(value % 2**64)


def test_folding_is_the_same_in_every_process() -> None:
    assert stable_hash(0, "order", 1) == 8024286156118006313
