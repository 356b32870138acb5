"""The values that a method gives to the parts of an input: pixels, patches, words, numbers."""

import torch
from torch import Tensor

from trainyard.explain.attention import attention_weights, has_class_token, readout, rollout
from trainyard.explain.gradcam import gradcam
from trainyard.explain.gradients import CHUNK, gradient_x_input, integrated_gradients, occlusion, saliency
from trainyard.explain.hyperedges import hyperedge_parts
from trainyard.explain.subject import Subject
from trainyard.explain.words import Words, embedded, scores_of_embeddings, to_tokens

PLAIN = {"saliency": saliency, "gradient_x_input": gradient_x_input, "occlusion": occlusion}


def attribute(method: str, subject: Subject, target: int) -> tuple[Tensor, list[str]]:
    """The values of the parts of an input, and remarks on them.

    (H, W) of an image, (words) of a text, like the input of numbers; of the method `heads` (depth, heads, rows,
    columns) of patches, or of words by words; of the method `hyperedges` (hyperedges, words).
    """
    if subject.words is not None:
        return attribute_words(method, subject, subject.words, target)
    net, x = subject.net, subject.inputs
    if method in ("rollout", "heads"):
        return attribute_patches(method, subject), []
    if method == "gradcam":
        return gradcam(net, subject.scores(), x, target)[0], []
    if method == "integrated_gradients":
        values, completeness = integrated_gradients(subject.scores(), x, target)
        return _of_pixels(values, method), [str(completeness)]
    return _of_pixels(PLAIN[method](subject.scores(), x, target), method), []


def _of_pixels(values: Tensor, method: str) -> Tensor:  # (1, C, H, W) -> (H, W), or (1, ...) -> (...)
    """Of the channels of a pixel the largest saliency, and the sum of anything else."""
    if values.ndim < 4:
        return values[0]
    return (values.amax(1) if method == "saliency" else values.sum(1))[0]


def attribute_patches(method: str, subject: Subject) -> Tensor:  # -> (H, W), or (depth, heads, rows, columns)
    """What a ViT's class token attends to: in each head, or over all blocks."""
    net, image = subject.net, subject.inputs
    side: int = net.patches.stride[0]  # pyright: ignore
    rows = image.shape[2] // side
    weights = attention_weights(net, image)
    if method == "heads":
        return torch.stack(weights)[:, 0, :, 0, 1:].unflatten(-1, (rows, -1))
    found = rollout(weights)[0, 0, 1:].unflatten(0, (rows, -1))
    return found.repeat_interleave(side, 0).repeat_interleave(side, 1)


def attribute_words(method: str, subject: Subject, words: Words, target: int) -> tuple[Tensor, list[str]]:
    """The values of a text's words, the sums over their tokens."""
    net, tokens, scores = subject.net, subject.inputs, subject.scores()
    if method in ("rollout", "heads"):
        return attention_of_words(method, subject, words), []
    if method == "hyperedges":
        return words.merge(hyperedge_parts(net, tokens)), []
    if method == "occlusion":
        return leave_one_out(subject, words, target), []
    vectors, score = embedded(net, tokens), scores_of_embeddings(net, scores)
    note = []
    if method == "integrated_gradients":
        values, completeness = integrated_gradients(score, vectors, target, tokens)
        note = [str(completeness)]
    else:
        values = gradient_x_input(lambda x: score(x, tokens), vectors, target)
    return words.merge(to_tokens(net, values[0].sum(-1), tokens.shape[1])), note


@torch.no_grad()
def leave_one_out(subject: Subject, words: Words, target: int) -> Tensor:  # -> (words)
    """How much the score of the class falls without each word."""
    scores, count = subject.scores(), len(words.words)
    whole = scores(subject.inputs)[0, target]
    kept = ~torch.eye(count, dtype=torch.bool, device=subject.inputs.device)
    return torch.cat([whole - scores(subject.without(part))[:, target] for part in kept.split(CHUNK)])


def attention_of_words(method: str, subject: Subject, words: Words) -> Tensor:
    """(words) by rollout to what the head reads; by heads (depth, heads, words, words), means over a query's tokens."""
    net = subject.net
    weights, first = attention_weights(net, subject.inputs), has_class_token(net)
    if method == "rollout":
        found = rollout(weights)[0]
        return words.merge(readout(net, len(found), subject.position).to(found) @ found[:, first:])
    across = words.merge(torch.stack(weights)[:, 0, :, first:, first:])
    counts = torch.bincount(words.of_token).to(across)
    return words.merge(across.transpose(-1, -2)).transpose(-1, -2) / counts[:, None]
