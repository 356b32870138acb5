"""What all text datasets share: a tokenizer trained on the training split alone, tokens on disk, padded batches."""

import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from tokenizers import Tokenizer
from torch import Tensor

from trainyard.data.base import DataModule, Samples
from trainyard.data.loading.announce import announced
from trainyard.data.loading.download import data_root
from trainyard.data.loading.hashing import stable_hash
from trainyard.data.loading.split import NO_LABEL
from trainyard.data.loading.token_noise import TokenNoise
from trainyard.data.loading.tokens import (
    KINDS,
    SPECIAL,
    Documents,
    read_tokenizer,
    train_tokenizer,
    write_documents,
)  # fmt: skip
from trainyard.files import read_small, write_durably

MAX_TOKENIZER = 1 << 26  # bytes of a tokenizer.json
SIDES = ("left", "right")
SPLITS = ("train", "val", "test")


class Text(DataModule):
    """Labeled texts as tokens (B, T), T <= `max_length`, padded with 0.

    Subclasses define `texts` and `fingerprint`. The texts are tokenized once, into the folder `cache`, by a tokenizer
    that was trained on the training split alone, which depends on `split_seed`, never on `seed`. With `strip_html` it
    reads them as if their HTML tags were not there. `bucket` puts texts of similar length into a batch. In training,
    the share `word_dropout` of the tokens becomes [UNK], and `token_noise` another token.
    """

    has_labels = True  # False: texts alone, for language models
    tokens_of = ""  # the class, in lower case, of a dataset with the same texts, whose tokens these are as well

    def __init__(
        self,
        vocab_size: int,
        max_length: int,
        classes: Sequence[str] = (),
        num_classes: int = 0,
        tokenizer: str = "word",
        truncation_side: str = "left",
        padding_side: str = "right",
        bucket: bool = False,
        strip_html: bool | None = None,
        word_dropout: float = 0.0,
        token_noise: float = 0.0,
        cache: str | None = None,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        if tokenizer not in KINDS:
            raise ValueError(f"tokenizer={tokenizer} is unknown; choose one of {', '.join(KINDS)}")
        least = len(SPECIAL) + (256 if tokenizer == "bpe" else 1)
        if vocab_size < least:
            raise ValueError(f"vocab_size={vocab_size} is too small: tokenizer={tokenizer} needs at least {least}")
        if max_length < 1:
            raise ValueError(f"max_length={max_length} must be at least 1")
        for name, side in (("truncation_side", truncation_side), ("padding_side", padding_side)):
            if side not in SIDES:
                raise ValueError(f"{name}={side} must be left or right")
        if num_classes != len(classes):
            raise ValueError(f"num_classes={num_classes}, but there are {len(classes)} classes: {', '.join(classes)}")
        self.noise = TokenNoise(word_dropout, token_noise, vocab_size)
        self.vocab_size, self.max_length, self.kind = vocab_size, max_length, tokenizer
        self.classes, self.num_classes, self.bucket = list(classes), num_classes, bucket
        self.truncation_side, self.padding_side, self.strip_html = truncation_side, padding_side, bool(strip_html)
        self.cache = (Path(cache) if cache else data_root(None)).expanduser() / "tokens"
        self.tokenizer_file: Path | None = None
        self.kept_tokenizer: Tokenizer | None = None  # where each request would read it again
        self.tokenizes_anew = True  # False: the texts are another run's data, and have the tokens of its tokenizer

    def texts(self, split: str) -> tuple[list[str], list[int]]:
        """The texts of `train` or `test` (or `val`, if the data has one of its own) and their labels."""
        raise NotImplementedError

    def has_val(self) -> bool:
        """Whether the data has a validation split of its own."""
        return False

    def fingerprint(self) -> str:
        """A string that is different for different texts."""
        raise NotImplementedError

    @cached_property
    def folder(self) -> Path:
        """The folder of these texts' tokens: the texts as they were when this was first called."""
        cut = (self.folds, self.fold) if self.folds else (self.val_fraction,)
        parts = self.fingerprint(), self.kind, self.vocab_size, self.split_seed, *cut
        parts += ("strip_html",) if self.strip_html else ()
        of_run = () if self.tokenizes_anew else (self.tokenizer_json(),)
        return self.cache / f"{self.tokens_of or type(self).__name__.lower()}-{stable_hash(*parts, *of_run):016x}"

    def prepare_data(self) -> None:
        folder = self.folder
        if folder.is_dir():
            return
        self.cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                partial = folder.with_suffix(".partial")
                shutil.rmtree(partial, ignore_errors=True)
                try:
                    self.tokenize(partial)
                    partial.rename(folder)
                except BaseException:
                    shutil.rmtree(partial, ignore_errors=True)
                    raise

    def tokenize(self, folder: Path) -> None:
        """Train the tokenizer on the training split, without the validation samples, and encode every split."""
        with announced("reading the texts"):
            read = {split: self.texts(split) for split in SPLITS if split != "val" or self.has_val()}
        for split, (_, labels) in read.items():
            self.check_classes(split, labels)
        count = " + ".join(f"{len(texts):,}" for texts, _ in read.values())
        with announced(f"tokenizing {count} texts into {self.folder}, once", at_once=True):
            self.write_tokens(read, folder)

    def write_tokens(self, read: dict[str, tuple[list[str], list[int]]], folder: Path) -> None:
        """Write the tokens of all splits into `folder`, and the tokenizer."""
        texts, labels = read["train"]
        rest = range(len(texts))
        if not self.has_val():
            found = torch.tensor(labels)
            rest = self.hold_out(found, torch.arange(len(found)))[0].tolist()
        if self.tokenizes_anew:
            known = [texts[row] for row in rest if labels[row] != NO_LABEL]
            tokenizer = train_tokenizer(self.kind, known, self.vocab_size, self.strip_html)
        else:
            tokenizer = self.saved_tokenizer()
        for split, (texts, labels) in read.items():
            write_documents(tokenizer, texts, labels, folder / split)
        content = tokenizer.to_str(pretty=True).encode()
        write_durably(folder / "tokenizer.json", lambda file: file.write(content))

    def hold_out(self, labels: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """As any data; texts without a label are all to train on."""
        known = (labels != NO_LABEL).nonzero().flatten()
        rest, chosen = super().hold_out(labels[known], rows[known])
        unlabeled = (labels == NO_LABEL).nonzero().flatten()
        return torch.cat([known[rest], unlabeled]).sort().values, known[chosen]

    def check_classes(self, split: str, labels: Sequence[int]) -> None:
        """Raise ValueError for a class without a sample."""
        missing = [name for label, name in enumerate(self.classes) if label not in set(labels)]
        if missing or not labels:
            raise ValueError(f"{split} contains no text of the classes {missing}; every class needs at least one")

    def read(self, split: str) -> Samples:
        if self.noise.noise:  # of texts with fewer words than vocab_size, the rest would be tokens that no text has
            self.noise.vocab_size = self.saved_tokenizer().get_vocab_size()
        folder = self.folder / split
        documents = Documents(folder, self.max_length, self.truncation_side, self.padding_side)
        return Samples(documents, torch.from_numpy(np.load(folder / "labels.npy")).long())

    def read_val(self) -> Samples | None:
        return self.read("val") if self.has_val() else None

    def transform(self, inputs: Tensor, keys: Tensor | None) -> Tensor:
        return inputs if keys is None else self.noise(inputs, keys)

    def lengths(self, split: str) -> Tensor | None:
        samples = self.splits[split]
        return samples.inputs.lengths(samples.rows) if self.bucket else None

    def tokenizer_json(self) -> str:
        """The tokenizer in the format in which it is saved with a run."""
        return read_small(self.tokenizer_path(), MAX_TOKENIZER).decode("utf-8")

    def tokenizer_path(self) -> Path:
        """The tokenizer's file: in the run that is reopened, else beside the tokens."""
        return self.tokenizer_file or self.folder / "tokenizer.json"

    def saved_tokenizer(self) -> Tokenizer:
        """The tokenizer of the run, or of the data; ValueError for a file that is none of ours."""
        if self.kept_tokenizer is not None:
            return self.kept_tokenizer
        try:
            return read_tokenizer(self.tokenizer_json())
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(f"{self.tokenizer_path()} is not a tokenizer of Trainyard: {error}") from error

    def encode(self, texts: Sequence[str]) -> Tensor:  # B texts -> (B, T) int64
        """The tokens of new texts, truncated and padded as in training; ValueError for a text without a word."""
        cut = slice(-self.max_length, None) if self.truncation_side == "left" else slice(self.max_length)
        return self.pad([tokens[cut] for tokens in self.whole_tokens(texts)])

    def pad(self, rows: Sequence[Tensor]) -> Tensor:  # B texts (T) -> (B, T)
        """The tokens of several texts in one tensor."""
        return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_side=self.padding_side)

    def prepare_inputs(self, inputs: Any) -> Tensor:
        """A text, or several, as tokens; or tokens (N, T)."""
        if isinstance(inputs, str):
            inputs = [inputs]
        if isinstance(inputs, list | tuple) and all(isinstance(text, str) for text in inputs):
            return self.encode(inputs)
        return super().prepare_inputs(inputs)

    def whole_tokens(self, texts: Sequence[str]) -> list[Tensor]:  # B texts -> B tensors (T) int64
        """All tokens of new texts, however many; ValueError for a text without a word."""
        rows = [encoded.ids for encoded in self.saved_tokenizer().encode_batch(list(texts), add_special_tokens=False)]
        for text, row in zip(texts, rows, strict=True):
            if not row:
                raise ValueError(f"the text {text!r} contains no word")
        return [torch.tensor(row) for row in rows]

    def decode(self, tokens: Tensor) -> str:  # (T) -> text
        """The text of the tokens, without special tokens."""
        return self.saved_tokenizer().decode(tokens.tolist())
