"""The bag of n-grams with naive Bayes weights: its ratios by hand, its logits by a plain reference, its buckets."""

from collections import Counter
from math import log

import numpy as np
import pytest
import torch
from torch import Tensor

from trainyard.models.layers.log_ratios import NgramCounts, log_count_ratios
from trainyard.models.naive_bayes_bag import NaiveBayesBag

GOOD, BAD, FILM, NOT = 5, 6, 7, 8
TEXTS = torch.tensor([[GOOD, FILM, 0, 0], [GOOD, GOOD, FILM, 0], [NOT, GOOD, FILM, 0], [0, BAD, FILM, 0]])
LABELS = torch.tensor([1, 1, 0, 0])


def taught(texts: Tensor = TEXTS, labels: Tensor = LABELS, **options) -> NaiveBayesBag:
    net = NaiveBayesBag(100, **{"num_classes": 2, "ngrams": 2, "rows": 1000, **options})
    net.learn([(texts[:3], labels[:3]), (texts[3:], labels[3:])])
    return net


def ratios_of(net: NaiveBayesBag, *ngram: int) -> list[float]:
    """The ratios of an n-gram, none of an unknown one: of its row, which none of its words has."""
    words = net.bag(torch.tensor(ngram)[:, None]) if len(ngram) > 1 else torch.zeros(1)
    rows = [row for row in net.bag(torch.tensor([ngram]))[0].tolist() if row and row not in words]
    return net.ratios[rows].flatten().tolist()


def test_the_ratios_are_those_by_hand() -> None:
    """Texts with good: 2 positive, 1 negative; film: 2, 2; good film: 2, 1; the others are in one text alone."""
    net = taught()
    positive, negative = 3 + 3 + 3, 2 + 3 + 2  # all smoothed counts
    assert net.ratios.count_nonzero() == 3
    assert ratios_of(net, GOOD) == pytest.approx([log((3 / positive) / (2 / negative))])  # once in "good good film"
    assert ratios_of(net, FILM) == pytest.approx([log((3 / positive) / (3 / negative))])
    assert ratios_of(net, GOOD, FILM) == pytest.approx([log((3 / positive) / (2 / negative))])
    assert ratios_of(net, NOT) == ratios_of(net, FILM, GOOD) == []
    assert len(ratios_of(taught(min_count=1), NOT)) == 1


def test_of_several_classes_each_has_its_ratio_to_the_others() -> None:
    counts = torch.tensor([[3, 0, 1], [1, 1, 1]])
    found = log_count_ratios(counts, smoothing=0.5)
    assert found[0].tolist() == pytest.approx(
        [log((3.5 / 5) / (1.5 / 4)), log((0.5 / 2) / (4.5 / 7)), log((1.5 / 3) / (3.5 / 6))]
    )
    assert taught(labels=torch.tensor([0, 1, 2, 2]), num_classes=3).ratios.shape == (1000, 3)


def reference(texts: np.ndarray, labels: np.ndarray, ngrams: int) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """The n-grams of at least two texts and the matrix of texts x n-grams, scaled by the ratios: plain and dense."""

    def grams(text: list[int]) -> set[tuple[int, ...]]:
        text = [word for word in text if word]
        return {tuple(text[i : i + n]) for n in range(1, ngrams + 1) for i in range(len(text) - n + 1)}

    sets = [grams(text) for text in texts.tolist()]
    names = sorted(gram for gram, count in Counter(gram for each in sets for gram in each).items() if count >= 2)
    x = np.array([[gram in each for gram in names] for each in sets], dtype=float)
    p, q = (1 + x[labels == label].sum(0) for label in (1, 0))
    return names, x * np.log((p / p.sum()) / (q / q.sum()))


def test_training_is_that_of_a_dense_logistic_regression() -> None:
    """Logits and gradients equal those of a dense matrix of features, after steps by hand in numpy."""
    torch.manual_seed(0)
    texts, labels = torch.randint(0, 12, (60, 15)), torch.arange(60) % 2
    net = NaiveBayesBag(100, 2, ngrams=3, rows=1 << 20)
    net.learn([(texts, labels)])
    names, x = reference(texts.numpy(), labels.numpy(), 3)
    assert (net.owners != 0).sum() == len(names) > 100
    weights, bias, y = np.zeros(len(names)), 0.0, labels.numpy()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(5):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(texts)[:, 0], labels.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        error = 1 / (1 + np.exp(-(x @ weights + bias))) - y
        weights, bias = weights - 0.1 * x.T @ error / 60, bias - 0.1 * error.mean()
    np.testing.assert_allclose(net(texts)[:, 0].detach().numpy(), x @ weights + bias, rtol=1e-4, atol=1e-5)


def test_of_ngrams_that_share_a_row_the_most_frequent_has_it() -> None:
    """With two rows, one of them that of the padding, all share one: film, which is in every text."""
    net = taught(rows=2)
    assert net.ratios[1].item() == pytest.approx(log((3 / 3) / (3 / 3)))
    assert net.bag(torch.tensor([[GOOD, FILM]])).tolist() == [[0, 0, 1]]
    assert net.bag(torch.tensor([[GOOD, NOT]])).count_nonzero() == 0


def test_counting_in_parts_is_counting_at_once() -> None:
    torch.manual_seed(0)
    hashes, labels = torch.randint(1, 50, (40, 10)), torch.randint(0, 3, (40,))
    whole, parts = NgramCounts(3), NgramCounts(3)
    whole.add(hashes, labels)
    for rows in torch.arange(40).split(7):
        parts.add(hashes[rows], labels[rows])
        parts.count()
    for at_once, in_parts in zip(*(each.most_frequent(2, lambda h: h % 31) for each in (whole, parts)), strict=True):
        assert torch.equal(at_once, in_parts)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_outputs": 3}, "num_outputs=3: naive Bayes weights are ratios of classes, which this task "),
        ({"min_count": 0}, "ngrams=2 and min_count=0 must be at least 1, rows=1000 at least 2, and smoothing=1.0"),
        ({"smoothing": 0.0}, "smoothing=0.0 positive"),
    ],
)
def test_wrong_values_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taught(**wrong)
