"""Where what is made of the user's own data is kept: beside it."""

from pathlib import Path


def cache_beside(root: Path, *parts: str) -> Path:
    """The folder root/PARTS in the user's own data; ValueError if a link there leads elsewhere."""
    folder = root
    for part in parts:
        folder = folder / part
        if folder.is_symlink():
            raise ValueError(f"{folder} links to {folder.readlink()}; delete the link, or set data.cache=FOLDER")
    return folder
