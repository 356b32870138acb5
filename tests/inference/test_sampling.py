"""Generation: greedy and drawn, with a cache, ended by a stop token."""

import pytest
import torch

from trainyard.inference.sampling import filter_logits, generate_tokens
from trainyard.models.gpt import GPT


@pytest.fixture
def net() -> GPT:
    """Its weights are large, so that it has opinions, which change from token to token."""
    torch.manual_seed(0)
    net = GPT(20, 30, dim=16, depth=2, ff_dim=32, dropout=0.5)
    for name, weight in net.named_parameters():
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=0.5 if name == "embedding.weight" else 1.0)
    return net


def test_greedy_takes_the_most_probable_token_with_and_without_a_cache(net: GPT) -> None:
    prompt = torch.randint(5, 20, (3, 4))
    tokens = generate_tokens(net, prompt, 12, top_k=1, stop=None)
    assert net.training  # as it was before
    assert len(set(tokens[0].tolist())) > 4
    net.eval()
    expected = prompt
    for _ in range(12):
        expected = torch.cat([expected, 1 + net(expected)[:, -1, 1:].argmax(-1, keepdim=True)], dim=1)
    assert tokens.tolist() == expected.tolist()


def test_the_same_generator_draws_the_same_text(net: GPT) -> None:
    prompt = torch.tensor([[5, 6]])
    texts = [
        generate_tokens(net, prompt, 20, 2.0, generator=torch.Generator().manual_seed(s), stop=None) for s in (0, 0, 1)
    ]
    assert torch.equal(texts[0], texts[1]) and not torch.equal(texts[0], texts[2])
    assert all(len(text[0]) == 22 and text.min() > 0 for text in texts)


def test_a_row_ends_at_the_stop_token_and_is_padded(net: GPT) -> None:
    prompt = torch.randint(5, 20, (4, 2))
    free = generate_tokens(net, prompt, 20, top_k=1, stop=None)
    stop = int(free[0, 5])
    for text, whole in zip(generate_tokens(net, prompt, 20, top_k=1, stop=stop).tolist(), free.tolist(), strict=True):
        end = whole.index(stop, 2) + 1 if stop in whole[2:] else len(whole)
        assert text == (whole[:end] + [0] * 20)[: len(text)]
    alone = generate_tokens(net, prompt[:1], 20, top_k=1, stop=stop)
    assert alone.shape[1] <= 6 and alone[0, -1] == stop


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    logits = torch.tensor([[0.15, 0.5, 0.05, 0.3], [0.94, 0.02, 0.02, 0.02]]).log()
    for top_p, kept in ((0.4, [[1], [0]]), (0.6, [[1, 3], [0]]), (0.9, [[0, 1, 3], [0]]), (1.0, [[0, 1, 2, 3]] * 2)):
        rows = [row.isfinite().nonzero().flatten().tolist() for row in filter_logits(logits, top_p=top_p)]
        assert rows == kept
    assert torch.equal(filter_logits(logits), logits)


def test_top_k_keeps_the_most_probable() -> None:
    logits = torch.tensor([[1.0, 3.0, 0.0, 2.0]])
    assert filter_logits(logits, top_k=2).isfinite().tolist() == [[False, True, False, True]]
    assert filter_logits(logits, top_k=9).isfinite().all()
    assert filter_logits(torch.zeros(1, 4), top_k=1).isfinite().sum() == 1  # ties too
    both = filter_logits(torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log(), top_k=2, top_p=0.5)
    assert both.isfinite().tolist() == [[True, False, False, False]]  # 0.4 of the 0.7 that top_k left


def test_temperature_sharpens_and_flattens(net: GPT) -> None:
    prompt = torch.tensor([[5, 6]]).expand(2000, 2)
    draws = {
        t: generate_tokens(net, prompt, 1, temperature=t, stop=None)[:, 2].bincount(minlength=20) for t in (0.1, 1, 100)
    }
    shares = net.eval()(prompt[:1])[0, -1, 1:].softmax(-1)
    assert draws[0.1].max() >= draws[1].max() > draws[100].max()
    torch.testing.assert_close(draws[1][1:] / 2000, shares, rtol=0, atol=0.05)
    torch.testing.assert_close(draws[100][1:] / 2000, torch.full((19,), 1 / 19), rtol=0, atol=0.03)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"temperature": 0.0}, "temperature=0.0 must be positive; for the most probable token set top_k=1"),
        ({"temperature": float("nan")}, "temperature=nan must be positive"),
        ({"top_k": 0}, "top_k=0 must be at least 1"),
        ({"top_p": 0.0}, "top_p=0.0 must be in \\(0, 1\\]"),
        ({"top_p": 1.5}, "top_p=1.5 must be in \\(0, 1\\]"),
        ({"max_new_tokens": 0}, "max_new_tokens=0 must be at least 1"),
        ({"max_new_tokens": 29}, "a prompt of 2 tokens and max_new_tokens=29 exceed .* max_length=30"),
        ({"prompt": torch.tensor([[0, 5]])}, "and no padding"),
        ({"prompt": torch.zeros(1, 0, dtype=torch.long)}, "a prompt needs at least 1 token"),
        ({"net": GPT(20, 30, 2, dim=16)}, "a classifier of 2 classes generates no text"),
    ],
)
def test_wrong_values_are_refused(net: GPT, words: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate_tokens(**{"net": net, "prompt": torch.tensor([[5, 6]]), "max_new_tokens": 5, **words})
