"""Download a published archive once: with a progress bar, resumed, verified, unpacked completely or not at all."""

import hashlib
import shutil
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath

from platformdirs import user_cache_path
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from trainyard.data.loading.announce import announced

CHUNK = 1 << 20
MD5_DIGITS = 32


def data_root(root: str | None) -> Path:
    """The folder of the datasets: `root`, else the user's cache folder."""
    return Path(root).expanduser() if root else user_cache_path("trainyard")


def fetch(url: str, target: Path, published: str, size: int, tries: int = 4, pause: float = 0.5) -> Path:
    """Download `url`, of `size` bytes, to `target`, continuing a broken attempt, also one of an earlier run.

    `published` is its SHA-256, or its MD5 where the publishers state that one.

    ConnectionError if `tries` attempts have failed, ValueError for another size or checksum.
    """
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        for attempt in range(tries):
            try:
                _continue(url, part, size)
                break
            except (OSError, EOFError) as error:
                refused = isinstance(error, urllib.error.HTTPError) and error.code < 500
                if refused or attempt == tries - 1:
                    raise ConnectionError(f"{url} could not be downloaded ({error})") from error
                time.sleep(pause * 2**attempt)
        part.rename(target)
    return verify(target, published)


def verify(file: Path, published: str) -> Path:
    """The file; ValueError if its checksum (see `fetch`) is another one."""
    kind = "MD5" if len(published) == MD5_DIGITS else "SHA-256"
    found = checksum(file, kind)
    if found != published:
        raise ValueError(f"{file} has the {kind} {found}, not the published {published}; delete it and try again")
    return file


def _continue(url: str, part: Path, size: int) -> None:
    """Append the missing bytes to `part`; EOFError if the connection ends early, ValueError after `size` bytes."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing: the last attempt ended just before the file was renamed
            return
        raise
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with response, Progress(*columns, TimeRemainingColumn()) as progress:
        if response.status != 206:  # the server starts over
            have = 0
        total = have + int(response.headers.get("Content-Length", 0))
        bar = progress.add_task(part.stem, total=total or None, completed=have)
        with part.open("ab" if have else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                progress.update(bar, advance=len(chunk))
                have += len(chunk)
                if have > size:
                    part.unlink()
                    raise ValueError(f"{url} is longer than the published {size:,} bytes")
    if have < total:
        raise EOFError(f"the connection ended after {have} of {total} bytes")


def checksum(path: Path, kind: str = "SHA-256") -> str:
    """SHA-256 or MD5 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind.replace("-", "").lower()).hexdigest()


def unpack(archive: Path, folder: str) -> Path:
    """Unpack `folder` of a tar archive, NAME or NAME/PART, beside the archive; it appears complete or not at all."""
    target = archive.parent / folder
    partial = archive.parent / f"{folder}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    with announced(f"unpacking {archive}"), tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and not _is_beside(member.name, folder):  # links and devices are skipped
                _extract(tar, member, partial)
    if not (partial / folder).is_dir():
        raise ValueError(f"{archive} contains no folder {folder}")
    target.parent.mkdir(parents=True, exist_ok=True)
    (partial / folder).rename(target)
    shutil.rmtree(partial)
    return target


def _is_beside(name: str, folder: str) -> bool:
    """Whether a file of the archive is in the same top folder as `folder`, but not in it."""
    path, top = PurePosixPath(name), PurePosixPath(folder).parts[0]
    return path.is_relative_to(top) and not path.is_relative_to(folder)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write a file of the archive below `folder`. (Python has extraction filters since 3.11.4 only.)"""
    target, source = (folder / member.name).resolve(), tar.extractfile(member)
    if source is None or not target.is_relative_to(folder.resolve()):
        raise ValueError(f"{tar.name} would write {member.name} outside its folder; it is not the published archive")
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as file:
        shutil.copyfileobj(source, file)
