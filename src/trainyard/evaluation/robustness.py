"""How the scores change when the samples are disturbed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from trainyard.data.images import Images
from trainyard.data.loading.text_blocks import TextBlocks
from trainyard.data.text import Text
from trainyard.evaluation.corruptions import Corruption, of_images, of_texts
from trainyard.evaluation.evaluate import Evaluator


class Disturbed(NamedTuple):
    """The scores under one disturbance."""

    corruption: str
    strength: str
    scores: dict[str, float]


def robustness(evaluator: Evaluator) -> Iterator[Disturbed]:
    """The scores under each disturbance, as they are computed; ValueError for data that has none."""
    for name, strengths in corruptions_of(evaluator.data).items():
        for strength, corruption in strengths:
            with disturbed(evaluator.data, corruption):
                yield Disturbed(name, strength, evaluator.scores())


def corruptions_of(data: Any) -> dict[str, list[tuple[str, Corruption]]]:
    """The disturbances of a data module's samples; ValueError if there are none."""
    if isinstance(data, Images):
        return of_images(data.shape[0])
    if isinstance(data, Text) and not isinstance(data, TextBlocks):
        return of_texts(data.padding_side)
    raise ValueError(f"robustness disturbs images or labeled texts, and {type(data).__name__} has neither")


@contextmanager
def disturbed(data: Any, corruption: Corruption) -> Iterator[None]:
    """Have the samples of each batch disturbed on the device, before they are prepared for the network."""
    prepare = data.on_after_batch_transfer

    def disturb(batch: Any, dataloader_idx: int) -> Any:
        inputs, labels, share = batch
        return prepare((corruption(inputs, share.keys), labels, share), dataloader_idx)

    data.on_after_batch_transfer = disturb
    try:
        yield
    finally:
        del data.on_after_batch_transfer
