"""CIFAR-100 (Krizhevsky, 2009): 60,000 photographs of 32x32 pixels in 100 classes, from the published binary files."""

from trainyard.data.cifar10 import CIFAR10
from trainyard.data.published import Source

NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""


class CIFAR100(CIFAR10):
    """The published split: 50,000 to train (and validate) on, 10,000 to test.

    A record has two labels: one of twenty superclasses, which is not read, and the class.
    """

    TITLE = "CIFAR-100"
    CLASSES = tuple(NAMES.split())
    FOLDER = "cifar-100-binary"
    SOURCES = (
        Source(
            "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            168_513_733,
        ),
    )
    FILES = {"train": {"train.bin": 50_000}, "test": {"test.bin": 10_000}}
    LABELS = 2
