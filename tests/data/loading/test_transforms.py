import random

import numpy as np
import pytest
import torch

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.config.resolve import resolve
from trainyard.data.loading.geometry import affine, crop, cutout, flip
from trainyard.data.loading.hashing import sample_keys
from trainyard.data.loading.transforms import AUGMENTATIONS, Pixels
from trainyard.errors import UserError

KEYS = sample_keys(0, 0, torch.arange(64))
IMAGES = torch.rand(64, 3, 32, 24, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_sample_has_its_own_draw(name: str) -> None:
    """What happens to a sample does not depend on its batch; it does on its key."""
    pixels = Pixels([0.5], [0.3], name)
    images = (255 * IMAGES).to(torch.uint8)
    whole = pixels(images, KEYS)
    assert whole.shape == images.shape
    torch.testing.assert_close(torch.cat([pixels(images[:10], KEYS[:10]), pixels(images[10:], KEYS[10:])]), whole)
    same = pixels(images[:1].expand(64, -1, -1, -1), KEYS)
    assert (len(same.flatten(1).unique(dim=0)) > 1) == (name != "none")


def test_pixels_are_normalised_and_left_alone_outside_training() -> None:
    pixels = Pixels([0.5, 0.2, 0.1], [0.3, 0.2, 0.1], "strong")
    images = torch.full((2, 3, 8, 8), 255, dtype=torch.uint8)
    expected = torch.tensor([0.5 / 0.3, 0.8 / 0.2, 0.9 / 0.1])
    torch.testing.assert_close(pixels(images)[1, :, 3, 4], expected)


def test_flip_mirrors_about_half() -> None:
    flipped = flip(IMAGES, KEYS)
    mirrored = torch.tensor([torch.equal(a, b.flip(-1)) for a, b in zip(flipped, IMAGES, strict=True)])
    kept = torch.tensor([torch.equal(a, b) for a, b in zip(flipped, IMAGES, strict=True)])
    assert (mirrored ^ kept).all()
    assert 15 < mirrored.sum() < 49


def test_crop_is_a_window_of_the_reflected_image() -> None:
    padded = torch.nn.functional.pad(IMAGES, (4, 4, 4, 4), mode="reflect")
    windows = padded.unfold(2, 32, 1).unfold(3, 24, 1)  # (B, C, 9, 9, 32, 24)
    cropped = crop(IMAGES, KEYS)
    hits = (windows == cropped[:, :, None, None]).all(dim=(1, 4, 5)).flatten(1)  # (B, 81)
    assert hits.any(dim=1).all()
    assert hits.int().argmax(dim=1).unique().numel() > 30


def test_cutout_zeroes_one_square() -> None:
    cut = cutout(torch.ones(64, 1, 32, 32), KEYS)
    areas = (cut == 0).sum(dim=(1, 2, 3))
    assert areas.max() == 16 * 16
    assert areas.min() >= 8 * 8


def test_affine_of_nothing_is_nothing() -> None:
    torch.testing.assert_close(affine(IMAGES, KEYS, 0, 0, 0), IMAGES, atol=1e-5, rtol=1e-5)


def test_affine_stays_within_its_bounds() -> None:
    """A dot in the middle moves by at most the shift, and the draws reach near it."""
    dot = torch.zeros(2000, 1, 41, 41)
    dot[:, :, 20, 20] = 1
    moved = affine(dot, sample_keys(0, 0, torch.arange(2000)), degrees=0, shift=0.2, zoom=0)
    rows = (moved.sum(dim=(1, 3)) * torch.arange(41)).sum(dim=1) / moved.sum(dim=(1, 2, 3))
    assert (rows - 20).abs().max() <= 0.2 * 41 + 0.1
    assert (rows - 20).abs().max() > 0.19 * 41


def test_affine_rotates_without_stretching() -> None:
    """On an oblong image a rotated point keeps its distance from the middle, in pixels."""
    x = torch.zeros(200, 1, 41, 81)
    x[:, :, 20, 56:61] = 1  # around (0, 38 - 20 = 18) to the right of the middle
    turned = affine(x, sample_keys(0, 0, torch.arange(200)), degrees=90, shift=0, zoom=0)
    weight = turned / turned.sum(dim=(1, 2, 3), keepdim=True)
    down = (weight.sum(dim=(1, 3)) * (torch.arange(41) - 20)).sum(dim=1)
    right = (weight.sum(dim=(1, 2)) * (torch.arange(81) - 40)).sum(dim=1)
    torch.testing.assert_close(down.hypot(right), torch.full((200,), 18.0), atol=0.6, rtol=0)
    assert down.abs().max() > 17


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5], [0.3], "strongg"), "augment=strongg is unknown; choose one of none, flip, standard"),
        (
            ([0.5], [0.0], "none"),
            r"mean=\[0.5\] and std=\[0.0\] must have the same length, and every std must be positive",
        ),
    ],
)
def test_wrong_values_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pixels(*arguments)


