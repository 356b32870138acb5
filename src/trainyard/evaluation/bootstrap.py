"""95 % intervals of scores: percentile bootstrap over the samples (Efron, 1979), many resamples in one product."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor
from torchmetrics import Metric

from trainyard.evaluation.collect import Collected
from trainyard.tasks.base import Task
from trainyard.tasks.classification import Classification
from trainyard.tasks.replaced_token_detection import ReplacedTokenDetection

RESAMPLES, SEED = 1000, 0
RESAMPLES_OF_ANY = 200  # of a metric that has to be computed once for each
LIMITS = (0.025, 0.975)
MOST = 1 << 22  # counts in memory at a time
Interval = tuple[float, float]


def intervals(task: Task, stage: str, kept: Collected, scores: Mapping[str, float]) -> dict[str, Interval]:
    """The interval of each score, by its name, as far as it is a function of the samples.

    None of replaced-token detection: what it keeps are tokens, and those of a text depend on one another.
    """
    if not len(kept.targets) or isinstance(task, ReplacedTokenDetection):
        return {}
    found: dict[str, Tensor] = {}
    if kept.is_language:
        found = _of_blocks(stage, kept, scores)
    elif isinstance(task, Classification):
        names = ("loss", "accuracy", "accuracy_top5", "f1")
        found = dict(zip(names, resampled(len(kept.targets), class_scorer(task, kept)), strict=True))
    known = {name: values for name, values in found.items() if f"{stage}/{name}" in scores}
    for name, metric in task.stage_meters(stage).items():
        if name not in known and name != "loss" and not kept.is_language and f"{stage}/{name}" in scores:
            known[name] = _of_any(metric, kept)
    return {f"{stage}/{name}": _limits(values) for name, values in known.items() if len(values)}


def _of_blocks(stage: str, kept: Collected, scores: Mapping[str, float]) -> dict[str, Tensor]:
    """The resampled scores of a language model."""
    losses, tokens = kept.predictions, kept.targets.double()
    (loss,) = resampled(len(tokens), lambda counts: [counts @ losses / (counts @ tokens).clamp(min=1)])
    bits, mean = (scores.get(f"{stage}/{name}") for name in ("bits_per_character", "loss"))
    return {
        "loss": loss, "perplexity": loss.exp(), **({"bits_per_character": loss * bits / mean} if bits and mean else {}),
    }  # fmt: skip


def class_scorer(task: Classification, kept: Collected) -> Callable[[Tensor], list[Tensor]]:
    """A function of how often each sample counts, (r, N): loss, accuracy, accuracy_top5 and (macro) f1, (r) each."""
    logits, labels = kept.predictions.float(), kept.targets
    losses = sample_losses(task, logits, labels).double()
    guesses = logits.argmax(dim=1)
    hit = (guesses == labels).double()
    top = (logits.topk(min(5, task.num_classes)).indices == labels[:, None]).any(dim=1).double()

    def by_class(counts: Tensor, classes: Tensor) -> Tensor:  # (r, N), (N) -> (r, classes)
        zeros = torch.zeros(len(counts), task.num_classes, dtype=torch.float64)
        return zeros.scatter_add(1, classes.expand(len(counts), -1), counts)

    def scores(counts: Tensor) -> list[Tensor]:
        f1 = macro_f1(*(by_class(*pair) for pair in ((counts * hit, labels), (counts, labels), (counts, guesses))))
        return [*(counts @ values / len(labels) for values in (losses, hit, top)), f1]

    return scores


def sample_losses(task: Classification, logits: Tensor, labels: Tensor) -> Tensor:  # (N, classes), (N) -> (N)
    """The loss of each sample; one by one where a loss of the user's own cannot be vectorized.

    vmap raises RuntimeError for a value that is read (`.item()`, an `if`) and for numpy, ValueError for a loss that is
    no tensor, and whatever the loss itself raises where a tensor looks unlike one. A loss that is wrong raises again.
    """
    try:
        losses = torch.vmap(lambda logit, label: task.loss(logit[None], label[None]))(logits, labels)
    except Exception:
        pairs = zip(logits[:, None], labels[:, None], strict=True)
        losses = torch.stack([torch.as_tensor(task.loss(*pair)) for pair in pairs])
    return losses.reshape(len(labels))


def macro_f1(right: Tensor, true: Tensor, guessed: Tensor) -> Tensor:  # (..., classes) each -> (...)
    """The mean F1 of the classes that occur, as labels or as predictions (as torchmetrics has it)."""
    occurs = true + guessed > 0
    f1 = 2 * right / (true + guessed).clamp(min=1)
    return (f1 * occurs).sum(dim=-1) / occurs.sum(dim=-1).clamp(min=1)


def resampled(size: int, scores: Callable[[Tensor], list[Tensor]]) -> list[Tensor]:  # -> (RESAMPLES) each
    """Scores of each resample of so many samples; `scores` gets how often each is in some of them, (r, size)."""
    parts = zip(*(scores(counts) for counts in _counts(size)), strict=True)
    return [torch.cat(part) for part in parts]


def _counts(size: int) -> Iterator[Tensor]:
    """How often each sample is in each of RESAMPLES resamples, (r, size) float64, a part at a time."""
    generator = torch.Generator().manual_seed(SEED)
    at_once = max(1, min(RESAMPLES, MOST // size))
    for start in range(0, RESAMPLES, at_once):
        rows = min(at_once, RESAMPLES - start)
        index = torch.randint(size, (rows, size), generator=generator)
        one = torch.ones(1, dtype=torch.float64).expand(rows, size)
        yield torch.zeros(rows, size, dtype=torch.float64).scatter_add_(1, index, one)


def _of_any(metric: Metric, kept: Collected) -> Tensor:
    """The values of any metric, computed for each of a few resamples; empty for one that is no number."""
    generator, copy, values = torch.Generator().manual_seed(SEED), metric.clone().cpu(), []
    for _ in range(RESAMPLES_OF_ANY):
        index = torch.randint(len(kept.targets), (len(kept.targets),), generator=generator)
        copy.reset()
        copy.update(kept.predictions[index], kept.targets[index])
        value = copy.compute()
        if value.numel() != 1:
            return torch.empty(0)
        values.append(float(value))
    return torch.tensor(values)


def _limits(values: Tensor) -> Interval:
    low, high = torch.quantile(values.double(), torch.tensor(LIMITS, dtype=torch.float64)).tolist()
    return low, high
