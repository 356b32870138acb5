"""Training samples, as the network gets them."""

import html
import re
from typing import Any

import torch
from torch import Tensor

from trainyard.callbacks.pictures.scene import Drawn, Scene
from trainyard.data.base import Samples
from trainyard.data.images import Images
from trainyard.data.loading.hashing import sample_keys
from trainyard.data.loading.order import BatchIndices
from trainyard.data.loading.tokens import PAD
from trainyard.data.text import Text
from trainyard.figures.augment import augmented
from trainyard.tasks.language import IGNORE

ROWS, EPOCHS, TEXTS = 8, 9, 8
SIDE = 64  # pixels, to about which a smaller image is enlarged


def batch_of(scene: Scene) -> Drawn:
    """Some training samples: a row for each image, as it is and as augmented in nine epochs; texts as a list."""
    data = scene.data
    if isinstance(data, Images):
        return augmented_images(data)
    return training_texts(data) if isinstance(data, Text) else None


def augmented_images(data: Images) -> Tensor:  # -> (3, height, width)
    """Training images at equal distances; if the data augments, each of them as it is in the first epochs."""
    augments = bool(data.pixels.augmentations)
    samples, count = data.splits["train"], ROWS if augments else ROWS * (EPOCHS + 1)
    index = torch.linspace(0, len(samples) - 1, min(count, len(samples))).round().long()
    images = samples.inputs[samples.rows[index]].to(data.pixels.mean.device)
    epochs = range(EPOCHS if augments else 0)
    grid = augmented(lambda x, epoch: data.augmented(x, index, epoch), images, epochs, columns=EPOCHS + 1)
    times = max(1, SIDE // images.shape[-1])
    return grid.repeat_interleave(times, 1).repeat_interleave(times, 2)


def training_texts(data: Text) -> str:
    """Training texts at equal distances, with their labels or, of a masked language model, their gaps."""
    samples = data.splits["train"]
    index = torch.linspace(0, len(samples) - 1, min(TEXTS, len(samples))).round().long()
    inputs, targets = prepared(data, samples, index)
    tokenizer, heading = data.saved_tokenizer(), "what it predicts" if data.num_classes == 0 else "label"
    rows = [f"| {heading} | text as the network reads it |", "| --- | --- |"]
    for tokens, target in zip(inputs, targets, strict=True):
        if target.ndim:
            known = target[target != IGNORE]
            label = f"{len(known)} of {int((tokens != PAD).sum())} tokens"
        else:
            label = data.classes[int(target)]
        text = tokenizer.decode(tokens[tokens != PAD].tolist(), skip_special_tokens=False)
        rows.append(f"| {plain(label)} | {plain(text)} |")
    return "\n".join(rows)


def prepared(data: Text, samples: Samples, index: Tensor) -> tuple[Tensor, Any]:
    """What a training step gets of these samples, in the first epoch."""
    rows = samples.rows[index]
    keys = sample_keys(data.seed, 0, index)
    share = BatchIndices(index, keys, int(keys[0]))
    return data.on_after_batch_transfer((samples.inputs[rows], samples.all_labels[rows], share), 0)


def plain(text: str) -> str:
    """A text in one line of Markdown, which shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|~$])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
