"""Where pictures are put: TensorBoard's IMAGES and TEXT, and PNG files."""

from io import BytesIO

import torch
from matplotlib.figure import Figure
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore
from torch import Tensor

from trainyard.callbacks.pictures.scene import Scene
from trainyard.files import write_durably

DPI = 100
CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}


def put(scene: Scene, tag: str, drawn: Figure | Tensor | str, step: int, with_file: bool = True) -> None:
    """Put a picture, or a text, where it belongs; a picture also into a file of its name, unless not `with_file`."""
    if isinstance(drawn, str):
        for writer in scene.writers:
            writer.add_text(tag, drawn, step)
        return
    content = encode(drawn)
    summary = image_summary(tag, content)
    for writer in scene.writers:  # writer.add_image would compress the pixels once more
        writer._get_file_writer().add_summary(summary, step)
    if with_file:
        write_durably(scene.folder / f"{tag.rpartition('/')[2]}.png", lambda file: file.write(content))


def encode(drawn: Figure | Tensor) -> bytes:
    """A PNG file. (Compressing more would take most of the time.)"""
    stream = BytesIO()
    if isinstance(drawn, Figure):
        drawn.savefig(stream, format="png", dpi=DPI, pil_kwargs={"compress_level": 1})
    else:
        pixels = (255 * drawn.clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        Image.fromarray(pixels).save(stream, format="png", compress_level=1)
    return stream.getvalue()


def image_summary(tag: str, content: bytes) -> Summary:
    """TensorBoard's record of a PNG file."""
    with Image.open(BytesIO(content)) as image:  # reads the header alone
        (width, height), colors = image.size, CHANNELS.get(image.mode, 3)
    shown = Summary.Image(height=height, width=width, colorspace=colors, encoded_image_string=content)
    return Summary(value=[Summary.Value(tag=tag, image=shown)])
