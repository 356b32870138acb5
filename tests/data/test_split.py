import pytest
import torch

from trainyard.data.split import stratified


def test_each_class_gives_its_share() -> None:
    labels = torch.tensor([0] * 100 + [1] * 40 + [2] * 2)
    kept, chosen = stratified(labels, 0.1, seed=0)
    assert labels[chosen].bincount().tolist() == [10, 4, 1]
    assert sorted(kept.tolist() + chosen.tolist()) == list(range(142))


def test_the_seed_decides() -> None:
    labels = torch.arange(1000) % 10
    assert torch.equal(stratified(labels, 0.1, 1)[1], stratified(labels, 0.1, 1)[1])
    assert not torch.equal(stratified(labels, 0.1, 1)[1], stratified(labels, 0.1, 2)[1])


@pytest.mark.parametrize("share", [0, 1, -1, 2])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        stratified(torch.tensor([0, 1]), share, 0)
