"""Tokens that are left out or replaced, by the key of their text."""

from pathlib import Path

import pytest
import torch

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.config.resolve import resolve
from trainyard.data.loading.hashing import sample_keys
from trainyard.data.loading.token_noise import TokenNoise
from trainyard.data.loading.tokens import PAD, SPECIAL, UNK
from trainyard.errors import UserError

KEYS = sample_keys(0, 0, torch.arange(300))
TOKENS = torch.randint(len(SPECIAL), 500, (300, 40), generator=torch.Generator().manual_seed(0))


def test_so_many_tokens_are_replaced() -> None:
    made = TokenNoise(0.2, 0.1, 500)(TOKENS, KEYS)
    dropped, changed = (made == UNK).float().mean(), ((made != UNK) & (made != TOKENS)).float().mean()
    assert dropped == pytest.approx(0.2, abs=0.01) and changed == pytest.approx(0.1, abs=0.01)
    assert made.max() < 500 and not ((made < len(SPECIAL)) & (made != UNK)).any()


def test_neither_batch_nor_padding_nor_its_side_matters() -> None:
    noise = TokenNoise(0.2, 0.1, 500)
    alone = noise(TOKENS[3:4], KEYS[3:4])
    pad = torch.full((300, 7), PAD)
    for padded, part in ((torch.cat((TOKENS, pad), 1), slice(40)), (torch.cat((pad, TOKENS), 1), slice(7, None))):
        made = noise(padded, KEYS)
        assert torch.equal(made[3:4, part], alone) and (made[padded == PAD] == PAD).all()


def test_special_tokens_stay() -> None:
    special = torch.arange(len(SPECIAL)).repeat(300, 8)
    assert torch.equal(TokenNoise(0.5, 0.4, 500)(special, KEYS), special)


def test_a_data_set_is_noisy_in_training_alone(tmp_path: Path) -> None:
    words = [
        "data=reviews",
        "model=gru",
        "data.size=200",
        "data.test_size=100",
        "data.word_dropout=0.3",
        "data.token_noise=0.3",
        f"data.cache={tmp_path}",
    ]
    data = instantiate(resolve(compose([*words, "run.dir=x"])).data, "data")
    data.prepare_data()
    data.setup("fit")
    tokens = data.splits["train"].inputs[torch.arange(20)]
    assert torch.equal(data.transform(tokens, None), tokens)
    noisy = data.transform(tokens, KEYS[:20])
    assert ((noisy == UNK) & (tokens != UNK)).float().mean() > 0.1
    assert noisy.max() < data.saved_tokenizer().get_vocab_size() < data.vocab_size  # words that the texts have


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data=reviews", "model=gru", "data.word_dropout=1"], r"word_dropout=1 must be in \[0, 1\)"),
        (
            ["data=reviews", "model=gru", "data.word_dropout=0.5", "data.token_noise=0.5"],
            "must be less than 1 together",
        ),
        (
            ["data=imdb_lm", "model=gpt", "+data.token_noise=0.1"],
            "token_noise=0.1 is for labeled texts; a language model",
        ),
    ],
)
def test_values_that_cannot_be(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        instantiate(resolve(compose([*words, "run.dir=x"])).data, "data")
