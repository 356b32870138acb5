"""What published image sets share: found in a folder, else downloaded, verified, and with a test split of their own."""

from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from filelock import FileLock
from torch import Tensor

from trainyard.data.base import Samples
from trainyard.data.images import Images, require_shape
from trainyard.data.loading.download import data_root, fetch, unpack, verify


class Source(NamedTuple):
    """A file as it is published: its checksum is the SHA-256, or the MD5 where the publishers state that."""

    url: str
    checksum: str
    size: int  # bytes

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


class PublishedImages(Images):
    """Subclasses state what is published, and define `load`, which reads it.

    SOURCES are the files of `root`/FOLDER, or one archive beside it that contains the folder. Those that are missing
    are downloaded if `download`; those that are there are verified (of a folder that is unpacked, sizes and labels).
    """

    TITLE: ClassVar[str]
    SHAPE: ClassVar[tuple[int, int, int]]
    CLASSES: ClassVar[tuple[str, ...]]
    FOLDER: ClassVar[str]
    SOURCES: ClassVar[tuple[Source, ...]]

    def __init__(self, shape: list[int], root: str | None = None, download: bool = True, **images: Any) -> None:
        require_shape(self.TITLE, shape, *self.SHAPE)
        super().__init__(shape=shape, **images)
        self.root, self.download = data_root(root), download

    def load(self, split: str) -> tuple[Tensor, Tensor]:
        """The images of `train` or `test`, (N, *SHAPE) uint8, and their labels, (N) int64; ValueError if damaged."""
        raise NotImplementedError

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self.root / self.FOLDER

    @property
    def is_archive(self) -> bool:
        """Whether one archive is published, which is unpacked."""
        return self.SOURCES[0].name.endswith(".tar.gz")

    def file(self, source: Source) -> Path:
        """A published file: as it is, or, of one that is compressed, unpacked beside it by another program."""
        path = (self.root if self.is_archive else self.folder) / source.name
        unpacked = self.folder if self.is_archive else path.with_suffix("")
        return unpacked if unpacked.exists() and (self.is_archive or not path.exists()) else path

    def missing(self) -> list[Source]:
        """What is published and not unpacked, or not there."""
        if self.is_archive:
            return [] if self.folder.is_dir() else list(self.SOURCES)
        return [source for source in self.SOURCES if not self.file(source).exists()]

    def prepare_data(self) -> None:
        if missing := self.missing():
            self.obtain(missing)
        for source in self.SOURCES:
            if (path := self.file(source)).name == source.name:
                verify(path, source.checksum)
        self.load("test")  # what is wrong with it is said before the training, not after it

    def obtain(self, missing: list[Source]) -> None:
        """Download what is missing, if allowed; FileNotFoundError says which files to put where."""
        place = self.root if self.is_archive else self.folder
        try:
            if not self.download and not all((place / source.name).exists() for source in missing):
                raise ConnectionError("data.download=false forbids a download")
            place.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / f".{self.FOLDER.replace('/', '-')}.lock"):  # of several runs, one downloads
                for source in self.missing():
                    file = fetch(source.url, place / source.name, source.checksum, source.size)
                    if self.is_archive:
                        unpack(file, self.FOLDER)
        except ConnectionError as error:
            names = " and ".join(source.name for source in missing)
            origin = missing[0].url if len(missing) == 1 else missing[0].url.rpartition("/")[0]
            unpacked = f", or its unpacked folder {self.FOLDER}," if self.is_archive else ""
            raise FileNotFoundError(
                f"{self.TITLE} is not in {place}, and {error}. Put {names} from {origin}{unpacked} into {place} "
                "(data.root=... or TRAINYARD_DATA names another root), or choose data=shapes, which needs no download"
            ) from error

    def read(self, split: str) -> Samples:
        return self.only_classes(Samples(*self.load(split)), self.CLASSES)

    def check_labels(self, labels: Tensor, path: Path) -> Tensor:
        """The labels of a file as (N) int64; ValueError for one that is no class."""
        bad = (labels >= len(self.CLASSES)).nonzero().flatten()
        if len(bad):
            raise ValueError(
                f"{path}: record {int(bad[0])} has the label {int(labels[bad[0]])}, above {len(self.CLASSES) - 1}; "
                f"this is not a file of {self.TITLE}"
            )
        return labels.long()
