import gzip
from pathlib import Path

import numpy as np
import pytest
from published_copies import idx

from trainyard.data.loading.idx import read_idx

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_array_is_read(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"images{suffix}"
    file.write_bytes(gzip.compress(idx(IMAGES)) if suffix else idx(IMAGES))
    assert np.array_equal(read_idx(file, 3).numpy(), IMAGES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(IMAGES)[:-1], "has 59 bytes after its header, which says 60"),
        (idx(IMAGES) + b"x", "has more bytes after its header, which says 60"),
        (idx(IMAGES)[:9], "is no IDX file of bytes with 3 axes"),
        (idx(IMAGES[0]), "is no IDX file of bytes with 3 axes: it begins with 00 00 08 02"),
        (b"\x00\x00\x0d\x03" + idx(IMAGES)[4:], "is no IDX file of bytes"),
        (idx(IMAGES)[:4] + b"\xff" * 12, "more than 1,073,741,824"),
        (b"", "is no IDX file"),
    ],
)
def test_another_file_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "images", 3)


@pytest.mark.parametrize("cut", [-1, -20, 15, 3])
def test_a_truncated_archive_is_refused(cut: int, tmp_path: Path) -> None:
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx(IMAGES))[:cut])
    with pytest.raises(ValueError, match=r"images.gz cannot be read .*delete it and try again"):
        read_idx(tmp_path / "images.gz", 3)
