"""IMDB (Maas et al., 2011): 50,000 movie reviews, half of them positive, half negative, from the published folder."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import Tensor

from trainyard.data.base import Samples
from trainyard.data.loading.download import data_root, fetch, unpack
from trainyard.data.loading.split import NO_LABEL
from trainyard.data.loading.tokens import without_tags
from trainyard.data.text import Text
from trainyard.files import read_small

URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
SIZE = 84_125_825
SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fefe7008e91d46ef5ad4b3d"
FOLDER = "aclImdb"
CLASSES = ("neg", "pos")
REVIEWS = 12_500  # of a class in a split
UNSUP = f"{FOLDER}/train/unsup"
UNLABELLED = 50_000  # reviews without a class
TAG = "<br />"  # in most reviews with several paragraphs
MAX_TEXT = 1 << 26  # bytes


class IMDB(Text):
    """The published split: 25,000 reviews to train (and validate) on, 25,000 to test.

    Found as `root`/aclImdb, else as the archive beside it, else downloaded there if `download`. With `unlabelled`, the
    50,000 reviews of train/unsup are training texts as well, for language models; the tokenizer learns without them.
    In some copies they have lost their HTML tags: so all are read without, unless `strip_html` is False.
    With `pseudo_labels` they are training samples of the class that the network of that run directory predicts, if its
    probability is at least `pseudo_confidence` (Lee, 2013); `add_pseudo_labels` is told these classes.
    """

    def __init__(
        self,
        root: str | None = None,
        download: bool = True,
        cache: str | None = None,
        unlabelled: bool = False,
        strip_html: bool | None = None,
        pseudo_labels: str | None = None,
        pseudo_confidence: float = 0.75,
        **text: Any,
    ) -> None:
        unlabelled = unlabelled or pseudo_labels is not None
        strip_html = unlabelled if strip_html is None else strip_html
        super().__init__(cache=cache or root, strip_html=strip_html, **text)
        if unlabelled and self.has_labels and pseudo_labels is None:
            raise ValueError(
                "data.unlabelled=true, but this data learns from labels, which the unlabelled reviews lack; set "
                "data.pseudo_labels=RUN to a run that predicts them, or train a language model on them: data=imdb_mlm, "
                "imdb_rtd or imdb_lm, of which pretrained=RUN takes the weights"
            )
        if not self.has_labels and pseudo_labels is not None:
            raise ValueError(f"pseudo_labels={pseudo_labels}: a language model learns from no labels; leave it out")
        if not 0 <= pseudo_confidence < 1:
            raise ValueError(f"pseudo_confidence={pseudo_confidence} must be in [0, 1)")
        self.root, self.download, self.unlabelled = data_root(root), download, unlabelled
        self.pseudo_labels, self.pseudo_confidence = pseudo_labels, pseudo_confidence
        self.added_labels: Tensor | None = None  # of the unlabelled texts, once they are training samples

    def prepare_data(self) -> None:
        if not (self.root / FOLDER).is_dir():
            self.obtain(FOLDER)
        if self.unlabelled and not (self.root / UNSUP).is_dir():
            self.obtain(UNSUP)
        super().prepare_data()

    def obtain(self, folder: str) -> None:
        """Unpack a folder of the archive, downloaded if needed; FileNotFoundError says which file to put where."""
        archive = self.root / Path(URL).name
        try:
            if not self.download and not archive.exists():
                raise ConnectionError("data.download=false forbids a download")
            self.root.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / f".{FOLDER}.lock"):
                if not (self.root / folder).is_dir():
                    unpack(fetch(URL, archive, SHA256, SIZE), folder)
        except ConnectionError as error:
            if folder == UNSUP:
                raise FileNotFoundError(
                    f"{self.root / UNSUP} contains 0 of {UNLABELLED:,} unlabelled reviews, and {error}. Put "
                    f"{archive.name} from {URL}, or that folder of it, into {self.root}, or set data.unlabelled=false "
                    "(with pseudo-labels: data.pseudo_labels=null data.strip_html=true)"
                ) from error
            raise FileNotFoundError(
                f"IMDB is not in {self.root}, and {error}. Put {archive.name} from {URL}, or its unpacked folder "
                f"{FOLDER}, into {self.root} (data.root=... or TRAINYARD_DATA names another folder), "
                "or choose data=reviews, which needs no download"
            ) from error

    def files(self, split: str) -> list[list[str]]:
        """The reviews' paths, a list per class; FileNotFoundError unless all exist."""
        return [files_of(self.root / FOLDER / split / name, REVIEWS) for name in CLASSES]

    def fingerprint(self) -> str:
        return f"aclImdb v1, {REVIEWS} reviews" + (f", {UNLABELLED} unlabelled" if self.unlabelled else "")

    def texts(self, split: str) -> tuple[list[str], list[int]]:
        paths = [(path, label) for label, listed in enumerate(self.files(split)) for path in listed]
        texts, labels = [read_text(Path(path)) for path, _ in paths], [label for _, label in paths]
        unlabelled = self.unlabelled_texts() if self.unlabelled and split == "train" else []
        if unlabelled and not self.strip_html and tagged(texts) and not tagged(unlabelled):
            raise ValueError(
                f"data.strip_html=false, but the reviews in {self.root / UNSUP} have lost their {TAG}, which the "
                "labelled ones have; set data.strip_html=true, which reads both without"
            )
        return texts + unlabelled, labels + [NO_LABEL] * len(unlabelled)

    def unlabelled_texts(self) -> list[str]:
        """The reviews without a class; FileNotFoundError unless all exist."""
        return [read_text(Path(path)) for path in files_of(self.root / UNSUP, UNLABELLED)]

    def read(self, split: str) -> Samples:
        """The samples of `train` or `test`; of a classification, those with a label of their own."""
        samples = super().read(split)
        return samples.select((samples.labels != NO_LABEL).nonzero().flatten()) if self.has_labels else samples

    def choose_pseudo_labels(self, texts: Sequence[str], probabilities: Tensor) -> Tensor:  # (N, num_classes) -> (N)
        """The class of each unlabelled text that is confident enough, else NO_LABEL.

        ValueError for other texts than those that were tokenized.
        """
        train = self.splits["train"]
        characters = train.inputs.characters[(train.all_labels == NO_LABEL).numpy()]
        if list(characters) != [len(without_tags(text) if self.strip_html else text) for text in texts]:
            raise ValueError(
                f"the reviews in {self.root / UNSUP} are not those with tokens in {self.folder}; delete that folder"
            )
        confidence, labels = probabilities.max(dim=1)
        return labels.masked_fill(confidence < self.pseudo_confidence, NO_LABEL)

    def add_pseudo_labels(self, labels: Tensor) -> None:  # (N) int64
        """Train on the N unlabelled texts as well, but for those whose label is NO_LABEL."""
        train, self.added_labels = self.splits["train"], labels
        all_labels = train.all_labels.clone()
        rows = (all_labels == NO_LABEL).nonzero().flatten()
        all_labels[rows] = labels
        chosen = rows[labels != NO_LABEL]
        self.splits["train"] = Samples(train.inputs, all_labels, torch.cat([train.rows, chosen]), train.source)


def files_of(folder: Path, number: int) -> list[str]:
    """The paths of the files in a folder; FileNotFoundError unless there are that many."""
    listed = sorted(entry.path for entry in os.scandir(folder)) if folder.is_dir() else []
    if len(listed) != number:
        raise FileNotFoundError(
            f"{folder} contains {len(listed):,} of {number:,} reviews; unpack the whole archive from {URL}"
        )
    return listed


def tagged(texts: list[str]) -> bool:
    """Whether a text has a line break of HTML."""
    return any(TAG in text for text in texts)


def read_text(path: Path) -> str:
    """A text file's content; ValueError naming one that is empty or is not UTF-8."""
    try:
        text = read_small(path, MAX_TEXT).decode("utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be read as a text: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 (byte {error.start}); convert it") from error
    if not text.strip():
        raise ValueError(f"{path} is empty; delete it or write a text into it")
    return text
