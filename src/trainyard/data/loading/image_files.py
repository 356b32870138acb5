"""Image files that are decoded when they are read."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from trainyard.data.loading.decode import decode_file
from trainyard.data.loading.hashing import content_digest


class ImageFiles:
    """Image files that can be indexed by a tensor like the decoded images, (N, channels, height, width) uint8."""

    def __init__(self, paths: list[Path], shape: tuple[int, ...]) -> None:
        self.paths, self.shape = paths, shape

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows: Tensor) -> Tensor:
        with ThreadPoolExecutor() as pool:  # decoding releases Python's global lock
            return torch.stack(list(pool.map(lambda row: decode_file(self.paths[row], self.shape), rows.tolist())))

    def check_headers(self) -> None:
        """ValueError for a file that does not begin as an image; none is decoded."""
        for path in self.paths:
            decode_file(path, self.shape, header_only=True)

    def digest(self) -> str:
        """The names and sizes of the files, wherever their folder is. (Their content would take too long to read.)"""
        return content_digest(*(f"{file.parent.name}/{file.name} {file.stat().st_size}\n" for file in self.paths))

    def listing(self) -> list[str]:
        """A line for each file that is another one if the file changes: its name, size and time of change."""
        found = ((file, file.stat()) for file in self.paths)
        return [f"{file.parent.name}/{file.name} {stat.st_size} {stat.st_mtime_ns}" for file, stat in found]
