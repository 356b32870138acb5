"""The trigram that a GPT is measured against."""

import sys

import numpy as np
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
from ngram import trigram

V = 6


@pytest.fixture
def train() -> np.ndarray:
    return np.random.default_rng(0).choice(V - 1, 60, p=[0.4, 0.3, 0.15, 0.1, 0.05])  # the last word never occurs


def test_every_context_gives_a_distribution(train: np.ndarray) -> None:
    for u in range(V):
        for v in range(V):
            shares = [float(trigram(train, np.array([u, v, w]), V)[0]) for w in range(V)]
            assert min(shares) > 0 and sum(shares) == pytest.approx(1)


def test_equals_the_formula_written_out_by_hand(train: np.ndarray) -> None:
    """Chen & Goodman's equations, with sets and dictionaries, over every trigram there can be."""
    rows = train.tolist()
    threes = list(zip(rows, rows[1:], rows[2:], strict=False))
    count = {gram: threes.count(gram) for gram in threes}
    before = {gram: len({u for u, *rest in count if tuple(rest) == gram}) for gram in {g[1:] for g in count}}
    front = {w: len({u for u, last in before if last == w}) for w in {g[1] for g in before}}

    def discount(counts: list[int]) -> float:
        return counts.count(1) / (counts.count(1) + 2 * counts.count(2)) if 1 in counts else 0.5

    def step(own: float, rest: list[int], d: float, lower: float) -> float:
        return (max(own - d, 0) + d * len(rest) * lower) / sum(rest) if rest else lower

    def p(u: int, v: int, w: int) -> float:
        one = step(front.get(w, 0), list(front.values()), discount(list(front.values())), 1 / V)
        two = step(before.get((v, w), 0), [n for g, n in before.items() if g[0] == v],
                   discount(list(before.values())), one)  # fmt: skip
        return step(count.get((u, v, w), 0), [n for g, n in count.items() if g[:2] == (u, v)],
                    discount(list(count.values())), two)  # fmt: skip

    text = np.array([(u, v, w) for u in range(V) for v in range(V) for w in range(V)])
    found = [float(trigram(train, gram, V)[0]) for gram in text]
    assert found == pytest.approx([p(*gram) for gram in text.tolist()])


def test_what_was_seen_is_likelier(train: np.ndarray) -> None:
    assert np.log(trigram(train, train, V)).mean() > np.log(trigram(train, train[::-1], V)).mean() > np.log(1 / V)
