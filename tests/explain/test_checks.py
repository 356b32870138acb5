"""Deletion curves and randomized weights tell an explanation from something that looks like one."""

import pytest
import torch
from explained import NETS, TEXT_NETS, network, subject
from scipy.stats import spearmanr
from torch import Tensor

from trainyard.explain.attribute import attribute
from trainyard.explain.checks import Checks, deletion_area, deletion_areas, rank_correlation, shuffled
from trainyard.explain.methods import MATRICES, fitting_methods
from trainyard.explain.scores import differentiable


def test_deletion_area_of_a_known_curve() -> None:
    def probability(kept: Tensor) -> Tensor:  # falls to 0 with the first part, whichever else is there
        return kept[:, 0].float()

    assert deletion_area(probability, torch.tensor([0, 1, 2, 3])) == pytest.approx(1 / 8)
    assert deletion_area(probability, torch.tensor([1, 2, 3, 0])) == pytest.approx(7 / 8)
    values = torch.zeros(100)
    values[0] = 1
    best, chance = deletion_areas(probability, values)
    assert best < 0.05 and 0.2 < chance < 0.8
    assert deletion_areas(lambda kept: kept.float().mean(1), values) == (pytest.approx(0.5), pytest.approx(0.5))


def test_equal_values_are_deleted_in_random_order() -> None:
    """Else a map of zeros would delete from the top left, and be compared with that."""
    seen = []
    deletion_areas(lambda kept: seen.append(kept) or kept.float().mean(1), torch.zeros(100))
    half = seen[-1][10]
    assert half.sum() == 50 and 10 < half[:50].sum() < 40


def test_rank_correlation_is_spearmans() -> None:
    torch.manual_seed(0)
    a, b = torch.randint(5, (2, 40)).float()
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert rank_correlation(a, 2 * a**3 + 1) == pytest.approx(1) and rank_correlation(a, -a) == pytest.approx(-1)
    assert rank_correlation(a, torch.zeros(40)) == 0


def test_shuffled_weights_are_the_same_numbers_elsewhere_and_the_network_keeps_its_own() -> None:
    net = subject("gru").net
    before = [weight.clone() for weight in net.parameters()]
    other = shuffled(net)
    for old, kept, new in zip(before, net.parameters(), other.parameters(), strict=True):
        assert torch.equal(old, kept) and torch.equal(old.flatten().sort().values, new.flatten().sort().values)
    assert any(not torch.equal(old, new) for old, new in zip(before, other.parameters(), strict=True))


MOST = {("cnn", "saliency"): 0.7}  # fewer windows of an unpadded convolution read the pixels of the border
SANITY = [
    (name, method)
    for name in NETS
    for method in fitting_methods(network(name), "text" if name in TEXT_NETS else "image")
    if method not in MATRICES and (name, method) != ("gpt", "rollout")
]


@pytest.mark.parametrize(("name", "method"), SANITY)
def test_with_shuffled_weights_an_explanation_changes(name: str, method: str) -> None:
    """Adebayo et al. (2018): the mean rank correlation over four shuffles is far from the 1 of the same weights."""
    found = subject(name)
    with differentiable(found.net):
        values, _ = attribute(method, found, 1)
        again, _ = attribute(method, found, 1)
        others = [attribute(method, found._replace(net=shuffled(found.net, seed)), 1)[0] for seed in range(4)]
    assert rank_correlation(values, again) == pytest.approx(1)
    changed = sum(rank_correlation(values, other) for other in others) / len(others)
    assert abs(changed) < MOST.get((name, method), 0.5), changed


def test_rollout_of_a_causal_network_shows_its_mask_whatever_the_weights() -> None:
    """The first word is in all others: the check tells that this explains little."""
    found = subject("gpt")
    values, other = (attribute("rollout", found._replace(net=net), 1)[0] for net in (found.net, shuffled(found.net)))
    assert rank_correlation(values, other) > 0.9


def test_the_sentence_of_a_check_says_which_way_it_went() -> None:
    assert "0.100, 0.300 in random order: faster than chance" in str(Checks(0.1, 0.3, 0.0))
    assert "0.300, 0.100 in random order: not faster than chance" in str(Checks(0.3, 0.1, 0.0))
