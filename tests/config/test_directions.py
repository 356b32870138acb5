"""The mode follows the score: its name before anything is built, its metric afterwards."""

import pytest
import torchmetrics
from torchmetrics import Metric

import trainyard
from trainyard.config.compose import compose
from trainyard.config.directions import direction, known_direction
from trainyard.config.resolve import resolve
from trainyard.errors import UserError
from trainyard.tasks.metrics import SHORT, of_classes, of_labels, of_numbers

SHAPES = ["model=mlp", "model.widths=[8]", "data=shapes", "data.size=200", "data.test_size=100"]
METRICS = {
    name: each for kind in (of_classes(2), of_classes(3), of_labels(3), of_numbers(1))
    for name, each in kind.classes.items()
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(METRICS))
def test_names_say_what_torchmetrics_says(name: str) -> None:
    """A metric that a new version of torchmetrics brings fails here if its name would choose the worst weights."""
    better = METRICS[name].higher_is_better
    if better is not None:
        assert direction(f"val/{name}") == ("max" if better else "min")


@pytest.mark.parametrize("name", SHORT)
def test_short_names_have_the_direction_of_the_long_ones(name: str) -> None:
    assert known_direction(f"val/{name}") == known_direction(f"val/{SHORT[name][0]}") is not None


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        ([], "max"), (["monitor=val/loss"], "min"), (["model=gpt", "data=imdb_lm"], "min"),
        (["monitor=val/yours"], "max"), (["monitor=val/yours", "mode=min"], "min"), (["monitor=val/perplexity"], "min"),
    ],
)  # fmt: skip
def test_the_mode_follows_the_monitor(words: list[str], mode: str) -> None:
    cfg = resolve(compose(["run.dir=x", *words]))
    assert cfg.mode == cfg.callbacks.best.mode == mode


def test_early_stopping_has_a_direction_of_its_own() -> None:
    words = ["run.dir=x", "callbacks=early_stopping"]
    assert resolve(compose(words)).callbacks.early_stopping.mode == "min"
    word = "callbacks.early_stopping.monitor=val/accuracy"
    assert resolve(compose([*words, word])).callbacks.early_stopping.mode == "max"


class Distance(torchmetrics.MeanMetric):
    """The share of right predictions, under a name that says nothing."""

    higher_is_better = False

    def update(self, value, targets) -> None:
        super().update((value.argmax(dim=1) != targets).float())


def test_a_mode_that_contradicts_the_metric_is_refused_before_training(short: list[str]) -> None:
    metric = "task.metrics=[{wrong: {_target_: test_directions.Distance}}]"
    with pytest.raises(UserError, match="monitor=val/wrong with mode=max would keep the worst weights; set mode=min"):
        trainyard.train([*short, *SHAPES, metric, "monitor=val/wrong"])
    assert isinstance(Distance(), Metric)
    run = trainyard.train([*short, *SHAPES, metric, "monitor=val/wrong", "mode=min"])
    assert run.summary["score"] == pytest.approx(1 - run.summary["best"]["val/accuracy"])