def noisy(image: torch.Tensor) -> torch.Tensor:
    """A transform of one's own that draws from all generators."""
    return (image + 0.1 * torch.rand(()) + 0.1 * random.random() + 0.1 * np.random.rand()).clamp(0, 1)


def test_a_transform_of_ones_own_draws_by_the_key_of_the_sample() -> None:
    pixels = Pixels([0.5], [0.3], [noisy, {"erasing": {"probability": 1.0}}, "flip"])
    images = (255 * IMAGES).to(torch.uint8)
    before = torch.get_rng_state(), random.getstate()
    whole = pixels(images, KEYS)
    torch.rand(3), np.random.rand(3)
    assert torch.equal(
        torch.cat([pixels(images[40:], KEYS[40:]), pixels(images[:40], KEYS[:40])]), whole[[*range(40, 64), *range(40)]]
    )
    assert random.getstate() == before[1]
    assert len((whole - pixels(images)).flatten(1).mean(dim=1).unique()) > 60  # each its own
    assert torch.equal(pixels(images), Pixels([0.5], [0.3])(images))  # only in training


def test_a_torchvision_transform_can_be_named(tmp_path) -> None:
    words = [
        "data=shapes",
        "data.augment=[{_target_: torchvision.transforms.v2.RandomRotation, degrees: 20}]",
        "run.dir=x",
    ]
    data = instantiate(resolve(compose(words)).data, "data")
    images = data.read("train").inputs[:20]
    turned = data.augmented(images, torch.arange(20), epoch=1)
    assert torch.equal(turned, data.augmented(images, torch.arange(20), epoch=1))
    assert not torch.equal(turned, data.augmented(images, torch.arange(20), epoch=2))


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ("[flip,rotate]", "augment has the entry rotate; a list has names .*alternating_flip, flip, crop"),
        ("[{erasing: {size: 1}}]", "erasing has no option size; it has probability, largest, aspect"),
        ("[{randaugment: {magnitude: 40}}]", "magnitude=40 from 0 to 30"),
        (
            "[{_target_: torchvision.transforms.v2.RandomCrop, size: 20}]",
            r"RandomCrop makes an image of shape \[3, 20, 20\]",
        ),
        ("randaug", "augment=randaug is unknown; choose one of none, flip, .* or a list"),
    ],
)
def test_augmentations_that_cannot_be_are_refused_before_anything_is_read(augment: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        instantiate(resolve(compose(["data=shapes", f"data.augment={augment}", "run.dir=x"])).data, "data=shapes")


def test_flips_alternate_in_a_data_module() -> None:
    data = instantiate(resolve(compose(["data=shapes", "data.augment=[alternating_flip]", "run.dir=x"])).data, "data")
    images, index = data.read("train").inputs[:50], torch.arange(50)
    first, second = (data.augmented(images, index, epoch) for epoch in (4, 5))
    assert torch.equal(first.flip(-1), second) and not torch.equal(first, data.augmented(images, index, None))
