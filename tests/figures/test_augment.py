import torch

from trainyard.data.loading.hashing import sample_keys
from trainyard.data.loading.transforms import Pixels
from trainyard.figures.augment import augmented


def test_a_row_for_each_image_a_column_for_each_draw() -> None:
    images = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8)
    keys = [sample_keys(0, epoch, torch.arange(2)) for epoch in range(3)]
    grid = augmented(Pixels([0.5] * 3, [0.3] * 3, "standard"), images, keys)
    assert grid.shape == (3, 2 * 10 + 2, 4 * 10 + 2)
    assert grid.min() >= 0 and grid.max() <= 1
    first = grid[:, 2:10, 2:10]
    assert torch.corrcoef(torch.stack((first.flatten(), images[0].flatten().float())))[0, 1] > 0.95
