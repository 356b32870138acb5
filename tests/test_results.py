"""The results that the README and docs/results.md state: the quick ones, at fewer seeds. make results runs these."""

import sys
from pathlib import Path

import pytest
from conftest import ROOT

import trainyard

sys.path.insert(0, str(ROOT / "benchmarks"))
from xor_seeds import solved

pytestmark = pytest.mark.results


def test_xor_is_solved_on_every_seed(tmp_path: Path) -> None:
    assert all(solved("xor_mlp", str(tmp_path), seed) for seed in range(10))


def test_xor_as_the_article_has_it_is_not(tmp_path: Path) -> None:
    count = sum(solved("xor_mlp_article", str(tmp_path), seed) for seed in range(10))
    assert 1 <= count <= 9


@pytest.mark.real_data("aclImdb")
@pytest.mark.parametrize(
    ("experiment", "accuracy"),
    [("imdb_bow", 0.90), ("imdb_gru", 0.885), ("imdb_lstm", 0.875), ("imdb_transformer", 0.878)],
)
def test_networks_read_imdb_as_stated(experiment: str, accuracy: float, tmp_path: Path) -> None:
    run = trainyard.train([f"experiment={experiment}", f"run.root={tmp_path}"])
    assert run.summary["test"]["test/accuracy"] >= accuracy
