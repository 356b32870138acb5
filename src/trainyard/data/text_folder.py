"""The user's own texts: root/train/CLASS/*.txt, root/test/CLASS/*.txt and optionally root/val/CLASS/*.txt."""

from pathlib import Path
from typing import Any

from trainyard.data.imdb import read_text
from trainyard.data.loading.cache import cache_beside
from trainyard.data.text import Text


class TextFolder(Text):
    """One text per file, in UTF-8; the folders' names are the classes. Tokens are stored in root/.tokens."""

    def __init__(self, root: str, cache: str | None = None, **text: Any) -> None:
        self.root = Path(root).expanduser()
        super().__init__(cache=cache or str(cache_beside(self.root, ".tokens", "tokens").parent), **text)

    def has_val(self) -> bool:
        return (self.root / "val").is_dir()

    def files(self, split: str) -> list[tuple[Path, int]]:
        """The files of a split, each with its label."""
        if not (self.root / split).is_dir():
            raise FileNotFoundError(f"{self.root / split} is missing: it should contain a folder of texts per class")
        found = []
        for label, name in enumerate(self.classes):
            files = sorted((self.root / split / name).rglob("*.txt"))
            if not files:
                raise ValueError(f"{self.root / split / name} contains no text (*.txt); every class needs at least one")
            found += [(file, label) for file in files]
        return found

    def fingerprint(self) -> str:
        splits = ("train", "test", *(["val"] if self.has_val() else []))
        stats = [(str(file), file.stat()) for split in splits for file, _ in self.files(split)]
        return repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])

    def texts(self, split: str) -> tuple[list[str], list[int]]:
        found = self.files(split)
        return [read_text(file) for file, _ in found], [label for _, label in found]
