"""Resume points of which each process writes its part (torch.distributed.checkpoint), and how they become one file."""

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint.default_planner import DefaultSavePlanner

from trainyard.collectives import from_rank_zero, gathered, rank
from trainyard.durability.checkpoint_io import CheckpointError, DurableIO, cannot_write
from trainyard.durability.point_files import resume_points
from trainyard.errors import UserError
from trainyard.files import sync_names
from trainyard.trust.checkpoint_files import load_checkpoint
from trainyard.trust.shards import METADATA, SHARDS, checksum_of, split_tensors


class Writer(dcp.FileSystemWriter):
    """torch's writer, which leaves out where the files were written."""

    def storage_meta(self) -> None:
        return None


def write_shards(checkpoint: dict[str, Any], path: Path, is_shard: Callable[[Any], bool]) -> None:
    """Write a checkpoint whose tensors are sharded: all processes their parts, then rank 0 the file that names them.

    Where one cannot write its part, all raise CheckpointError, and a checkpoint that was there before is intact.
    """
    shards: dict[str, Any] = {}
    content = split_tensors(checkpoint, is_shard, shards)
    folder = path.with_name(from_rank_zero(lambda: f"{path.name}.shards-{secrets.token_hex(4)}"))
    try:
        save_parts(shards, folder, path)
        files = {name: entry for part in gathered(described(folder)) for name, entry in part.items()}
        if rank() == 0:
            sync_names(folder)
            DurableIO().save_checkpoint({**content, SHARDS: {"folder": folder.name, "files": files}}, path)
    except CheckpointError:
        if rank() == 0:
            shutil.rmtree(folder, ignore_errors=True)  # the disk may be full
        raise


def save_parts(shards: dict[str, Any], folder: Path, path: Path) -> None:
    """Write the shards; CheckpointError in all processes if one cannot."""
    try:
        planner = DefaultSavePlanner(flatten_state_dict=False, flatten_sharded_tensors=False)
        dcp.save(shards, storage_writer=Writer(folder), planner=planner)
    except dcp.CheckpointException as error:
        first = next((failure[0] for failure in error.failures.values()), error)  # of a process that could not write
        raise cannot_write(path, first) from first


def described(folder: Path) -> dict[str, list[int]]:
    """Size and checksum of each file in the folder that this process has written."""
    own = [*folder.glob(f"__{rank()}_*"), *([folder / METADATA] if rank() == 0 else [])]
    found = {}
    for name in own:
        with name.open("rb") as file:
            found[name.name] = [name.stat().st_size, checksum_of(file)]
    return found


def delete_orphans(folder: Path) -> None:
    """Delete the shards that no checkpoint in the folder names."""
    for shards in folder.glob("*.shards-*"):
        owner = shards.with_name(shards.name.rpartition(".shards-")[0])
        try:
            name = load_checkpoint(owner, whole=False, mmap=True).get(SHARDS, {}).get("folder")
        except (UserError, AttributeError):  # there is none, or it is damaged
            name = None
        if name != shards.name and not shards.is_symlink():
            shutil.rmtree(shards, ignore_errors=True)


def consolidate(folder: Path) -> list[Path]:
    """Write each resume point whose tensors are in several files as one file; return those that were."""
    found = [path for path in resume_points(folder) if SHARDS in load_checkpoint(path, whole=False, mmap=True)]
    for path in found:
        DurableIO().save_checkpoint(load_checkpoint(path), path)
    delete_orphans(folder)
    return found
