"""How long the warm-up before a schedule is."""


class Warmup:
    """How long a warm-up is: a share of the run's steps, a number of steps, or one of epochs; at most one of them."""

    def __init__(self, share: float | None = None, steps: int | None = None, epochs: float | None = None) -> None:
        self.share, self.steps, self.epochs = share, steps, epochs
        named = {"warmup": share, "warmup_steps": steps, "warmup_epochs": epochs}
        given = {name: value for name, value in named.items() if value is not None}
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValueError(f"{name}={value} must be a number of at least 0, or null")
        if self.share is not None and self.share >= 1:
            raise ValueError(f"warmup={self.share} is the fraction of the steps, in [0, 1); use warmup_steps for steps")
        if self.steps is not None and not isinstance(self.steps, int):
            raise ValueError(f"warmup_steps={self.steps} must be a whole number")
        if len(given) > 1:
            words = " and ".join(f"{name}={value}" for name, value in given.items())
            raise ValueError(f"{words} are two lengths of one warm-up; set all but one to null")
