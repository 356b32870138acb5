"""From image files to tensors of one shape."""

import io
import os
from contextlib import nullcontext
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from trainyard.files import open_regular

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # Pillow would run other programs to read some others
MAX_PIXELS = 1 << 26  # of an image: 67 million
MAX_16_BITS = (1 << 16) - 1
CHANNELS = (1, 3, 4)  # of an array: gray, RGB, RGBA
ARRAY, MAX_ARRAY = ".npy", 1 << 29  # bytes
LARGE = 1 << 23  # pixels; larger images are decoded one at a time, to bound the memory
BROKEN = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)  # what reading an image raises
_one_large = Lock()


def decode_file(path: Path, shape: tuple[int, ...], header_only: bool = False) -> Tensor:
    """An image file as (channels, height, width) uint8; ValueError with the file's name if it is not an image.

    With `header_only` nothing is decoded, and the tensor is empty.
    """
    try:
        if path.suffix.lower() == ARRAY:
            return to_tensor(array_image(path, shape), shape)
        with open_regular(path) as opened, Image.open(opened, formats=FORMATS) as file:
            if header_only:
                check_size(file)
                return torch.empty(0)
            return to_tensor(file, shape)
    except BROKEN as error:
        raise ValueError(f"{path} cannot be read as an image ({reason(error)}); repair or delete it") from error


def image_of(source: bytes | Path, named: str) -> Image.Image:
    """The image in a file or its content, upright, of 8 bits; ValueError, `named`, if it is none."""
    try:
        if isinstance(source, Path):
            with open_regular(source) as file:
                source = file.read()
        image = Image.open(io.BytesIO(source), formats=FORMATS)
        check_size(image)
        return eight_bits(ImageOps.exif_transpose(image))
    except BROKEN as error:
        raise ValueError(f"{named} cannot be read as an image ({reason(error)})") from error


def reason(error: Exception) -> str:
    """Why an image cannot be read; the text of an unknown format names an object of Python's."""
    return f"its content is none of {', '.join(FORMATS)}" if isinstance(error, UnidentifiedImageError) else str(error)


def to_tensor(image: Image.Image, shape: tuple[int, ...]) -> Tensor:
    """An image, scaled and center-cropped, as (channels, height, width) uint8; with one channel it becomes grayscale.

    ValueError for one of too many pixels.
    """
    channels, height, width = shape
    check_size(image)
    with _one_large if image.width * image.height > LARGE else nullcontext():
        upright = eight_bits(ImageOps.exif_transpose(image)).convert("RGB" if channels == 3 else "L")
        fitted = ImageOps.fit(upright, (width, height))
    return torch.from_numpy(np.array(fitted)).view(height, width, channels).permute(2, 0, 1).contiguous()


def check_size(image: Image.Image) -> None:
    """Raise ValueError for an image of too many pixels; nothing is decoded for it."""
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width} x {image.height} are more than {MAX_PIXELS:,} pixels")


def eight_bits(image: Image.Image) -> Image.Image:
    """A 16-bit grayscale image scaled to 8 bits (Pillow's own conversion clips at 255); others as they are.

    ValueError for values whose scale is not known: floats, and integers of more than 16 bits.
    """
    if image.mode == "P" and isinstance(image.info.get("transparency"), bytes):
        return image.convert("RGBA")  # which does not warn
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > MAX_16_BITS:
        raise ValueError(unknown_scale(values))
    return Image.fromarray((values / 256).astype(np.uint8))


def unknown_scale(values: np.ndarray) -> str:
    """Why an image of such values is refused."""
    if values.dtype.kind not in "iuf":
        return f"its values are {values.dtype}, and images have uint8 or uint16"
    low, high = (f"{value:g}" for value in (values.min(), values.max()))
    way = "; (255 * image).round().astype(np.uint8) converts floats from 0 to 1" if values.dtype.kind == "f" else ""
    return f"its values are {values.dtype} from {low} to {high}, and images have uint8 from 0 to 255 or uint16{way}"


def array_image(path: Path, wanted: tuple[int, ...]) -> Image.Image:
    """The image in a .npy file: (H, W), (H, W, C) or (C, H, W), uint8, uint16 or bool; ValueError for any other.

    One of the shape `wanted` is (C, H, W), whatever its last axis.
    """
    with open_regular(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > MAX_ARRAY:
            raise ValueError(f"{size:,} bytes are more than {MAX_ARRAY:,}")
        values = np.load(file, allow_pickle=False)
    shape = values.shape
    if values.ndim == 3 and shape[0] in CHANNELS and (shape == wanted or shape[2] not in CHANNELS):
        values = np.moveaxis(values, 0, 2)
    if values.ndim not in (2, 3) or not values.size or (values.ndim == 3 and values.shape[2] not in CHANNELS):
        raise ValueError(f"its shape is {shape}, and an image has (height, width) or 1, 3 or 4 channels as well")
    if values.dtype == np.bool_:
        values = 255 * values.astype(np.uint8)
    elif values.dtype == np.uint16:
        values = (values // 256).astype(np.uint8)
    elif values.dtype != np.uint8:
        raise ValueError(unknown_scale(values))
    return Image.fromarray(np.ascontiguousarray(values[:, :, 0] if values.shape[2:] == (1,) else values))
