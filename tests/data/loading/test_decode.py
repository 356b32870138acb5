"""Images of every mode and orientation, and what is refused because its scale is not known."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainyard.data.loading.decode import decode_file

SHAPE = (3, 4, 4)
COLOR = (10, 200, 30)


@pytest.mark.parametrize(
    ("mode", "suffix", "expected"),
    [
        ("L", "png", (124, 124, 124)),
        ("LA", "png", (124, 124, 124)),
        ("RGBA", "png", COLOR),
        ("P", "png", COLOR),
        ("P", "gif", COLOR),
        ("CMYK", "tiff", COLOR),
        ("1", "png", (0, 0, 0)),
        ("I;16", "png", (124, 124, 124)),
        ("I;16", "tiff", (124, 124, 124)),
    ],
)
def test_every_mode_becomes_rgb(mode: str, suffix: str, expected: tuple[int, ...], tmp_path: Path) -> None:
    image = Image.new("RGB", (9, 6), COLOR)
    if mode == "P":
        image = image.quantize(4)
    elif mode == "I;16":
        image = Image.fromarray(np.full((6, 9), 124 * 256 + 200, dtype=np.uint16))
    else:
        image = image.convert("L").point([0] * 256, "1") if mode == "1" else image.convert(mode)
    image.save(tmp_path / f"x.{suffix}")
    pixels = decode_file(tmp_path / f"x.{suffix}", SHAPE)
    assert pixels.shape == SHAPE and pixels[:, 2, 2].tolist() == list(expected)


def test_a_palette_with_transparent_colors_is_read_without_a_warning(tmp_path: Path) -> None:
    image = Image.new("RGB", (9, 6), COLOR).quantize(4)
    image.save(tmp_path / "x.png", transparency=bytes([128, 0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_file(tmp_path / "x.png", SHAPE)[:, 0, 0].tolist() == list(COLOR)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_an_image_that_was_turned_is_upright(kind: type, tmp_path: Path) -> None:
    values = np.zeros((4, 4), dtype=kind)
    values[0, :] = np.iinfo(kind).max  # the first row, which the orientation puts at the right
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(values).save(tmp_path / "x.png", exif=exif)
    assert decode_file(tmp_path / "x.png", (1, 4, 4))[0].tolist() == [[0, 0, 0, 255]] * 4


@pytest.mark.parametrize("suffix", ["tiff", "npy"])
def test_floats_and_large_integers_are_refused(suffix: str, tmp_path: Path) -> None:
    for values, said in (
        (np.linspace(0, 1, 36, dtype=np.float32).reshape(6, 6), "its values are float32 from 0 to 1, and images have"),
        (np.full((6, 6), 70_000, dtype=np.int32), "its values are int32 from 70000 to 70000, and images have uint8"),
    ):
        file = tmp_path / f"x.{suffix}"
        np.save(file, values) if suffix == "npy" else Image.fromarray(values).save(file)
        with pytest.raises(ValueError, match=f"x.{suffix} cannot be read as an image .{said}"):
            decode_file(file, SHAPE)


def test_arrays_of_bytes_are_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    small = rng.integers(256, size=(3, 4, 4), dtype=np.uint8)  # of the wanted shape: its last axis is not RGBA
    np.save(tmp_path / "x.npy", small)
    assert np.array_equal(decode_file(tmp_path / "x.npy", SHAPE), small)
    pixels = rng.integers(256, size=(6, 6, 3), dtype=np.uint8)
    for values in (pixels, np.moveaxis(pixels, 2, 0), pixels.astype(np.uint16) * 256 + 77):
        np.save(tmp_path / "x.npy", values)
        assert np.array_equal(decode_file(tmp_path / "x.npy", (3, 6, 6)).permute(1, 2, 0), pixels)
    for values in (pixels[..., 0], pixels[..., :1], pixels[..., :1].transpose(2, 0, 1)):
        np.save(tmp_path / "x.npy", values)
        assert np.array_equal(decode_file(tmp_path / "x.npy", (3, 6, 6))[1], pixels[..., 0])
    for values, said in (
        (np.zeros((2, 4, 4, 3), dtype=np.uint8), r"its shape is \(2, 4, 4, 3\), and an image has"),
        (np.zeros((6, 6, 2), dtype=np.uint8), "or 1, 3 or 4 channels"),
        (np.zeros((0, 4), dtype=np.uint8), "its shape is"),
        (np.full((4, 4), "a"), "its values are <U1, and images have uint8 or uint16"),
        (np.array([[{}]]), "Object arrays cannot be loaded"),
    ):
        np.save(tmp_path / "x.npy", values)
        with pytest.raises(ValueError, match=said):
            decode_file(tmp_path / "x.npy", SHAPE)
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:20])
    with pytest.raises(ValueError, match="cannot be read as an image"):
        decode_file(tmp_path / "x.npy", SHAPE)
