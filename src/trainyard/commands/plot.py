"""Draw something into a PNG."""

from trainyard.build import build
from trainyard.compose import compose, resolve
from trainyard.errors import UserError, did_you_mean

PICTURES = ("activations", "augment")


def main(argv: list[str]) -> None:
    """trainyard plot activations|augment [data=cifar10 data.augment=article ...] [out=FILE.png]"""
    if not argv or argv[0] not in PICTURES:
        word = argv[0] if argv else ""
        raise UserError(
            f"{word or 'nothing'} cannot be plotted.{did_you_mean(word, PICTURES)} Choose one of {', '.join(PICTURES)}."
        )
    out = next((word[4:] for word in argv if word.startswith("out=")), f"{argv[0]}.png")
    words = [word for word in argv[1:] if not word.startswith("out=")]
    {"activations": activations, "augment": augment}[argv[0]](words, out)


def activations(words: list[str], out: str) -> None:
    """Save every activation function there is, with its derivative."""
    if words:
        raise UserError(f"plot activations takes nothing but out=FILE.png, not {' '.join(words)}")
    from trainyard.figures.activations import curves
    from trainyard.models.activations import ACTIVATIONS, activation

    curves({name: activation(name) for name in ACTIVATIONS}).savefig(out, dpi=120)
    print(out)


def augment(overrides: list[str], out: str) -> None:
    """Save a row for each of six training images: as it is, then as nine epochs see it."""
    import torch
    from torchvision.utils import save_image

    from trainyard.data.draws import sample_keys
    from trainyard.data.images import Images
    from trainyard.figures.augment import augmented

    composed = compose(overrides)
    if composed.cfg.data.get("augment") == "none":
        composed = compose([*overrides, "data.augment=article"])
    data = build(resolve(composed).data, f"data={composed.choices['data']}")
    if not isinstance(data, Images):
        raise UserError(f"data={composed.choices['data']} has no images to augment; choose an image data set")
    data.prepare_data()
    data.setup("fit")
    index = torch.arange(min(6, len(data.splits["train"])))
    images = data.splits["train"].inputs[data.splits["train"].rows[index]]
    keys = [sample_keys(data.seed, epoch, index) for epoch in range(9)]
    save_image(augmented(data.pixels, images, keys), out)
    print(out)
