"""An image, what an explanation says about each of its pixels, and both on each other."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from trainyard.figures.colors import MAPS, limit

CLIPPED = 0.99  # of the pixels are within the color scale; a few extremes would leave the rest without color


def heat_map(image: Tensor, values: Tensor, title: str, signed: bool) -> Figure:
    """(C, H, W) in [0, 1], (H, W) -> three panels; `signed` values are red where they speak for the class."""
    figure = Figure(figsize=(9.2, 3.5), layout="constrained", facecolor="white")
    figure.suptitle(title, fontsize=11, parse_math=False, color="black")
    panels = figure.subplots(1, 3)
    end = limit(values, CLIPPED)
    scale = {"cmap": MAPS["signed" if signed else "unsigned"], "vmin": -end if signed else 0, "vmax": end}
    show_image(panels[0], image)
    shown = panels[1].imshow(values.numpy(), **scale)
    clipped = bool((values.abs() > end).any())
    beyond = ("both" if signed else "max") if clipped else "neither"
    bar = figure.colorbar(shown, ax=panels[1], extend=beyond, fraction=0.046, pad=0.02)
    bar.ax.tick_params(labelsize=7)
    show_image(panels[2], image.mean(0, keepdim=True))
    opacity = (values.abs() / end).clamp(0, 1).sqrt()
    panels[2].imshow(values.numpy(), alpha=(0.85 * opacity).numpy(), **scale)
    kind = "against (blue), for (red)" if signed else "importance"
    for panel, name in zip(panels, ("input", kind, "on the input"), strict=True):
        panel.set_title(name, fontsize=9, color="black")
        panel.set_axis_off()
    return figure


def show_image(panel: object, image: Tensor) -> None:
    """Draw an image of one channel in gray, of three in color."""
    pixels = image.permute(1, 2, 0) if len(image) == 3 else image.mean(0)
    panel.imshow(pixels.clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")  # pyright: ignore


def to_unit(image: Tensor) -> Tensor:
    """An image for `heat_map`: bytes divided by 255, other numbers stretched to [0, 1]."""
    if image.dtype == torch.uint8:
        return image.float() / 255
    low, high = image.min(), image.max()
    return (image - low) / (high - low).clamp(min=1e-12)
