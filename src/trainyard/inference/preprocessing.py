"""What happens to an input before the network gets it, told in a line: the same as in training."""

from typing import Any, NamedTuple

from trainyard.data.images import Images
from trainyard.data.loading.tokens import UNK
from trainyard.data.map_style import MapStyle
from trainyard.data.tabular import Tabular
from trainyard.data.text import Text


def describe_preprocessing(data: Any) -> str:
    """The size and normalization of images; the tokenizer and the length of texts."""
    if isinstance(data, Images):
        channels, height, width = data.shape
        color = {1: "grayscale", 3: "RGB"}.get(channels, f"{channels} channels")
        mean, std = (_listed(values.flatten() / 255) for values in (data.pixels.mean, data.pixels.std))
        return f"{width} x {height} pixels (scaled, center-cropped), {color}, pixels / 255 - {mean}, divided by {std}"
    if isinstance(data, Text):
        size = data.saved_tokenizer().get_vocab_size()
        end = "last" if data.truncation_side == "left" else "first"
        return f"tokenizer {data.kind} of {size:,} entries, the {end} {data.max_length:,} tokens of each text"
    if isinstance(data, Tabular):
        return f"{len(data.columns)} columns ({', '.join(data.columns)}): numbers scaled, categories as ones and zeros"
    if isinstance(data, MapStyle) and data.takes_images:
        return f"the dataset's own transform of validation, to {list(data.shape)}; bytes are divided by 255"
    shape = getattr(data, "shape", None)
    return f"numbers as they are{f', of shape {list(shape)}' if shape else ''}"


def _listed(values: Any) -> str:
    numbers = [f"{float(value):.4g}" for value in values]
    return numbers[0] if len(set(numbers)) == 1 else f"({', '.join(numbers)})"


class Words(NamedTuple):
    """What a tokenizer knows of a text."""

    count: int  # punctuation is no word
    unknown: int
    is_truncated: bool  # whether the text has more tokens than the network reads


def count_words(data: Text, texts: list[str]) -> list[Words]:
    """The words of each text, and how many of them its tokenizer does not know (one of byte pairs knows all)."""
    tokenizer = data.saved_tokenizer()
    unknown_id = UNK if data.kind == "word" else None
    found = []
    for text, encoded in zip(texts, tokenizer.encode_batch(texts, add_special_tokens=False), strict=True):
        words = [
            token for token, (start, end) in zip(encoded.ids, encoded.offsets, strict=True)
            if any(letter.isalnum() for letter in text[start:end])
        ]  # fmt: skip
        found.append(Words(len(words), sum(token == unknown_id for token in words), len(encoded.ids) > data.max_length))
    return found
