"""Attributions of any tensor: saliency, integrated gradients, gradient x input, occlusion (the captum package)."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from trainyard.explain.scores import Scores, gradient
from trainyard.extras import import_extra

STEPS = {64: "gausslegendre", 256: "riemann_middle", 1024: "riemann_middle"}  # more until the values are complete
TOLERANCE = 0.01  # of the difference of scores that the attributions should add up to
CHUNK = 64  # inputs that go through the network at a time


class Completeness(NamedTuple):
    """Integrated gradients should add up to the score of the input minus that of the baseline."""

    total: float  # the sum of the attributions
    difference: float  # of the two scores
    steps: int

    @property
    def error(self) -> float:
        """How far apart they are, as a part of the difference."""
        return abs(self.total - self.difference) / max(abs(self.difference), 1e-6)

    def __str__(self) -> str:
        text = f"attributions sum to {self.total:.4f}, score - baseline is {self.difference:.4f}"
        warning = "; the score jumps on the way: try occlusion" if self.error > TOLERANCE else ""
        return f"completeness: {text}: error {100 * self.error:.2g} % in {self.steps} steps{warning}"


def saliency(scores: Scores, x: Tensor, target: int) -> Tensor:  # (1, ...) -> (1, ...), not negative
    """The size of the gradient at each value of the input (Simonyan et al., 2013)."""
    x = x.detach().clone().requires_grad_()
    return _captum().Saliency(scores).attribute(x, target=target).detach()


def gradient_x_input(scores: Scores, x: Tensor, target: int) -> Tensor:  # (1, ...) -> (1, ...)
    """The gradient times the input (Shrikumar et al., 2016)."""
    return (gradient(scores, x, target) * x).detach()


def integrated_gradients(
    scores: Scores, x: Tensor, target: int, extra: Any = None
) -> tuple[Tensor, Completeness]:  # (1, ...) -> (1, ...)
    """The mean gradient on the way from zero to the input, times the input (Sundararajan et al., 2017).

    More steps are taken until the attributions add up to the difference of the scores within 1 %. `extra` is a further
    argument of `scores`, which is not attributed to.
    """
    method, baseline = _captum().IntegratedGradients(scores), torch.zeros_like(x)
    more = () if extra is None else (extra,)
    with torch.no_grad():
        difference = float(scores(x, *more)[0, target] - scores(baseline, *more)[0, target])
    for steps, rule in STEPS.items():
        values = method.attribute(
            x, baseline, target, extra, n_steps=steps, method=rule, internal_batch_size=CHUNK
        ).detach()
        found = Completeness(float(values.sum()), difference, steps)
        if found.error <= TOLERANCE:
            break
    return values, found


def occlusion(scores: Scores, x: Tensor, target: int) -> Tensor:  # (1, ...) -> (1, ...)
    """How much the score falls where the input is set to zero (Zeiler & Fergus, 2013).

    Each number in turn or, in an image, squares of an eighth of its height that overlap by half.
    """
    window, stride = (1,) * (x.ndim - 1), (1,) * (x.ndim - 1)
    if x.ndim == 4:
        side = max(1, x.shape[2] // 8)
        window, stride = (x.shape[1], side, side), (x.shape[1], max(1, side // 2), max(1, side // 2))
    method = _captum().Occlusion(scores)
    with torch.no_grad():
        return method.attribute(x, window, stride, baselines=0, target=target, perturbations_per_eval=CHUNK).detach()


def _captum() -> Any:
    return import_extra("captum.attr", "explain")
