"""What all image datasets share: bytes in memory, classes by name, transforms on the device."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from trainyard.data.base import DataModule, Samples
from trainyard.data.loading.decode import decode_file, to_tensor
from trainyard.data.loading.hashing import epoch_turns, sample_keys
from trainyard.data.loading.mixup import Mixup
from trainyard.data.loading.transforms import Pixels


class Images(DataModule):
    """Images of one `shape` (channels, height, width), as uint8; the network gets them normalized by `mean` and `std`.

    `classes` are the names of the classes to use, in the order of their labels; they may be a subset of the data's.
    """

    def __init__(
        self,
        shape: list[int],
        classes: list[str],
        num_classes: int,
        mean: list[float],
        std: list[float],
        augment: str | Sequence[Any] = "none",
        mix: str = "none",
        mix_alpha: float = 1.0,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        classes = [str(name) for name in classes]  # data.classes=[3,7] has numbers
        if num_classes != len(classes):
            raise ValueError(f"num_classes={num_classes}, but there are {len(classes)} classes: {', '.join(classes)}")
        if len(set(classes)) < len(classes):
            raise ValueError(f"classes={classes} names a class twice")
        if len(mean) not in (1, shape[0]):
            raise ValueError(f"mean={list(mean)} must have a value for each of the {shape[0]} channels, or one for all")
        self.shape, self.classes, self.num_classes = tuple(shape), classes, num_classes
        self.pixels, self.mixer = Pixels(mean, std, augment), Mixup(mix, num_classes, mix_alpha)
        self.mixes_neighbors = mix != "none"
        if self.pixels.augmentations:  # once now, for what is wrong with its options
            self.pixels(torch.zeros(1, *shape, dtype=torch.uint8), torch.zeros(1, dtype=torch.long))

    def prepare_inputs(self, inputs: Any) -> Tensor:
        """Images (N, *shape) uint8, as a tensor or an array; or one or several files or Pillow images of any size."""
        if isinstance(inputs, str | Path | Image.Image):
            inputs = [inputs]
        if isinstance(inputs, list | tuple) and inputs and all(isinstance(x, str | Path | Image.Image) for x in inputs):
            shape = self.shape
            return torch.stack([to_tensor(x, shape) if isinstance(x, Image.Image) else decode_file(Path(x), shape)
                                for x in inputs])  # fmt: skip
        images = super().prepare_inputs(inputs)
        if images.dtype != torch.uint8:
            raise ValueError(
                f"the images are {images.dtype}, and predict takes uint8 from 0 to 255, as the data stores them; "
                "(255 * images).round().to(torch.uint8) converts floats from 0 to 1"
            )
        if tuple(images.shape[1:]) != self.shape:
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(f"the images are {tuple(images.shape)}, and predict takes (N, {wanted})")
        return images

    def transform(self, inputs: Tensor, keys: Tensor | None) -> Tensor:
        turns = None
        if keys is not None and self.share is not None:
            turns = epoch_turns(self.seed, self.trainer.current_epoch if self.trainer else 0, self.share.index)
        return self.pixels.to(inputs.device)(inputs, keys, turns)

    def augmented(self, images: Tensor, index: Tensor, epoch: int | None) -> Tensor:
        """Training images as they are in an epoch, or unchanged; `index` are their places among the samples."""
        if epoch is None:
            return self.pixels(images)
        keys, turns = sample_keys(self.seed, epoch, index), epoch_turns(self.seed, epoch, index)
        return self.pixels(images, keys.to(images.device), turns.to(images.device))

    def mix(self, inputs: Tensor, labels: Tensor, key: int) -> tuple[Tensor, Tensor]:
        return self.mixer(inputs, labels, key)

    def only_classes(self, samples: Samples, known: Sequence[str]) -> Samples:
        """The samples of this module's classes, labeled by their index in `classes`; `known` names the old labels."""
        unknown = [name for name in self.classes if name not in known]
        if unknown:
            raise ValueError(f"classes={unknown} are not among the data's classes: {', '.join(known)}")
        if self.classes == list(known):
            return samples
        new = torch.tensor([self.classes.index(name) if name in self.classes else -1 for name in known])
        labels = new[samples.all_labels]
        return Samples(samples.inputs, labels, samples.rows[labels[samples.rows] >= 0])


def require_shape(name: str, found: list[int], *expected: int) -> None:
    """Raise ValueError unless the configured shape is the data's own."""
    if tuple(found) != expected:
        raise ValueError(f"{name} has images of shape {list(expected)}, not shape={list(found)}")
