"""How much of a training's time may be spent on pictures."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Budget:
    """The part `share` of the time since `start` is for pictures.

    Half of it is spent while the network trains; the other half is left for those at the end, which are always drawn.
    A share of 1 is no limit.
    """

    def __init__(self, share: float) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"callbacks.pictures.share={share} must be in [0, 1]")
        self.share = share
        self.started: float | None = None
        self.spent = 0.0  # seconds
        self.costs: dict[str, float] = {}  # seconds of the last drawing of each picture

    def start(self) -> None:
        """Begin to count the time of the training."""
        self.started = perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since the training started."""
        return 0.0 if self.started is None else perf_counter() - self.started

    def allows(self, name: str, guess: float) -> bool:
        """Whether a picture can be drawn now; before its first drawing, it is taken to cost `guess` seconds."""
        if self.share == 1:
            return True
        return self.spent + self.costs.get(name, guess) <= self.share / 2 * self.elapsed

    @contextmanager
    def spend(self, name: str) -> Iterator[None]:
        """Count the time within `with` as spent on a picture."""
        began = perf_counter()
        try:
            yield
        finally:
            self.costs[name] = perf_counter() - began
            self.spent += self.costs[name]
