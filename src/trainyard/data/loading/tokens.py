"""From texts to integers: tokenizers that are trained here, and documents stored on disk as one array."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from trainyard.data.loading.arrays import save_array
from trainyard.data.loading.hashing import content_digest

PAD, UNK, CLS, SEP, MASK = range(5)
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
KINDS = ("word", "bpe")
LINE_BREAK = {"word": " ", "bpe": "\n"}  # what "<br />" is read as
CHUNK = 1000  # texts encoded at a time
TAG = r"<[a-zA-Z/][^<>]*>"  # of HTML
TYPES = {"WordLevel", "BPE", "Sequence", "Replace", "Lowercase", "Split", "ByteLevel"}  # what ours are made of


def train_tokenizer(kind: str, texts: Sequence[str], vocab_size: int, strip_html: bool = False) -> Tokenizer:
    """A tokenizer of at most `vocab_size` entries, the special ones included, trained on `texts`.

    `word`: the most frequent words and punctuation marks in lower case; anything else is [UNK]. `bpe`: byte pair
    encoding (Sennrich et al., 2016) of bytes, so that no text is unknown and every text can be decoded. With
    `strip_html` it reads texts as if their HTML tags were not there; its vocabulary is the same, learned from the texts
    with their tags.
    """
    options = {"vocab_size": vocab_size, "special_tokens": SPECIAL, "show_progress": False}
    if kind == "word":
        trainer: Any = trainers.WordLevelTrainer(**options)
    else:
        trainer = trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **options)
    tokenizer = _untrained(kind)
    tokenizer.train_from_iterator(texts, trainer, length=len(texts))
    tokenizer.normalizer = _normalizer(kind, strip_html)
    return tokenizer


def _normalizer(kind: str, strip_html: bool) -> normalizers.Normalizer:
    """What is done to a text before it is cut into tokens."""
    tags = normalizers.Replace(Regex(TAG), "") if strip_html else normalizers.Replace("<br />", LINE_BREAK[kind])
    return normalizers.Sequence([tags, normalizers.Lowercase()]) if kind == "word" else tags


def strips_html(tokenizer: Tokenizer) -> bool:
    """Whether it reads texts without their HTML tags."""
    return tokenizer.normalizer is not None and tokenizer.normalizer.normalize_str("<br />") == ""


def _untrained(kind: str, strip_html: bool = False) -> Tokenizer:
    """A tokenizer without a vocabulary."""
    if kind == "word":
        tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+(?:'\w+)?|[^\w\s]"), "removed", invert=True)
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    tokenizer.normalizer = _normalizer(kind, strip_html)
    return tokenizer


def read_tokenizer(text: str) -> Tokenizer:
    """A tokenizer from its JSON; ValueError unless it is one of `train_tokenizer`, up to its vocabulary.

    (The format allows others whose normalizers would let a text grow without bounds.)
    """
    types = {part["type"] for part in _parts(json.loads(text))}
    if types - TYPES:  # some others make the parser panic, which prints a traceback
        raise ValueError(f"it has a part of the type {', '.join(map(str, types - TYPES))}")
    try:
        tokenizer = Tokenizer.from_str(text)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        found = _components(tokenizer)
    except BaseException as error:  # the library raises Exception, and a PanicException that is none
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise ValueError(str(error)) from error
    if found not in (_components(_untrained(*of)) for of in product(KINDS, (False, True))):
        raise ValueError("its normalizer, pre-tokenizer, model or decoder is not that of tokenizer=word or bpe")
    return tokenizer


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    """The mappings with a type, at any depth."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str):
            yield node
        node = [child for name, child in node.items() if name not in ("vocab", "merges")]
    if isinstance(node, list):
        for child in node:
            yield from _parts(child)


def _components(tokenizer: Tokenizer) -> dict[str, Any]:
    """What a tokenizer is made of, without its vocabulary."""
    content = json.loads(tokenizer.to_str())
    model = {name: value for name, value in content.pop("model").items() if name not in ("vocab", "merges")}
    return {**content, "added_tokens": None, "model": model}


def without_tags(text: str) -> str:
    """The text as a tokenizer that strips HTML tags reads it."""
    return re.sub(TAG, "", text)


def write_documents(tokenizer: Tokenizer, texts: Sequence[str], labels: Sequence[int], folder: Path) -> None:
    """Encode the texts into one array of tokens and an array of their ends; ValueError for a text without a word."""
    kind = np.uint16 if tokenizer.get_vocab_size() <= 1 << 16 else np.int32
    parts, ends = [], [0]
    for start in range(0, len(texts), CHUNK):
        for encoded in tokenizer.encode_batch(list(texts[start : start + CHUNK]), add_special_tokens=False):
            if not encoded.ids:
                raise ValueError(f"text {len(ends) - 1} ({texts[len(ends) - 1][:40]!r}) contains no word")
            parts.append(np.array(encoded.ids, dtype=kind))
            ends.append(ends[-1] + len(encoded.ids))
    folder.mkdir(parents=True)
    strips = strips_html(tokenizer)
    characters = np.array([len(without_tags(text) if strips else text) for text in texts])
    arrays = {"tokens": np.concatenate(parts), "ends": np.array(ends), "labels": np.array(labels)}
    for name, array in {**arrays, "characters": characters}.items():
        save_array(folder / f"{name}.npy", array)


class Documents:
    """Tokenized texts in one memory-mapped array, indexed by a tensor: (B) -> (B, T) int64, padded with 0.

    T is the length of the longest text of the batch, at most `max_length`; longer texts are truncated on
    `truncation_side`.
    """

    def __init__(self, folder: Path, max_length: int, truncation_side: str, padding_side: str) -> None:
        self.tokens = np.load(folder / "tokens.npy", mmap_mode="r")
        self.ends = np.load(folder / "ends.npy")
        self.characters = np.load(folder / "characters.npy")
        self.max_length, self.truncation_side, self.padding_side = max_length, truncation_side, padding_side

    def __len__(self) -> int:
        return len(self.ends) - 1

    def digest(self) -> str:
        """What tells these texts, and their tokens, from others."""
        return content_digest(self.tokens, self.ends, self.characters)

    def lengths(self, rows: Tensor) -> Tensor:  # (B) -> (B)
        """The number of tokens of each text after truncation."""
        whole = self.ends[1:] - self.ends[:-1]
        return torch.from_numpy(np.minimum(whole[rows.numpy()], self.max_length))

    def __getitem__(self, rows: Tensor) -> Tensor:
        length = self.lengths(rows).numpy()[:, None]
        first, last = (ends[rows.numpy()][:, None] for ends in (self.ends[:-1], self.ends[1:]))
        start = last - length if self.truncation_side == "left" else first
        column = np.arange(length.max())[None]
        place = column - (length.max() - length) if self.padding_side == "left" else column
        valid = (place >= 0) & (place < length)
        found = self.tokens[np.where(valid, start + place, 0)]
        return torch.from_numpy(np.where(valid, found, PAD).astype(np.int64))

    def stream(self, rows: Tensor) -> Tensor:  # (B) -> (sum of lengths + B) int32
        """The whole texts one after the other, each followed by [SEP]."""
        close = np.array([SEP], dtype=self.tokens.dtype)
        parts = [part for row in rows.tolist() for part in (self.tokens[self.ends[row] : self.ends[row + 1]], close)]
        return torch.from_numpy(np.concatenate(parts).astype(np.int32))
