"""Fashion-MNIST (Xiao et al., 2017): 70,000 pieces of clothing, 28x28 pixels in gray, from the published IDX files."""

from trainyard.data.mnist import MNIST
from trainyard.data.published import Source

URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"


class FashionMNIST(MNIST):
    """The published split: 60,000 to train (and validate) on, 10,000 to test; files of MNIST's format and names."""

    TITLE = "Fashion-MNIST"
    CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
    FOLDER = "FashionMNIST/raw"
    SOURCES = (
        Source(f"{URL}/train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
        Source(f"{URL}/train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 29_515),
        Source(f"{URL}/t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", 4_422_102),
        Source(f"{URL}/t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 5_148),
    )
