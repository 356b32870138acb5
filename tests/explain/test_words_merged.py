"""Texts as the network reads them, word by word."""

import pytest
import torch
from explained import TEXT, network, reviews

from trainyard.explain.words import read_words, to_tokens


def test_words_are_shown_as_they_were_written() -> None:
    found = read_words(reviews(), "I NEVER said <b>that</b>!")
    assert found.words == ["I", "NEVER", "said", "<", "b", ">", "that", "<", "/", "b", ">", "!"]
    assert found.tokens.tolist() == reviews().encode(["I NEVER said <b>that</b>!"])[0].tolist()
    assert found.note == "8 of 12 words are unknown"
    assert torch.equal(found.merge(torch.arange(12.0)), torch.arange(12.0))


def test_subwords_are_merged_into_words() -> None:
    data = reviews("bpe")
    found = read_words(data, "Unbelievably dull, naïve 映画")
    assert found.words == ["Unbelievably", "dull", ",", "naïve", "映画"]
    assert len(found.tokens) > 8 and found.tokens.tolist() == data.encode(["Unbelievably dull, naïve 映画"])[0].tolist()
    values = torch.rand(2, len(found.tokens))
    merged = found.merge(values)
    assert merged.shape == (2, 5)
    torch.testing.assert_close(merged.sum(-1), values.sum(-1))
    first = (found.of_token == 0).sum()
    torch.testing.assert_close(merged[:, 0], values[:, :first].sum(-1))


def test_a_long_text_is_cut_as_in_training_and_that_is_told() -> None:
    text = f"{'I said ' * 20}{TEXT}"
    found = read_words(reviews(), text)
    assert len(found.tokens) == 32 and found.words[-8:] == TEXT.split()
    assert found.note == "the network reads 32 of 48 tokens"
    assert found.tokens.tolist() == reviews().encode([text])[0].tolist()


def test_a_language_model_is_asked_after_a_separator() -> None:
    found = read_words(reviews(), TEXT, starts=True)
    assert found.words == ["[SEP]", *TEXT.split()] and found.tokens[0] == 3
    assert found.of_token.tolist() == list(range(9)) and found.masked is None
    assert read_words(reviews(), "the [MASK] was dull").masked == 1


@pytest.mark.parametrize(("text", "answer"), [(" ", "contains no word"), ("zzz qqq", "all 2 words .* are unknown")])
def test_a_text_of_no_known_word_is_refused(text: str, answer: str) -> None:
    with pytest.raises(ValueError, match=answer):
        read_words(reviews(), text)


def test_the_value_of_a_word_pair_is_divided_between_its_words() -> None:
    values = torch.tensor([1.0, 2.0, 3.0, 10.0, 20.0])  # three words, two pairs
    assert to_tokens(network("bow"), values, 3).tolist() == [6, 17, 13]
    assert to_tokens(network("gru"), values[:3], 3).tolist() == [1, 2, 3]
