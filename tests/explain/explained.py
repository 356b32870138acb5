"""Networks and data of which the tests make explanations: nothing is trained."""

from functools import cache

import torch
from torch import Tensor, nn

from trainyard.data.reviews import Reviews
from trainyard.explain.subject import Subject
from trainyard.explain.words import read_words
from trainyard.models.bag_of_words import BagOfWords
from trainyard.models.bert import BERT
from trainyard.models.cnn import CNN
from trainyard.models.gpt import GPT
from trainyard.models.gru import GRU
from trainyard.models.hypergraph import HypergraphNetwork
from trainyard.models.lstm import LSTM
from trainyard.models.mlp import MLP
from trainyard.models.resnet import ResNet
from trainyard.models.transformer import Transformer
from trainyard.models.vit import ViT
from trainyard.tasks.classification import Classification

TEXT = "I never thought that the film was dull"
SHAPE, CLASSES, VOCABULARY, LENGTH = [3, 32, 32], 4, 300, 32
SMALL = {"dim": 16, "depth": 2, "heads": 2, "ff_dim": 32}
IMAGE_NETS = {
    "cnn": lambda: CNN(SHAPE, CLASSES, [[8, 8], [16]], dense=16, init="he"),
    "resnet": lambda: ResNet(SHAPE, CLASSES, [1, 1, 1], width=8),
    "vit": lambda: ViT(SHAPE, CLASSES, patch_size=8, **SMALL),
    "mlp": lambda: MLP(SHAPE, CLASSES, [16]),
}
TEXT_NETS = {
    "bow": lambda: BagOfWords(VOCABULARY, 2, buckets=50),
    "gru": lambda: GRU(VOCABULARY, 2, [8], dim=16),
    "lstm": lambda: LSTM(VOCABULARY, 2, [8], dim=16, bidirectional=True, pool="max"),
    "hypergraph": lambda: HypergraphNetwork(VOCABULARY, 2, window=4, stride=2, dim=16),
    "transformer": lambda: Transformer(VOCABULARY, LENGTH, 2, **SMALL),
    "bert": lambda: BERT(VOCABULARY, LENGTH, 2, positions="rotary", **SMALL),
    "gpt": lambda: GPT(VOCABULARY, LENGTH, 2, **SMALL),
}
NETS = IMAGE_NETS | TEXT_NETS
ATTENTIVE = ("vit", "transformer", "bert", "gpt")


def network(name: str) -> nn.Module:
    """The network of that name with random weights, large enough that they matter, in evaluation mode."""
    torch.manual_seed(0)
    net = NETS[name]().eval()
    with torch.no_grad():
        for weight in net.parameters():
            if weight.ndim > 1:
                weight.mul_(3 if name in ATTENTIVE else 1)
    return net


def image() -> Tensor:  # -> (1, 3, 32, 32)
    """A normalized image of noise."""
    return torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(1))


@cache
def reviews(tokenizer: str = "word") -> Reviews:
    """The generated reviews, tokenized."""
    data = Reviews(
        size=60, test_size=20, batch_size=10, vocab_size=VOCABULARY, max_length=LENGTH, tokenizer=tokenizer,
        classes=["against", "for"], num_classes=2,
    )  # fmt: skip
    data.prepare_data()
    return data


def subject(name: str) -> Subject:
    """An input of the network of that name, on its way."""
    if name in IMAGE_NETS:
        return Subject(network(name), image())
    words = read_words(reviews(), TEXT)
    return Subject(network(name), words.tokens[None], words)


def classifier(net: nn.Module, num_classes: int = 2) -> Classification:
    """The network as a task."""
    parts = {"optimizer": torch.optim.SGD, "scheduler": torch.optim.lr_scheduler.ConstantLR}
    return Classification(num_classes, net=net, **parts).eval()
