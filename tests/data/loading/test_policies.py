"""Colors and policies beside torchvision's own, and the draws of each sample."""

import pytest
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as theirs

from trainyard.data.loading import color, policies
from trainyard.data.loading.hashing import sample_keys

BYTES = torch.randint(0, 256, (6, 3, 24, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
BYTES[5] //= 3  # something to stretch
IMAGES = BYTES.float() / 255
FACTORS = torch.tensor([0.1, 0.6, 1.0, 1.4, 1.9, 0.3])


@pytest.mark.parametrize(
    ("name", "reference", "tolerance"),
    [
        ("brightness", theirs.adjust_brightness, 1e-5),
        ("saturation", theirs.adjust_saturation, 1e-3),
        ("contrast", theirs.adjust_contrast, 1e-3),
        ("sharpness", theirs.adjust_sharpness, 1e-5),
        ("solarize", lambda x, m: theirs.solarize(x, m), 1e-6),
    ],
)
def test_each_sample_has_the_color_of_torchvisions(name: str, reference, tolerance: float) -> None:
    factors = FACTORS / 2 if name == "solarize" else FACTORS
    found = getattr(color, name)(IMAGES, factors)
    for image, factor, made in zip(IMAGES, factors.tolist(), found, strict=True):
        torch.testing.assert_close(made, reference(image, factor), atol=tolerance, rtol=0)


def test_histograms_and_bits_are_torchvisions() -> None:
    none = torch.zeros(6)
    torch.testing.assert_close((255 * color.equalize(IMAGES, none)).round().byte(), theirs.equalize(BYTES))
    bits = torch.tensor([1.0, 2, 4, 5, 7, 8])
    for image, kept, made in zip(BYTES, bits, color.posterize(IMAGES, bits), strict=True):
        assert torch.equal((255 * made).round().byte(), theirs.posterize(image, int(kept)))
    torch.testing.assert_close(color.autocontrast(IMAGES, none), theirs.autocontrast(IMAGES), atol=1e-5, rtol=0)


def test_an_image_of_one_color_stays() -> None:
    flat = torch.full((1, 3, 4, 4), 0.4)
    for name in ("equalize", "autocontrast"):
        torch.testing.assert_close(getattr(color, name)(flat, torch.zeros(1)), flat)


def test_a_hue_turned_once_around_is_itself() -> None:
    torch.testing.assert_close(color.hue(IMAGES, torch.ones(6)), IMAGES, atol=1e-4, rtol=0)
    turned = color.hue(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1), torch.full((1,), 1 / 3)).flatten()
    assert turned[0] < 0.5 and turned[1:].max() > turned[0]  # red has become another color


@pytest.mark.parametrize(
    ("ours", "options"),
    [
        (lambda x, m: policies.rotate(x, 30 * m), {"angle": 30.0}),
        (lambda x, m: policies.translate_x(x, 5 * m), {"translate": [5, 0]}),
        (lambda x, m: policies.translate_y(x, -3 * m), {"translate": [0, -3]}),
        (lambda x, m: policies.shear_x(x, 0.3 * m), {"shear": [16.699, 0.0]}),
        (lambda x, m: policies.shear_y(x, 0.3 * m), {"shear": [0.0, 16.699]}),
    ],
)  # fmt: skip
def test_places_are_torchvisions(ours, options: dict) -> None:
    """All but the few pixels at which rounding decides."""
    options = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0], **options}
    if options["angle"]:
        expected = theirs.rotate(IMAGES, options["angle"], InterpolationMode.NEAREST)
    else:
        expected = theirs.affine(IMAGES, interpolation=InterpolationMode.NEAREST, **options)
    assert (ours(IMAGES, torch.ones(6)) == expected).float().mean() > 0.97


@pytest.mark.parametrize("policy", [policies.randaugment, policies.trivialaugment, policies.augmix, color.jitter])
def test_a_sample_is_changed_by_its_key_alone(policy) -> None:
    keys = sample_keys(0, 0, torch.arange(6))
    whole = policy(IMAGES, keys)
    assert whole.min() >= 0 and whole.max() <= 1 and not torch.equal(whole, IMAGES)
    for rows in ([3], [5, 1], [4, 0, 2]):
        torch.testing.assert_close(policy(IMAGES[rows], keys[rows]), whole[rows], atol=1e-6, rtol=0)


def test_every_operation_is_drawn() -> None:
    """With one layer there are thirteen ways to change an image, nine of them in two directions."""
    image = IMAGES[:1].expand(1400, -1, -1, -1)
    made = policies.randaugment(image, sample_keys(0, 0, torch.arange(1400)), layers=1, magnitude=15)
    kinds, counts = made.flatten(1).unique(dim=0, return_counts=True)
    assert 4 + 2 * 9 - 2 <= len(kinds) <= 5 + 2 * 9 and counts.min() > 25 and counts.max() < 300


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, k: policies.randaugment(x, k, magnitude=31), "magnitude=31 from 0 to 30"),
        (lambda x, k: policies.augmix(x, k, severity=11), "severity=11 must be from 0.1 to 10"),
        (lambda x, k: color.jitter(x, k, hue=0.6), "hue=0.6 from 0 to 0.5"),
    ],
)
def test_values_that_mean_nothing(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(IMAGES, sample_keys(0, 0, torch.arange(6)))
