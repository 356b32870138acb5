"""Muon for hidden matrices, AdamW for all else, in one optimizer."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from math import sqrt
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adamw import adamw

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic iteration (Jordan et al., 2024)
SCALES: dict[str, Callable[[int, int], float]] = {
    "rms": lambda rows, columns: 0.2 * sqrt(max(rows, columns)),
    "original": lambda rows, columns: sqrt(max(1.0, rows / columns)),
}


def newton_schulz(x: Tensor, steps: int = 5, dtype: torch.dtype | None = None) -> Tensor:  # (B, m, n) -> (B, m, n)
    """The nearest semi-orthogonal matrix of each, roughly: singular values become 0.7 to 1.2, vectors stay.

    Computed in bfloat16 on a GPU, else (unless `dtype` says so) with the precision of `x`, at least 32 bits.
    """
    a, b, c = COEFFICIENTS
    own = torch.bfloat16 if x.is_cuda and x.dtype != torch.float64 else torch.promote_types(x.dtype, torch.float32)
    y = x.to(dtype or own)
    y = y.mT if x.shape[-2] > x.shape[-1] else y
    y = y / y.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram = y @ y.mT
        y = torch.baddbmm(y, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), y, beta=a)
    return (y.mT if x.shape[-2] > x.shape[-1] else y).to(x.dtype)


class Muon(Optimizer):
    """Muon (Jordan et al., 2024) in groups whose `kind` is hidden, AdamW (Loshchilov & Hutter, 2019) in the others.

    A filter of a convolution counts as a matrix (outputs, inputs * height * width). With `scale` rms, an update is as
    large as one of AdamW (Liu et al., 2025), so that one learning rate serves both; with original, lr is near 0.02, and
    `adam_lr` that of AdamW. With a `precision` of bfloat16 (as bf16-mixed), updates are orthogonalized in it, which is
    faster.
    """

    splits_hidden = True  # its groups have a `kind` (optim/groups.py)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        adam_lr: float | None = None,
        momentum: float = 0.95,
        nesterov: bool = True,
        steps: int = 5,
        scale: str = "rms",
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        precision: str = "32-true",
    ) -> None:
        if scale not in SCALES:
            raise ValueError(f"scale={scale} is unknown; choose one of {', '.join(SCALES)}")
        if lr < 0 or (adam_lr or 0) < 0 or weight_decay < 0:
            raise ValueError(f"lr={lr}, adam_lr={adam_lr} and weight_decay={weight_decay} must not be negative")
        if not 0 <= momentum < 1 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"momentum={momentum} and betas={list(betas)} must be in [0, 1)")
        if not 1 <= steps < 100:
            raise ValueError(f"steps={steps} of Newton-Schulz must be from 1 to 99")
        groups: list[dict[str, Any]] = [
            dict(group) if isinstance(group, dict) else {"params": [group]} for group in params
        ]
        for group in groups:
            if adam_lr is not None and group.get("kind") != "hidden":
                group.setdefault("lr", adam_lr)
        numbers = {"momentum": momentum, "nesterov": nesterov, "steps": steps, "scale": scale}
        adam = {"betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
        self.dtype = torch.bfloat16 if str(precision).startswith("bf16") else None  # None: on a CPU the weights' own
        super().__init__(groups, {"lr": lr, "kind": "adamw", **numbers, **adam})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore
        """One step of each group by its kind."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                (self.step_hidden if group["kind"] == "hidden" else self.step_adamw)(group, weights)
        return loss

    def step_hidden(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        """Muon: orthogonalized momentum; matrices of one shape are computed together."""
        by_shape: dict[tuple[int, int], list[Tensor]] = defaultdict(list)
        for weight in weights:
            by_shape[len(weight), weight[0].numel()].append(weight)
        for shape, alike in by_shape.items():
            updates = torch.stack([self.momentum(group, weight).reshape(shape) for weight in alike])
            updates = newton_schulz(updates, group["steps"], self.dtype)
            size = group["lr"] * SCALES[group["scale"]](*shape)
            for weight, update in zip(alike, updates, strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update.view_as(weight), alpha=-size)

    def momentum(self, group: dict[str, Any], weight: Tensor) -> Tensor:
        """The averaged gradient, with Nesterov's look ahead."""
        assert weight.grad is not None
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        average = state["momentum_buffer"].lerp_(weight.grad, 1 - group["momentum"])
        return weight.grad.lerp(average, group["momentum"]) if group["nesterov"] else average

    def step_adamw(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        """Torch's AdamW."""
        for weight in weights:
            if not (state := self.state[weight]):
                state["step"] = torch.tensor(0.0)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
        states = [self.state[weight] for weight in weights]
        averages, squares, steps = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step"))
        beta1, beta2 = group["betas"]
        adamw(
            weights, [weight.grad for weight in weights], averages, squares, [], steps,  # pyright: ignore
            amsgrad=False, beta1=beta1, beta2=beta2, lr=group["lr"], weight_decay=group["weight_decay"],
            eps=group["eps"], maximize=False,
        )  # fmt: skip
