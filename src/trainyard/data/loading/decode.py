"""From image files to tensors of one shape."""

from contextlib import nullcontext
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from trainyard.files import open_regular

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # Pillow would run other programs to read some others
MAX_PIXELS = 1 << 26  # of an image: 67 million
LARGE = 1 << 23  # pixels; larger images are decoded one at a time, to bound the memory
_one_large = Lock()


def decode_file(path: Path, shape: tuple[int, ...], header_only: bool = False) -> Tensor:
    """An image file as (channels, height, width) uint8; ValueError with the file's name if it is not an image.

    With `header_only` nothing is decoded, and the tensor is empty.
    """
    try:
        with open_regular(path) as opened, Image.open(opened, formats=FORMATS) as file:
            if header_only:
                check_size(file)
                return torch.empty(0)
            return to_tensor(file, shape)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as an image ({error}); repair or delete it") from error


def to_tensor(image: Image.Image, shape: tuple[int, ...]) -> Tensor:
    """An image, scaled and center-cropped, as (channels, height, width) uint8; with one channel it becomes grayscale.

    ValueError for one of too many pixels.
    """
    channels, height, width = shape
    check_size(image)
    with _one_large if image.width * image.height > LARGE else nullcontext():
        upright = ImageOps.exif_transpose(eight_bits(image)).convert("RGB" if channels == 3 else "L")
        fitted = ImageOps.fit(upright, (width, height))
    return torch.from_numpy(np.array(fitted)).view(height, width, channels).permute(2, 0, 1).contiguous()


def check_size(image: Image.Image) -> None:
    """Raise ValueError for an image of too many pixels; nothing is decoded for it."""
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width} x {image.height} are more than {MAX_PIXELS:,} pixels")


def eight_bits(image: Image.Image) -> Image.Image:
    """A 16-bit grayscale image scaled to 8 bits (Pillow's own conversion clips at 255); others as they are."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image) / 256).clip(0, 255).astype(np.uint8))
