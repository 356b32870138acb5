"""CCT: its size, its tokens, what it pools."""

import pytest
import torch
from torch import nn

from trainyard.models.cct import CCT, SequencePooling


def test_cct_2_3x2_has_the_published_size() -> None:
    """0.28 million weights on 32 x 32 pixels, part by part; two convolutions make 8 x 8 tokens."""
    net = CCT([3, 32, 32], 10)
    block = 3 * 128 * 129 + 128 * 129 + 2 * 128 * 129 + 2 * 256
    parts = {"tokenizer": 9 * (3 * 64 + 64 * 128), "positions": 64 * 128, "blocks": 2 * block + 256, "pool": 129,
             "head": 1290}  # fmt: skip
    for name, expected in parts.items():
        assert sum(p.numel() for p in getattr(net, name).parameters()) == expected, name
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 2) == 0.28
    assert sum(p.numel() for p in CCT([3, 32, 32], 10, positions="sinusoidal").parameters()) == sum(
        count for name, count in parts.items() if name != "positions"
    )


def test_the_pool_is_the_weighted_mean_by_hand() -> None:
    pool, x = SequencePooling(4), torch.randn(3, 5, 4)
    weights = torch.stack([torch.softmax(row @ pool.score.weight[0] + pool.score.bias, dim=0) for row in x])
    expected = torch.stack([(w[:, None] * row).sum(dim=0) for w, row in zip(weights, x, strict=True)])
    torch.testing.assert_close(pool(x), expected)
    nn.init.zeros_(pool.score.weight)
    torch.testing.assert_close(pool(x), x.mean(dim=1))


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
def test_images_of_any_size_are_taken_and_positions_tell_where(positions: str) -> None:
    """Without positions, what is swapped left and right far from the edges cannot be told apart."""
    torch.manual_seed(0)
    net = CCT([1, 9, 32], 2, convolutions=1, kernel_size=1, dim=8, positions=positions).eval()
    assert net(torch.randn(5, 1, 9, 32)).shape == (5, 1)
    x = torch.zeros(1, 1, 9, 32)
    left, right = x.clone(), x.clone()
    left[..., 3, 5], right[..., 5, 21] = 1, 1
    assert torch.allclose(net(left), net(right), atol=1e-6) == (positions == "none")


def test_wrong_options_are_refused() -> None:
    for words, message in (
        ({"kernel_size": 2}, "kernel_size=2 odd"),
        ({"positions": "rotary"}, "positions=rotary is unknown; choose one of learned, sinusoidal, none"),
        ({"heads": 3}, "heads=3 must divide dim=128"),
    ):
        with pytest.raises(ValueError, match=message):
            CCT([3, 32, 32], 10, **words)
