"""The results that the README states, at a smaller number of seeds. make test-slow runs these."""

import sys

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
from xor_seeds import solved

pytestmark = pytest.mark.slow


def test_xor_is_solved_on_every_seed(tmp_path) -> None:
    assert all(solved("xor_mlp", str(tmp_path), seed) for seed in range(10))


def test_xor_as_the_article_has_it_is_not(tmp_path) -> None:
    count = sum(solved("xor_mlp_article", str(tmp_path), seed) for seed in range(10))
    assert 1 <= count <= 9
