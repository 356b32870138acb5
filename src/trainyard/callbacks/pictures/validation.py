"""Pictures of what a classifier predicted in a validation."""

from itertools import chain

import torch
from matplotlib.figure import Figure
from torch import Tensor

from trainyard.callbacks.pictures.scene import Drawn, Scene
from trainyard.data.base import DataModule, Samples
from trainyard.data.images import Images
from trainyard.data.text import Text
from trainyard.evaluation.classes import calibration_of, confusion_matrix
from trainyard.figures.confusion import confusion, worst_classes
from trainyard.figures.heat_map import to_unit
from trainyard.figures.mistakes import Mistake, image_mistakes, text_mistakes
from trainyard.figures.precision_recall import precision_recall
from trainyard.figures.reliability import reliability

MATRIX = 40  # classes, up to which a matrix can be read
MOST = 4096  # classes, up to which the matrix is counted
MOST_IMAGES, MOST_TEXTS = 16, 8  # mistakes that are shown


def confusion_of(scene: Scene) -> Drawn:
    """The confusion matrix; of many classes those that are predicted worst."""
    found, classes = scene.predicted, scene.classes
    if not found or len(classes) > MOST:
        return None
    matrix = confusion_matrix(found.guesses, found.labels, len(classes))
    draw = confusion if len(classes) <= MATRIX else worst_classes
    right = int((found.guesses == found.labels).sum())
    return titled(draw(matrix, classes), f"{right:,} of {len(found):,} validation samples are right{scene.scope}")


def reliability_of(scene: Scene) -> Drawn:
    """How far the probabilities of the predicted classes can be trusted."""
    if not (found := scene.predicted):
        return None
    where = calibration_of(found.confidence, found.guesses == found.labels)
    return reliability(where.confidence, where.accuracy, where.count, where.error)


def precision_recall_of(scene: Scene) -> Drawn:
    """Precision over recall of the second of two classes."""
    found = scene.predicted
    if not found or len(scene.classes) != 2 or not 0 < int(found.labels.sum()) < len(found):
        return None
    return precision_recall(found.second, found.labels == 1, scene.classes[1])


def titled(figure: Figure, title: str) -> Figure:
    """The figure with a small title above all."""
    figure.suptitle(title, fontsize="medium", color="black")
    return figure


def mistakes_of(scene: Scene) -> Drawn:
    """The mistakes that the network was surest of: images in a grid, texts in a list."""
    found, data = scene.predicted, scene.data
    if not found or not isinstance(data, Images | Text):
        return None
    wrong = (found.guesses != found.labels).nonzero().flatten()
    most = MOST_IMAGES if isinstance(data, Images) else MOST_TEXTS
    rows = wrong[found.confidence[wrong].topk(min(most, len(wrong))).indices]
    if not len(rows):
        return None
    names, samples = scene.classes, data.splits["val"]
    index = seen(data, len(found))
    if len(index) != len(found) or not samples.all_labels[samples.rows[index]].equal(found.labels):
        return None  # a loader of somebody's own, in an order of its own
    index = index[rows]
    columns = (part[rows].tolist() for part in (found.labels, found.guesses, found.confidence))
    mistakes = [Mistake(names[label], names[guess], sure) for label, guess, sure in zip(*columns, strict=True)]
    title = f"the surest of {len(wrong):,} mistakes on {len(found):,} validation samples{scene.scope}"
    if isinstance(data, Text):
        return text_mistakes(texts_of(data, samples, index), mistakes, title)
    images = torch.stack([to_unit(image) for image in samples.inputs[samples.rows[index]]])
    return image_mistakes(images, mistakes, title)


def seen(data: DataModule, count: int) -> Tensor:  # -> (count)
    """The indices of the first `count` validation samples that this process has scored, in their order."""
    order = chain.from_iterable(batch.index.tolist() for batch in data.loader("val").sampler)  # pyright: ignore
    return torch.tensor([index for index, _ in zip(order, range(count), strict=False)])


def texts_of(data: Text, samples: Samples, index: Tensor) -> list[str]:
    """Texts as the network reads them, decoded from their tokens."""
    tokenizer, tokens = data.saved_tokenizer(), samples.inputs[samples.rows[index]]
    return [tokenizer.decode(row.tolist()) for row in tokens]
