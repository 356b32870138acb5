"""The losses of tokens by parts, beside torch's."""

import pytest
import torch
import torch.nn.functional as F

from trainyard.tasks.token_losses import ROWS, token_losses


@pytest.mark.parametrize("tokens", [0, 1, 2 * ROWS + 7])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_losses_and_gradients_are_torchs(tokens: int, dtype: torch.dtype) -> None:
    """With logits as large as 40, whose exponentials have no 16-bit numbers, and weights of the losses."""
    generator = torch.Generator().manual_seed(0)
    values, weights = 10 * torch.randn(tokens, 11, generator=generator), torch.randn(tokens, generator=generator)
    targets = torch.randint(11, (tokens,), generator=generator)
    ours, theirs = (values.to(dtype).requires_grad_() for _ in range(2))
    found, expected = token_losses(ours, targets), F.cross_entropy(theirs.float(), targets, reduction="none")
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    assert found.dtype == torch.float32 and ours.grad is not None and theirs.grad is not None
    torch.testing.assert_close(found, expected)
    assert ours.grad.dtype == dtype
    torch.testing.assert_close(ours.grad, theirs.grad)
    if dtype == torch.float32:
        assert torch.equal(found, expected)
