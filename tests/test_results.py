"""The results that docs/results.md states: the quick ones again, with one seed. make results runs these."""

import sys
from pathlib import Path

import pytest
from conftest import ROOT

import trainyard

sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "docs")]
from records import Row, read_rows  # noqa: E402
from xor_seeds import solved  # noqa: E402

pytestmark = pytest.mark.results
QUICK = [row for row in read_rows()[0] if row.floor is not None]


@pytest.mark.parametrize("experiment", ["xor_mlp", "xor_quantum"])
def test_xor_is_solved_on_every_seed(experiment: str, tmp_path: Path) -> None:
    assert all(solved(experiment, str(tmp_path), seed) for seed in range(10))


def test_xor_as_the_article_has_it_is_not(tmp_path: Path) -> None:
    count = sum(solved("xor_mlp_article", str(tmp_path), seed) for seed in range(10))
    assert 1 <= count <= 9


@pytest.mark.real_data("aclImdb")
@pytest.mark.parametrize("row", [row for row in QUICK if "imdb" in row.words], ids=lambda row: row.name)
def test_networks_read_imdb_as_stated(row: Row, tmp_path: Path) -> None:
    run = trainyard.train([*row.words.split(), f"run.root={tmp_path}"])
    assert run.summary["test"]["test/accuracy"] >= row.floor


@pytest.mark.real_data
@pytest.mark.parametrize("row", [row for row in QUICK if "imdb" not in row.words], ids=lambda row: row.name)
def test_networks_see_cifar10_as_stated(row: Row, tmp_path: Path) -> None:
    run = trainyard.train([*row.words.split(), f"run.root={tmp_path}"])
    assert run.summary["test"]["test/accuracy"] >= row.floor
