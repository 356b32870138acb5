"""The bag of words and word pairs: what is in the bag, and how its pairs share rows."""

import pytest
import torch

from trainyard.models.bag_of_words import BagOfWords


def test_the_bag_holds_words_and_their_runs() -> None:
    net = BagOfWords(100, 2, ngrams=3, buckets=10**6)
    one = net.bag(torch.tensor([[5, 6, 7]]))[0].tolist()
    assert one[:3] == [5, 6, 7]
    assert len(set(one)) == 6 and all(row >= 100 for row in one[3:])  # 5 6, 6 7, 5 6 7
    two = net.bag(torch.tensor([[9, 5, 6, 0]]))[0].tolist()
    assert one[3] == two[5]  # the pair 5 6 is one row wherever it stands
    assert net.bag(torch.tensor([[6, 5]]))[0, 2] != one[3]  # order counts
    assert two[6] == two[8] == 0  # no run reaches into the padding


def test_the_text_is_the_mean_of_its_rows() -> None:
    net = BagOfWords(100, 3, buckets=50, dim=4)
    tokens = torch.tensor([[5, 6, 7, 0, 0]])
    rows = net.embedding.weight[net.bag(tokens)[0, [0, 1, 2, 5, 6]]]
    torch.testing.assert_close(net(tokens), net.head(rows.mean(0, keepdim=True)))


def test_word_order_counts_only_by_runs() -> None:
    torch.manual_seed(0)
    tokens = torch.tensor([[5, 6, 7]])
    for ngrams, same in ((1, True), (2, False)):
        net = BagOfWords(100, 2, ngrams=ngrams)
        assert torch.allclose(net(tokens), net(tokens.flip(1))) == same


def test_pairs_spread_evenly_over_the_buckets() -> None:
    """As evenly as random throws: 100,000 pairs into 1,000 buckets, chi-square within five deviations."""
    net = BagOfWords(10_000, 2, buckets=1000)
    first, second = torch.arange(1, 1001).repeat_interleave(100), torch.arange(1, 101).repeat(1000)
    counts = (net.bag(torch.stack([first, second], 1))[:, 2] - 10_000).bincount(minlength=1000)
    assert len(counts) == 1000
    assert ((counts - 100).square() / 100).sum().item() == pytest.approx(999, abs=5 * (2 * 999) ** 0.5)


def test_wrong_values_are_refused() -> None:
    with pytest.raises(ValueError, match="ngrams=0, buckets=5 and dim=16 must all be at least 1"):
        BagOfWords(10, 2, ngrams=0, buckets=5)
