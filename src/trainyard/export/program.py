"""What is exported: one module from inputs as the dataset stores them to predictions as `Run.predict` returns them."""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from lightning import LightningDataModule
from torch import Tensor, nn

from trainyard.data.base import DataModule
from trainyard.data.images import Images
from trainyard.data.tabular import Tabular
from trainyard.models.bag_of_words import BagOfWords
from trainyard.models.naive_bayes_bag import NaiveBayesBag
from trainyard.tasks.base import Task, weight_dtype
from trainyard.tasks.views import mean_over_views


class Program(nn.Module):
    """Normalization, network and probabilities in one, in evaluation mode, on the CPU.

    Images are uint8 (B, C, H, W), texts int64 tokens (B, T) padded with 0, rows of a table what `TableEncoder` takes;
    all else is as the dataset stores it.
    """

    def __init__(self, task: Task, data: LightningDataModule) -> None:
        super().__init__()
        self.net = exportable(task.net.cpu())
        self.preparation = self.transform = None
        if isinstance(data, Images) and type(data).transform is Images.transform:
            self.preparation = copy.deepcopy(data.pixels).cpu()
        elif isinstance(data, Tabular):
            self.preparation = copy.deepcopy(data.encoder).cpu()
        elif isinstance(data, DataModule) and type(data).transform is not DataModule.transform:
            self.transform = data.transform
        self.postprocess, self.views = task.postprocess, getattr(task, "views", "none")
        self.dtype = weight_dtype(self.net)
        self.eval()

    def forward(self, inputs: Tensor) -> Tensor:  # (B, ...) -> predictions (B, ...)
        x = inputs if self.preparation is None else self.preparation(inputs)
        x = x if self.transform is None else self.transform(x, None)
        x = x.to(self.dtype) if x.is_floating_point() else x
        return self.postprocess(mean_over_views(self.net, x, self.views))


class MeanEmbedding(nn.Module):
    """nn.EmbeddingBag(mode="mean") over rows of indices, in operations that every format has."""

    def __init__(self, bag: nn.EmbeddingBag) -> None:
        super().__init__()
        if bag.mode != "mean" or bag.max_norm is not None:
            raise ValueError(f"an EmbeddingBag with mode={bag.mode} and max_norm={bag.max_norm} cannot be exported")
        self.weight, self.padding = bag.weight, bag.padding_idx

    def forward(self, index: Tensor) -> Tensor:  # (B, N) -> (B, dim)
        counted = torch.ones_like(index) if self.padding is None else (index != self.padding).long()
        total = (F.embedding(index, self.weight) * counted[..., None]).sum(1)
        return total / counted.sum(1, keepdim=True).clamp(min=1)


class Widened(nn.Module):
    """A network over tokens that gets `more` columns of padding, which change nothing but make short texts long."""

    def __init__(self, net: nn.Module, more: int) -> None:
        super().__init__()
        self.net, self.more = net, more

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T) -> what the network returns
        return self.net(F.pad(tokens, (0, self.more)))


def exportable(net: nn.Module) -> nn.Module:
    """A copy of the network in which what exporters cannot take is replaced by what computes the same."""
    net = copy.deepcopy(net).eval().requires_grad_(False)
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.EmbeddingBag):
                setattr(parent, name, MeanEmbedding(child))
    return Widened(net, net.ngrams) if isinstance(net, BagOfWords | NaiveBayesBag) else net


def describe_inputs(data: LightningDataModule, sample: Tensor) -> dict[str, Any]:
    """Name, type and axes of the inputs, from a batch of them: an axis is a number, or the name of a dynamic one."""
    length = getattr(data, "max_length", None) if sample.ndim == 2 and not sample.is_floating_point() else None
    name = "tokens" if length else "images" if isinstance(data, Images) else "inputs"
    rest = ["length"] if length else list(sample.shape[1:])
    return {"name": name, "type": str(sample.dtype).removeprefix("torch."), "axes": ["batch", *rest],
            "max_length": length}  # fmt: skip
