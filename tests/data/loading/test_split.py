import pytest
import torch

from trainyard.data.loading.split import split_fold, split_stratified

LABELS = torch.tensor([0] * 100 + [1] * 40 + [2] * 2)
ROWS = torch.arange(142)


def test_each_class_gives_its_share() -> None:
    kept, chosen = split_stratified(LABELS, ROWS, 0.1, 0)
    assert LABELS[chosen].bincount().tolist() == [10, 4, 1]
    assert sorted(kept.tolist() + chosen.tolist()) == list(range(142))


def test_the_seed_decides() -> None:
    assert torch.equal(
        split_stratified(LABELS, ROWS, 0.1, "val", 1)[1], split_stratified(LABELS, ROWS, 0.1, "val", 1)[1]
    )
    assert not torch.equal(
        split_stratified(LABELS, ROWS, 0.1, "val", 1)[1], split_stratified(LABELS, ROWS, 0.1, "val", 2)[1]
    )


def test_a_subset_of_classes_is_split_as_the_whole_is() -> None:
    """So that a run on some classes never trains on samples that another run validates on."""
    whole = ROWS[split_stratified(LABELS, ROWS, 0.1, 0)[1]]
    part = ROWS[LABELS == 1]
    alone = part[split_stratified(LABELS[LABELS == 1], part, 0.1, 0)[1]]
    assert set(alone.tolist()) == {row for row in whole.tolist() if LABELS[row] == 1}


def test_a_smaller_share_is_part_of_a_larger() -> None:
    small, large = (set(split_stratified(LABELS, ROWS, share, 0)[1].tolist()) for share in (0.1, 0.5))
    assert small < large


@pytest.mark.parametrize("share", [0, 1, -1, 2])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="must be in \\(0, 1\\)"):
        split_stratified(LABELS, ROWS, share, 0)


def test_folds_are_disjoint_complete_and_stratified() -> None:
    labels = torch.tensor([0] * 100 + [1] * 42)
    parts = [split_fold(labels, ROWS, 5, number, 0) for number in range(5)]
    assert torch.equal(torch.cat([chosen for _, chosen in parts]).sort().values, ROWS)
    for kept, chosen in parts:
        assert torch.equal(torch.cat([kept, chosen]).sort().values, ROWS)
        assert labels[chosen].bincount().tolist() in ([20, 8], [20, 9])


def test_folds_of_many_small_classes_are_of_like_size() -> None:
    labels = torch.arange(100).repeat(7)
    sizes = [len(split_fold(labels, torch.arange(700), 5, number, 0)[1]) for number in range(5)]
    assert sizes == [140] * 5


def test_more_folds_than_samples_of_a_class_are_refused() -> None:
    with pytest.raises(ValueError, match="folds=5 needs that many samples of each class, but one has 2"):
        split_fold(torch.tensor([0, 0, 1, 1, 1, 1, 1]), torch.arange(7), 5, 0, 0)


@pytest.mark.parametrize("labels", [torch.linspace(0, 1, 142), torch.eye(142)])
def test_numbers_and_several_labels_are_no_classes(labels: torch.Tensor) -> None:
    kept, chosen = split_stratified(labels, ROWS, 0.1, 0)
    assert (len(kept), len(chosen)) == (128, 14)
    assert len(split_fold(labels, ROWS, 4, 1, 0)[1]) in (35, 36)
