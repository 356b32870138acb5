"""What attention heads attend to in one validation sample, as a figure."""

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from trainyard.data.images import Images
from trainyard.data.loading.tokens import MASK, PAD, SEP
from trainyard.data.text import Text
from trainyard.explain.attribute import attention_of_words, attribute_patches
from trainyard.explain.hyperedges import has_hyperedges, hyperedge_parts
from trainyard.explain.subject import Subject
from trainyard.explain.words import Words
from trainyard.figures.attention_heads import head_maps, head_matrices
from trainyard.figures.heat_map import to_unit
from trainyard.figures.hyperedges import hyperedges_figure
from trainyard.inference.predict import network_inputs
from trainyard.models.layers.attention import SelfAttention
from trainyard.models.vit import ViT
from trainyard.tasks.base import Task

LENGTH, LONGER = 16, 64  # tokens of a text, for matrices and for hyperedges
BLOCKS, HEADS = 3, 4  # as more would take seconds to draw


def attention_figure(task: Task, data: object) -> Figure | None:
    """Heads of some blocks: of an image where the class token looks, of a text which words each word looks at.

    The sample is always the same, the first one of the validation split. None for a network without attention. The
    network must be in eval mode.
    """
    net = task.net
    if isinstance(data, Text) and has_hyperedges(net):
        return of_hyperedges(net, data, task.device)
    if not any(isinstance(module, SelfAttention) for module in net.modules()):
        return None
    if isinstance(data, Images) and isinstance(net, ViT):
        return of_image(net, data, task.device)
    return of_text(net, data, task.device, getattr(task, "causal", None)) if isinstance(data, Text) else None


def of_image(net: nn.Module, data: Images, device: torch.device) -> Figure:
    """A map for each head of each block."""
    samples = data.splits["val"]
    (image,) = samples.inputs[samples.rows[:1]]
    inputs = network_inputs(net, data, image[None], device)
    maps, blocks = some(attribute_patches("heads", Subject(net, inputs)))
    return head_maps(maps, to_unit(image), "attention of the class token to the patches", blocks)


def of_hyperedges(net: nn.Module, data: Text, device: torch.device) -> Figure:
    """The strongest hyperedges, with the attention to their words."""
    tokens = first_tokens(data, None, LONGER)
    parts = hyperedge_parts(net, tokens[None].to(device)).float().cpu()
    return hyperedges_figure(shown_words(data, tokens), parts, "hyperedges of a validation text")


def shown_words(data: Text, tokens: Tensor) -> list[str]:
    """Each token as text."""
    tokenizer = data.saved_tokenizer()
    return [tokenizer.decode([token], skip_special_tokens=False).strip() or "\N{OPEN BOX}" for token in tokens.tolist()]


def of_text(net: nn.Module, data: Text, device: torch.device, causal: bool | None) -> Figure:
    """A matrix for each head of each block."""
    tokens = first_tokens(data, causal)
    shown = shown_words(data, tokens)
    words = Words(tokens, shown, torch.arange(len(tokens)), 0, 0)
    subject = Subject(net, tokens[None].to(device), words)
    weights, blocks = some(attention_of_words("heads", subject, words))
    return head_matrices(weights, shown, "attention in a validation text", blocks)


def some(weights: Tensor) -> tuple[Tensor, list[int]]:  # (depth, heads, ...) -> (at most 3, at most 4, ...)
    """The first heads of the first block, the last one and one between, and the numbers of these blocks."""
    blocks = torch.linspace(0, len(weights) - 1, min(BLOCKS, len(weights))).round().long().tolist()
    return weights[blocks, :HEADS].float().cpu(), [block + 1 for block in blocks]


def first_tokens(data: Text, causal: bool | None, length: int = LENGTH) -> Tensor:  # -> (T), T <= length
    """The beginning of the first validation text; of a masked language model, with one word hidden."""
    samples = data.splits["val"]
    (tokens,) = samples.inputs[samples.rows[:1]]
    tokens = tokens[tokens != PAD][: min(length, data.max_length)].clone()
    if causal is False:
        tokens[len(tokens) // 2] = MASK
    elif causal and tokens[0] != SEP and len(tokens) > 1:
        tokens = torch.cat([torch.tensor([SEP]), tokens[:-1]])
    return tokens
