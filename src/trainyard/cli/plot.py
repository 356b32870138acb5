"""trainyard plot: save a figure as a PNG file."""

import argparse
from typing import Any

from trainyard.cli.parser import examples
from trainyard.errors import UserError


def add_parser(commands: Any) -> None:
    """Add the command, with a subcommand for each figure."""
    parser = commands.add_parser(
        "plot",
        help="activation functions, or augmented training images, as a PNG file",
        description="Save a figure as a PNG file, by default named after the figure.",
        epilog=examples(
            "trainyard plot activations",
            "trainyard plot augment data=cifar10 data.augment=article out=augmented.png",
        ),
    )
    figures = parser.add_subparsers(title="figures", metavar="FIGURE", required=True)
    for name, draw, help_text in (
        ("activations", activations, "every activation function with its derivative"),
        ("augment", augment, "six training images, each unchanged and as augmented in nine epochs"),
    ):
        figure = figures.add_parser(name, help=help_text)
        figure.add_argument("words", nargs="*", metavar="key=value", help="out=FILE.png, and changes to the config")
        figure.set_defaults(run=run, draw=draw, figure=name)


def run(options: argparse.Namespace) -> None:
    """Save the figure, and print the name of its file."""
    out = next((word[4:] for word in options.words if word.startswith("out=")), f"{options.figure}.png")
    options.draw([word for word in options.words if not word.startswith("out=")], out)
    print(out)


def activations(words: list[str], out: str) -> None:
    """Save every activation function, with its derivative."""
    if words:
        raise UserError(f"plot activations takes no argument but out=FILE.png, not {' '.join(words)}")
    from trainyard.figures.activations import curves
    from trainyard.models.layers.activations import ACTIVATIONS, activation

    curves({name: activation(name) for name in ACTIVATIONS}).savefig(out, dpi=120)


def augment(words: list[str], out: str) -> None:
    """Save a row for each of six training images: unchanged, then as augmented in nine epochs."""
    import torch
    from torchvision.utils import save_image

    from trainyard.config.compose import compose
    from trainyard.config.instantiate import instantiate
    from trainyard.config.resolve import resolve
    from trainyard.data.images import Images
    from trainyard.data.loading.hashing import sample_keys
    from trainyard.figures.augment import augmented

    composed = compose(words)
    if composed.cfg.data.get("augment") == "none":
        composed = compose([*words, "data.augment=article"])
    choice = composed.choices["data"]
    data = instantiate(resolve(composed).data, f"data={choice}")
    if not isinstance(data, Images):
        raise UserError(f"data={choice} has no images to augment; choose an image dataset")
    data.prepare_data()
    data.setup("fit")
    index = torch.arange(min(6, len(data.splits["train"])))
    images = data.splits["train"].inputs[data.splits["train"].rows[index]]
    keys = [sample_keys(data.seed, epoch, index) for epoch in range(9)]
    save_image(augmented(data.pixels, images, keys), out)
