"""Crops, flips and holes that depend on the sample's key alone."""

import torch

from trainyard.data.loading.geometry import alternating_flip, erasing, resized_crop
from trainyard.data.loading.hashing import epoch_turns, sample_keys

KEYS = sample_keys(0, 0, torch.arange(400))


def test_a_flip_alternates_from_epoch_to_epoch() -> None:
    """Each image is seen both ways in any two epochs, and half of them are flipped in each."""
    index = torch.arange(400)
    turns = [epoch_turns(3, epoch, index) for epoch in range(3)]
    assert torch.equal(turns[0], ~turns[1]) and torch.equal(turns[0], turns[2])
    assert 160 < turns[0].sum() < 240
    image = torch.rand(400, 1, 2, 2)
    assert torch.equal(alternating_flip(image, turns[0])[turns[0]], image.flip(-1)[turns[0]])
    assert torch.equal(alternating_flip(image, turns[0])[~turns[0]], image[~turns[0]])


def test_a_resized_crop_is_a_part_of_the_image() -> None:
    """Of an image whose values are its places, the crop's corners are where the part was."""
    rows, columns = torch.meshgrid(torch.arange(33.0), torch.arange(33.0), indexing="ij")
    places = torch.stack((rows, columns)).expand(400, 2, 33, 33)
    made = resized_crop(places, KEYS, smallest=0.25)
    assert made.min() >= 0 and made.max() <= 32
    height = (made[:, 0, -1, 16] - made[:, 0, 0, 16]) / 32
    width = (made[:, 1, 16, -1] - made[:, 1, 16, 0]) / 32
    area = height * width
    assert 0.2 < area.min() < 0.32 and 0.85 < area.max() <= 1
    assert (height / width).log().abs().max() < 0.3 and (height / width).log().std() > 0.1
    torch.testing.assert_close(resized_crop(places, KEYS, smallest=1, aspect=1), places, atol=1e-3, rtol=0)


def test_erasing_makes_one_rectangle_in_so_many_images() -> None:
    made = erasing(torch.ones(400, 1, 32, 32), KEYS, probability=0.25, largest=0.33)
    holes = (made == 0).flatten(1).sum(dim=1)
    assert 70 < (holes > 0).sum() < 130 and holes.max() <= 0.4 * 32 * 32
    hole = (made[holes > 0] == 0)[:, 0]
    extent = hole.any(dim=2).sum(dim=1) * hole.any(dim=1).sum(dim=1)
    assert torch.equal(extent, hole.flatten(1).sum(dim=1))  # all of a rectangle
    assert not (erasing(torch.ones(400, 1, 8, 8), KEYS, probability=0) == 0).any()
