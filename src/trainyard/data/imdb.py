"""IMDB (Maas et al., 2011): 50,000 movie reviews, half of them positive, half negative, from the published folder."""

import os
from pathlib import Path
from typing import Any

from filelock import FileLock

from trainyard.data.loading.download import data_root, fetch, unpack
from trainyard.data.text import Text
from trainyard.files import read_small

URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
SIZE = 84_125_825
SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fefe7008e91d46ef5ad4b3d"
FOLDER = "aclImdb"
CLASSES = ("neg", "pos")
REVIEWS = 12_500  # of a class in a split
MAX_TEXT = 1 << 26  # bytes


class IMDB(Text):
    """The published split: 25,000 reviews to train (and validate) on, 25,000 to test.

    Found as `root`/aclImdb, else as the archive beside it, else downloaded there if `download`.
    """

    def __init__(self, root: str | None = None, download: bool = True, cache: str | None = None, **text: Any) -> None:
        super().__init__(cache=cache or root, **text)
        self.root, self.download = data_root(root), download

    def prepare_data(self) -> None:
        if not (self.root / FOLDER).is_dir():
            self.obtain()
        super().prepare_data()

    def obtain(self) -> None:
        """Unpack the archive, downloaded if needed and allowed; FileNotFoundError says which file to put where."""
        archive = self.root / Path(URL).name
        try:
            if not self.download and not archive.exists():
                raise ConnectionError("data.download=false forbids a download")
            self.root.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / f".{FOLDER}.lock"):
                if not (self.root / FOLDER).is_dir():
                    unpack(fetch(URL, archive, SHA256, SIZE), FOLDER)
        except ConnectionError as error:
            raise FileNotFoundError(
                f"IMDB is not in {self.root}, and {error}. Put {archive.name} from {URL}, or its unpacked folder "
                f"{FOLDER}, into {self.root} (data.root=... or TRAINYARD_DATA names another folder), "
                "or choose data=reviews, which needs no download"
            ) from error

    def files(self, split: str) -> list[list[str]]:
        """The reviews' paths, a list per class; FileNotFoundError unless all exist."""
        found = []
        for name in CLASSES:
            folder = self.root / FOLDER / split / name
            listed = sorted(entry.path for entry in os.scandir(folder)) if folder.is_dir() else []
            if len(listed) != REVIEWS:
                raise FileNotFoundError(
                    f"{folder} contains {len(listed):,} of {REVIEWS:,} reviews; unpack the whole archive from {URL}"
                )
            found.append(listed)
        return found

    def fingerprint(self) -> str:
        return f"aclImdb v1, {REVIEWS} reviews"

    def texts(self, split: str) -> tuple[list[str], list[int]]:
        paths = [(path, label) for label, listed in enumerate(self.files(split)) for path in listed]
        return [read_text(Path(path)) for path, _ in paths], [label for _, label in paths]


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
