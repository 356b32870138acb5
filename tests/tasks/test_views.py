"""Test-time augmentation."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import trainyard
from trainyard.tasks.views import VIEWS, mean_over_views

X = torch.rand(3, 2, 32, 32, generator=torch.Generator().manual_seed(0))


def test_the_crops_are_the_mean_by_hand() -> None:
    """Half of the weight is that of the image, the rest that of two moved ones; half of each is mirrored."""
    net = nn.Sequential(nn.Conv2d(2, 3, 5), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4))
    padded = F.pad(X, (1, 1, 1, 1), mode="reflect")
    moved = [padded[..., 0:32, 0:32], padded[..., 2:34, 2:34]]
    expected = net(X) / 4 + net(X.flip(-1)) / 4
    for view in moved:
        expected = expected + net(view) / 8 + net(view.flip(-1)) / 8
    torch.testing.assert_close(mean_over_views(net, X, "crops"), expected)
    torch.testing.assert_close(mean_over_views(net, X, "mirror"), (net(X) + net(X.flip(-1))) / 2)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("size", [(32, 32), (9, 64), (224, 100)])
def test_the_weights_of_the_views_add_up_and_the_sizes_stay(name: str, size: tuple[int, int]) -> None:
    views = VIEWS[name](torch.rand(2, 1, *size))
    assert sum(weight for weight, _ in views) == 1
    assert all(view.shape == (2, 1, *size) for _, view in views)


def test_validation_test_and_predictions_have_them_and_the_training_has_not(short: list[str]) -> None:
    words = [*short, "data=shapes", "data.size=200", "data.test_size=100", "model=mlp", "callbacks.pictures=null",
             "logger=none"]  # fmt: skip
    plain, run = (trainyard.train([*words, *more]) for more in ([], ["task.views=crops"]))
    rows = [row.history() for row in (plain, run)]
    losses = [[row["train/loss"] for row in each if row.get("train/loss") is not None] for each in rows]
    assert losses[0] == losses[1]
    assert plain.summary["test"]["test/loss"] != run.summary["test"]["test/loss"]
    images = torch.randint(256, (4, *run.data().shape), dtype=torch.uint8)
    expected = mean_over_views(run.task().net, run.data().transform(images, None), "crops").softmax(dim=1)
    torch.testing.assert_close(run.predict(images), expected)


def test_what_is_no_image_and_an_unknown_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the inputs are \(3, 7\); set task.views=none"):
        mean_over_views(nn.Identity(), torch.zeros(3, 7), "mirror")
    with pytest.raises(Exception, match="task.views=both is unknown; choose one of none, mirror, crops"):
        trainyard.train(["data=shapes", "task.views=both"])
