"""How much of a training's time may be spent on pictures."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Budget:
    """The part `share` of the time since `start` is for pictures.

    Half of it is for those that are drawn after validations; the other half is left for the first and the last ones,
    which are always drawn. A share of 1 is no limit.
    """

    def __init__(self, share: float) -> None:
        if not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(f"callbacks.pictures.share={share} must be in [0, 1]")
        self.share = share
        self.started: float | None = None
        self.spent = self.between = 0.0  # seconds: in all, and after validations
        self.costs: dict[str, float] = {}  # seconds of each picture's last drawing after a validation

    def start(self) -> None:
        """Begin to count the time of the training."""
        self.started = perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since the training started."""
        return 0.0 if self.started is None else perf_counter() - self.started

    def allows(self, name: str, guess: float) -> bool:
        """Whether a picture can be drawn after a validation; the first time it is taken to cost `guess` seconds."""
        if self.share == 1:
            return True
        return self.between + self.costs.get(name, guess) <= self.share / 2 * self.elapsed

    @contextmanager
    def spend(self, between: str = "") -> Iterator[None]:
        """Count the time within `with` as spent; `between` names a picture that is drawn after a validation."""
        began = perf_counter()
        try:
            yield
        finally:
            seconds = perf_counter() - began
            self.spent += seconds
            if between:
                self.costs[between] = seconds
                self.between += seconds
