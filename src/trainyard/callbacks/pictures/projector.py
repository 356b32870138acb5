"""Embeddings for TensorBoard's PROJECTOR: validation samples before the head, or the tokens of a vocabulary."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from tensorboard.plugins.projector import ProjectorConfig  # pyright: ignore
from torch import Tensor, nn

from trainyard.callbacks.pictures.album import encode
from trainyard.callbacks.pictures.inputs import spread, val_inputs
from trainyard.callbacks.pictures.scene import Scene
from trainyard.callbacks.pictures.validation import texts_of
from trainyard.data.images import Images
from trainyard.data.loading.tokens import SPECIAL
from trainyard.data.text import Text
from trainyard.figures.heat_map import to_unit
from trainyard.files import write_durably
from trainyard.tasks.classification import Classification
from trainyard.tasks.head import head_parts

SAMPLES, TOKENS, BATCH = 200, 1000, 50
AXES = 50  # principal components that are kept
SPRITE = 32  # pixels of a small image
FOLDER, CONFIG = "projector", "projector_config.pbtxt"


class Embedded(NamedTuple):
    """Points, and what is known of each."""

    name: str
    points: Tensor  # (N, F)
    columns: dict[str, list[str]]
    images: Tensor | None = None  # (N, 3, SPRITE, SPRITE) in [0, 1]


def projector_of(scene: Scene) -> None:
    """Write the files of the projector into TensorBoard's directories of this run."""
    if not scene.writers or not scene.can_call:
        return
    found = samples_of(scene) if isinstance(scene.task, Classification) else tokens_of(scene)
    if found is not None and len(found.points) > 2:
        for writer in scene.writers:
            write(found, Path(writer.log_dir))


def samples_of(scene: Scene) -> Embedded | None:
    """Validation samples by what the last linear layer of the network's head gets."""
    layers, index = head_layers(scene.task), spread(scene.data, SAMPLES)
    if not layers or index is None:
        return None
    features, guesses = [], []

    def record(module: nn.Module, inputs: Any) -> None:
        features.append(inputs[0].float().flatten(1).cpu())

    handle = layers[-1].register_forward_pre_hook(record)
    try:
        with scene.calling() as net:
            for part in index.split(BATCH):
                outputs = scene.task.postprocess(net(val_inputs(scene, part)))  # pyright: ignore
                guesses.append(outputs.argmax(1).cpu())
    finally:
        handle.remove()
    samples = scene.data.splits["val"]
    names, labels = scene.classes, samples.all_labels[samples.rows[index]].tolist()
    columns = {
        "label": [names[label] for label in labels],
        "prediction": [names[guess] for guess in torch.cat(guesses).tolist()],
    }
    if isinstance(scene.data, Text):
        columns["text"] = [text[:100] for text in texts_of(scene.data, samples, index)]
    images = sprites(samples.inputs[samples.rows[index]]) if isinstance(scene.data, Images) else None
    return Embedded("validation samples before the head", torch.cat(features), columns, images)


def head_layers(task: Any) -> list[nn.Module]:
    """The linear layers of the network's head; none where it is not clear what that is."""
    try:
        parts = head_parts(task)
    except ValueError:
        return []
    modules = [module for name in parts for module in task.net.get_submodule(name).modules()]
    return [module for module in modules if isinstance(module, nn.Linear)]


def tokens_of(scene: Scene) -> Embedded | None:
    """The embeddings of the most frequent tokens of a language model."""
    embedding = getattr(scene.net, "embedding", None)
    if not isinstance(embedding, nn.Embedding) or not isinstance(scene.data, Text):
        return None
    tokenizer = scene.data.saved_tokenizer()
    rows = range(len(SPECIAL), min(len(SPECIAL) + TOKENS, tokenizer.get_vocab_size(), embedding.num_embeddings))
    points = embedding.weight.detach()[list(rows)].float().cpu()
    return Embedded("token embeddings", points, {"token": [tokenizer.decode([row]) for row in rows]})


def sprites(images: Tensor) -> Tensor:  # (N, C, H, W) uint8 -> (N, 3, SPRITE, SPRITE)
    """Images in the size in which the projector shows them."""
    small = F.interpolate(to_unit(images), (SPRITE, SPRITE), mode="bilinear", antialias=True)
    return small[:, :3] if small.shape[1] >= 3 else small[:, :1].expand(-1, 3, -1, -1)


def write(found: Embedded, folder: Path) -> None:
    """Write the points, what is known of them and their images, then the config that names these files."""
    names = {name: f"{FOLDER}/{name}" for name in ("points.tsv", "labels.tsv", "sprites.png")}
    lines = ["\t".join(map(one_line, row)) for row in zip(*found.columns.values(), strict=True)]
    if len(found.columns) > 1:  # TensorBoard takes the first line of several columns for their names
        lines.insert(0, "\t".join(found.columns))
    texts = {
        "points.tsv": "\n".join(
            "\t".join(f"{value:.5g}" for value in row) for row in components(found.points).tolist()
        ),
        "labels.tsv": "\n".join(lines),
    }
    config = ProjectorConfig()
    shown = config.embeddings.add()
    shown.tensor_name, shown.tensor_path, shown.metadata_path = found.name, names["points.tsv"], names["labels.tsv"]
    for name, text in texts.items():
        write_durably(folder / names[name], lambda file, text=text: file.write(f"{text}\n".encode()))
    if found.images is not None:
        shown.sprite.image_path = names["sprites.png"]
        shown.sprite.single_image_dim.extend([SPRITE, SPRITE])
        content = encode(sheet(found.images))
        write_durably(folder / names["sprites.png"], lambda file: file.write(content))
    write_durably(folder / CONFIG, lambda file: file.write(str(config).encode()))


def components(points: Tensor) -> Tensor:  # (N, F) -> (N, at most AXES)
    """The points along their principal axes: the projector draws few dimensions as well, and faster."""
    centered = points - points.mean(0)
    left, values, _ = torch.linalg.svd(centered, full_matrices=False)
    return (left * values)[:, :AXES]


def sheet(images: Tensor) -> Tensor:  # (N, 3, S, S) -> (3, side, side)
    """The images in rows of a square."""
    count, size = len(images), images.shape[-1]
    side = next(n for n in range(1, count + 1) if n * n >= count)
    filled = torch.cat([images, images.new_ones(side * side - count, *images.shape[1:])])
    return filled.view(side, side, 3, size, size).permute(2, 0, 3, 1, 4).reshape(3, side * size, side * size)


def one_line(text: str) -> str:
    """A text without what separates columns and rows; something where it is empty."""
    return " ".join(text.split()) or "\N{OPEN BOX}"
