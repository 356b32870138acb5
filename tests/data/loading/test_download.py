"""Downloads from a server on this machine that can be made to break off."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from trainyard.data.loading.download import fetch, unpack

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[SimpleNamespace]:
    """`breaks` connections end half-way; `requests` lists the first byte of each request; ranges can be ignored."""
    state = SimpleNamespace(breaks=0, requests=[], ranges=True, status=None)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "bytes=0-")
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            state.requests.append(start)
            if state.status or start >= len(CONTENT):
                return self.send_error(state.status or 416)
            body = CONTENT[start:] if state.ranges else CONTENT
            self.send_response(206 if start and state.ranges else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.breaks:
                state.breaks -= 1
                body = body[: len(body) // 2]
            return self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{http.server_port}/data.bin"
    yield state
    http.shutdown()


def test_a_file_is_fetched_once(server: SimpleNamespace, tmp_path: Path) -> None:
    for _ in range(2):
        assert fetch(server.url, tmp_path / "data.bin", SHA256, len(CONTENT)).read_bytes() == CONTENT
    assert server.requests == [0]


def test_a_broken_connection_is_continued(server: SimpleNamespace, tmp_path: Path) -> None:
    server.breaks = 2
    assert fetch(server.url, tmp_path / "data.bin", SHA256, len(CONTENT), pause=0).read_bytes() == CONTENT
    assert server.requests == [0, 512_000, 768_000]


def test_an_earlier_runs_part_is_continued(server: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    assert fetch(server.url, tmp_path / "data.bin", SHA256, len(CONTENT)).read_bytes() == CONTENT
    assert server.requests == [1000]


def test_a_part_that_is_whole_needs_no_more(server: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    assert fetch(server.url, tmp_path / "data.bin", SHA256, len(CONTENT)).read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(server: SimpleNamespace, tmp_path: Path) -> None:
    server.breaks, server.ranges = 1, False
    assert fetch(server.url, tmp_path / "data.bin", SHA256, len(CONTENT), pause=0).read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused(server: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"has the SHA-256 {SHA256}, not the published 00; delete it"):
        fetch(server.url, tmp_path / "data.bin", "00", len(CONTENT))


def test_a_download_without_end_is_cut_off(server: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is longer than the published 1,000 bytes"):
        fetch(server.url, tmp_path / "data.bin", SHA256, 1000)
    assert not list(tmp_path.iterdir())


def test_what_is_not_there_is_not_asked_for_twice(server: SimpleNamespace, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(ConnectionError, match="could not be downloaded .*404"):
        fetch(server.url, tmp_path / "data.bin", SHA256, len(CONTENT))
    assert len(server.requests) == 1


def test_a_server_in_trouble_is_asked_again(server: SimpleNamespace, tmp_path: Path) -> None:
    server.status = 503
    with pytest.raises(ConnectionError, match="could not be downloaded .*503"):
        fetch(server.url, tmp_path / "data.bin", SHA256, len(CONTENT), tries=3, pause=0)
    assert len(server.requests) == 3


def archive(path: Path, name: str) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = 3
        tar.addfile(info, io.BytesIO(b"abc"))
    return path


def test_a_folder_is_unpacked_whole(tmp_path: Path) -> None:
    (tmp_path / "folder.partial").mkdir()  # of a killed attempt
    (tmp_path / "folder.partial" / "rubbish").touch()
    folder = unpack(archive(tmp_path / "a.tar.gz", "folder/file"), "folder")
    assert [file.name for file in folder.iterdir()] == ["file"]
    assert not (tmp_path / "folder.partial").exists()


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="contains no folder folder"):
        unpack(archive(tmp_path / "a.tar.gz", "other/file"), "folder")


def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="would write ../escaped outside its folder"):
        unpack(archive(tmp_path / "a.tar.gz", "../escaped"), "folder")
    assert not (tmp_path.parent / "escaped").exists()
