"""MNIST (LeCun et al., 1998): 70,000 handwritten digits of 28x28 pixels in gray, from the published IDX files."""

from torch import Tensor

from trainyard.data.loading.idx import read_idx
from trainyard.data.published import PublishedImages, Source

URL = "https://ossci-datasets.s3.amazonaws.com/mnist"


class MNIST(PublishedImages):
    """The published split: 60,000 to train (and validate) on, 10,000 to test.

    SOURCES are the images and the labels of train, then those of test, in the folder where torchvision has them.
    """

    TITLE = "MNIST"
    SHAPE = (1, 28, 28)
    CLASSES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    FOLDER = "MNIST/raw"
    SOURCES = (
        Source(f"{URL}/train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
        Source(f"{URL}/train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", 28_881),
        Source(f"{URL}/t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", 1_648_877),
        Source(f"{URL}/t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", 4_542),
    )

    def load(self, split: str) -> tuple[Tensor, Tensor]:
        files = [self.file(source) for source in (self.SOURCES[:2] if split == "train" else self.SOURCES[2:])]
        images, labels = (read_idx(file, axes) for file, axes in zip(files, (3, 1), strict=True))
        if tuple(images.shape) != (len(labels), *self.SHAPE[1:]):
            raise ValueError(
                f"{files[0]} has images of shape {list(images.shape)}, and {files[1]} has {len(labels):,} labels; "
                f"{self.TITLE} has images of {self.SHAPE[1]} x {self.SHAPE[2]} pixels, and a label of each"
            )
        return images.unsqueeze(1), self.check_labels(labels, files[1])
