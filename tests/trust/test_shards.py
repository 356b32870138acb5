"""A checkpoint in parts is read as tensors alone, whatever its metadata asks for."""

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint.metadata import _MEM_FORMAT_ENCODING, BytesStorageMetadata, Metadata

from trainyard.durability.checkpoint_io import DurableIO
from trainyard.durability.point_files import newest_intact
from trainyard.durability.sharded_points import delete_orphans, described, write_shards
from trainyard.errors import UserError
from trainyard.trust.checkpoint_files import load_checkpoint
from trainyard.trust.shards import DTYPES, SHARDS, Unpickler

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
TENSORS = {f"{dtype}": torch.arange(6).reshape(2, 3).to(dtype) for dtype in DTYPES}
CONTENT = {"global_step": 3, "state_dict": TENSORS, "optimizer_states": [{"state": {0: {"step": 4}}}], "pair": (1, [2])}


@pytest.fixture
def point(tmp_path: Path) -> Path:
    """A checkpoint whose tensors are in a folder of their own."""
    path = tmp_path / "resume-000000003.ckpt"
    write_shards(CONTENT, path, lambda value: isinstance(value, torch.Tensor))
    return path


def folder_of(point: Path) -> Path:
    return point.parent / load_checkpoint(point, whole=False)[SHARDS]["folder"]


def rewrite(point: Path, change: Callable[[Metadata], Any]) -> None:
    """Change the metadata as someone would who knows how to write the checksums."""
    file = folder_of(point) / ".metadata"
    metadata = pickle.loads(file.read_bytes())
    file.write_bytes(pickle.dumps(change(metadata) or metadata))
    content = load_checkpoint(point, whole=False)
    content[SHARDS]["files"] |= described(folder_of(point))
    DurableIO().save_checkpoint(content, point)


def test_what_was_written_is_read_again(point: Path) -> None:
    content = load_checkpoint(point)
    assert content.keys() == CONTENT.keys() and content["pair"] == (1, [2])
    for name, value in TENSORS.items():
        assert content["state_dict"][name].dtype == value.dtype and torch.equal(content["state_dict"][name], value)


def test_torchs_own_tools_read_the_parts(point: Path) -> None:
    state = {"/state_dict/torch.float32": torch.zeros(2, 3)}
    dcp.load(state, storage_reader=dcp.FileSystemReader(folder_of(point)), no_dist=True)
    assert torch.equal(state["/state_dict/torch.float32"], TENSORS["torch.float32"])


def test_the_place_where_it_was_written_is_not_in_it(point: Path) -> None:
    assert str(point.parent).encode() not in (folder_of(point) / ".metadata").read_bytes()


class Payload:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def test_code_in_the_metadata_is_not_run(point: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    rewrite(point, lambda metadata: Payload(mark))
    with pytest.raises(UserError, match=r"its shards cannot be read \(it contains posix.mkdir\)"):
        load_checkpoint(point)
    assert not mark.exists()


def bytes_entry(metadata: Metadata) -> None:
    metadata.state_dict_metadata["/state_dict/torch.bool"] = BytesStorageMetadata()


def chunk(metadata: Metadata) -> None:
    item = metadata.state_dict_metadata["/state_dict/torch.bool"]
    metadata.state_dict_metadata["/state_dict/torch.bool"] = item.chunks[0]  # pyright: ignore


def huge(metadata: Metadata) -> None:
    metadata.state_dict_metadata["/state_dict/torch.bool"].size = torch.Size([1 << 40])  # pyright: ignore


def elsewhere(metadata: Metadata) -> None:
    next(iter(metadata.storage_data.values())).relative_path = "../../secret"


def nowhere(metadata: Metadata) -> None:
    next(iter(metadata.storage_data.values())).offset = 1 << 40


def compressed(metadata: Metadata) -> None:
    next(iter(metadata.storage_data.values())).transform_descriptors = ["zstd"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (bytes_entry, "it contains .*BytesStorageMetadata"),
        (chunk, "is not a plain tensor"),
        (huge, "larger than its files"),
        (elsewhere, "not one of its files"),
        (nowhere, ""),
        (compressed, "not one of its files"),
        (lambda metadata: "text", "has no attribute"),
    ],
)
def test_what_is_no_plain_tensor_in_these_files_is_refused(point: Path, change: Any, reason: str) -> None:
    rewrite(point, change)
    with pytest.raises(UserError, match=f"its shards cannot be read .*{reason}"):
        load_checkpoint(point)


@pytest.mark.parametrize("named", [{"folder": "../x.shards-0a"}, {"files": {"../x": [1, 1], ".metadata": [1, 1]}},
                                   {"files": {}}, {"folder": 3}, {"files": None},
                                   {"files": {".metadata": 1}}])  # fmt: skip
def test_shards_are_in_one_folder_beside_it(point: Path, named: dict[str, Any]) -> None:
    content = load_checkpoint(point, whole=False)
    DurableIO().save_checkpoint({**content, SHARDS: {**content[SHARDS], **named}}, point)
    with pytest.raises(UserError, match="cannot be read"):
        load_checkpoint(point)
    assert newest_intact(point.parent) is None


def test_a_run_of_someone_else_is_not_read_in_parts(point: Path) -> None:
    with pytest.raises(UserError, match="is in several files, which are read of one's own runs alone"):
        load_checkpoint(point, most=1 << 30)


def test_a_member_of_an_enumeration_is_read_as_early_versions_of_python_3_11_wrote_it() -> None:
    kind = _MEM_FORMAT_ENCODING
    member = kind.TORCH_CONTIGUOUS_FORMAT
    assert Unpickler(io.BytesIO(pickle.dumps(Call(getattr, kind, member.name)))).load() is member
    for other in (Call(getattr, kind, "__class__"), Call(getattr, torch.Size, "count"), Call(getattr, 1, [2])):
        with pytest.raises(pickle.UnpicklingError, match="builtins.getattr"):
            Unpickler(io.BytesIO(pickle.dumps(other))).load()


class Call:
    """Is pickled as the call of a function."""

    def __init__(self, *parts: object) -> None:
        self.parts = parts

    def __reduce__(self) -> tuple:
        return self.parts[0], self.parts[1:]


def test_a_point_that_is_written_again_keeps_its_old_shards_until_it_is_there(point: Path) -> None:
    old = folder_of(point)
    write_shards({**CONTENT, "global_step": 4}, point, lambda value: isinstance(value, torch.Tensor))
    assert old.is_dir() and folder_of(point) != old
    delete_orphans(point.parent)
    assert not old.exists() and load_checkpoint(point)["global_step"] == 4
