"""Disturbed images and words: by so much, the same each time, whatever the batch size."""

from functools import partial

import pytest
import torch
from torch import Tensor

import trainyard
from trainyard.cli.evaluate import robustness_lines
from trainyard.evaluation.corruptions import Corruption, blur, drop, noise, of_images, of_texts, swap

KEYS = torch.arange(6) * 1_000_003
IMAGES = torch.randint(40, 216, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
TOKENS = torch.tensor([[5, 6, 7, 8, 9, 10], [5, 6, 7, 0, 0, 0]] * 3)
IMAGE_KINDS = [pytest.param(make, id=f"{name} {text}") for name, few in of_images(3).items() for text, make in few]
TEXT_KINDS = [pytest.param(make, id=f"{name} {text}") for name, few in of_texts("right").items() for text, make in few]


@pytest.mark.parametrize(("corruption"), IMAGE_KINDS)
def test_an_image_is_disturbed_the_same_in_any_batch(corruption: Corruption) -> None:
    whole = corruption(IMAGES, KEYS)
    assert whole.dtype == torch.uint8 and whole.shape == IMAGES.shape and not torch.equal(whole, IMAGES)
    alone = torch.cat([corruption(IMAGES[i : i + 1], KEYS[i : i + 1]) for i in range(6)])
    assert (alone.int() - whole.int()).abs().max() <= 1  # a sum in another order may be rounded to the next
    assert torch.equal(corruption(IMAGES, KEYS), whole)


@pytest.mark.parametrize("name", of_images(3))
def test_the_three_strengths_grow(name: str) -> None:
    distances = [(make(IMAGES, KEYS).float() - IMAGES).abs().mean() for _, make in of_images(3)[name]]
    assert distances == sorted(distances) and len(distances) == 3


def test_noise_has_its_deviation_and_a_blur_its_mean() -> None:
    gray = torch.full((6, 3, 32, 32), 128, dtype=torch.uint8)
    added = noise(gray, KEYS, 0.1).float() - 128
    assert float(added.std()) == pytest.approx(25.5, rel=0.05) and abs(float(added.mean())) < 1
    assert torch.equal(blur(gray, KEYS, 1 / 16), gray)
    point = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    point[0, 0, 16, 16] = 255
    spread = blur(point, KEYS[:1], 1 / 32)[0, 0]
    assert spread[16, 16] < 60 and spread[16, 17] == spread[15, 16] > 10 and abs(int(spread.sum()) - 255) < 25


@pytest.mark.parametrize("corruption", TEXT_KINDS)
def test_words_keep_their_padding_at_the_end(corruption: Corruption) -> None:
    found = corruption(TOKENS, KEYS)
    assert found.shape == TOKENS.shape
    for row, old in zip(found.tolist(), TOKENS.tolist(), strict=True):
        words = [token for token in row if token]
        assert words and row == words + [0] * (6 - len(words)) and set(words) <= set(old)
    assert torch.equal(torch.cat([corruption(TOKENS[i : i + 1], KEYS[i : i + 1]) for i in range(6)]), found)


def test_words_are_dropped_and_swapped_by_their_share() -> None:
    tokens, keys = torch.arange(5, 1005).expand(50, 1000), torch.arange(50) * 999_983
    assert float((drop(tokens, keys, 0.25) == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert float((swap(tokens, keys, 0.25) != tokens).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert torch.equal(swap(tokens, keys, 1.0)[:, :4], torch.tensor([6, 5, 8, 7]).expand(50, 4))
    assert (drop(TOKENS, KEYS, 1.0) != 0).sum(dim=1).tolist() == [1] * 6  # never all of them
    left = partial(drop, share=0.5, padding_side="left")
    rows: Tensor = left(TOKENS.flip(1), KEYS)
    assert all(0 not in row[row.index(max(row)) :] for row in rows.tolist())


def test_a_network_is_scored_under_each_disturbance(run: trainyard.Run) -> None:
    found = run.robustness()
    assert [each.corruption for each in found[::3]] == ["noise", "blur", "jpeg", "brightness"] and len(found) == 12
    clean = run.evaluation()
    assert all(each.scores.keys() == clean.scores.keys() for each in found)
    assert len({each.scores["test/loss"] for each in found} | {clean.scores["test/loss"]}) == 13
    assert run.robustness()[0] == found[0]
    head, first, *rows = robustness_lines(clean, found)
    assert "test/accuracy" in head and first.startswith("none  ") and len(rows) == 12
    change = found[0].scores["test/loss"] - clean.scores["test/loss"]
    assert f"({change:+.4f})" in rows[0] and rows[0].startswith("noise       deviation 0.04")
