"""SVHN (Netzer et al., 2011): 99,289 digits of house numbers, 32x32 pixels in color, from the published .mat files."""

import torch
from torch import Tensor

from trainyard.data.loading.matlab import read_matlab
from trainyard.data.published import PublishedImages, Source

URL = "http://ufldl.stanford.edu/housenumbers"


class SVHN(PublishedImages):
    """The published split of cropped digits: 73,257 to train (and validate) on, 26,032 to test, without the extra ones.

    The files have the label 10 for the digit 0.
    """

    TITLE = "SVHN"
    SHAPE = (3, 32, 32)
    CLASSES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    FOLDER = "SVHN"
    SOURCES = (
        Source(f"{URL}/train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373", 182_040_794),
        Source(f"{URL}/test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3", 64_275_384),
    )

    def load(self, split: str) -> tuple[Tensor, Tensor]:
        path = self.file(self.SOURCES[split == "test"])
        arrays = read_matlab(path)
        shapes = {name: list(array.shape) for name, array in arrays.items()}
        count = shapes.get("y", [0])[0]
        if shapes.get("X") != [32, 32, 3, count] or shapes["y"] != [count, 1] or arrays["X"].dtype != "uint8":
            raise ValueError(
                f"{path} has arrays of the shapes {shapes}; SVHN has X of [32, 32, 3, N] uint8 and y of [N, 1]"
            )
        labels = torch.from_numpy(arrays["y"].astype("int64")).flatten()
        images = torch.from_numpy(arrays["X"]).permute(3, 2, 0, 1).contiguous()
        return images, self.check_labels(torch.where(labels == 10, 0, labels), path)
