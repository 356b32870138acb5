"""Tensors of a checkpoint that several processes wrote, each its part (torch.distributed.checkpoint), read as data.

The checkpoint itself is a file like any other, in which a mapping stands for each such tensor. It names the folder of
their files, with sizes and checksums, so that it is the last that is written, and whole or not there.
"""

import pickle
import re
import warnings
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint import metadata as described
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.serialization import _get_layout

from trainyard.errors import UserError, first_line
from trainyard.files import open_regular

SHARDS = "shards"  # key of the checkpoint: {"folder": name, "files": {name: [bytes, checksum]}}
TENSOR = "__tensor__"  # key of a mapping that stands for a tensor, whose value is the tensor's name
METADATA = ".metadata"  # torch's own name of the file that tells which tensor is where
FOLDER, FILE = re.compile(r"[\w.-]+\.shards-[0-9a-f]+"), re.compile(r"\.metadata|__\d+_\d+\.distcp")
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool, torch.uint8, torch.int64)


def memory_format(kind: Any, name: Any) -> Any:
    """What Python 3.11.0 to 3.11.3 has pickled as getattr(kind, name): a member of this one enumeration."""
    if kind is not described._MEM_FORMAT_ENCODING or name not in [each.name for each in kind]:
        raise pickle.UnpicklingError("it contains builtins.getattr")
    return described._MEM_FORMAT_ENCODING[name]


KNOWN = {  # all that torch's metadata consists of: nothing else is looked up, so that nothing else can be called
    **{(described.__name__, kind.__name__): kind for kind in (
        described.Metadata, described.MetadataIndex, described.TensorStorageMetadata, described.ChunkStorageMetadata,
        described.TensorProperties, described._MEM_FORMAT_ENCODING)},
    **{("torch", str(dtype).removeprefix("torch.")): dtype for dtype in DTYPES},
    ("torch", "Size"): torch.Size,
    ("builtins", "getattr"): memory_format,
    (_StorageInfo.__module__, "_StorageInfo"): _StorageInfo,
    (_get_layout.__module__, "_get_layout"): _get_layout,
}  # fmt: skip


class Unpickler(pickle.Unpickler):
    """Reads torch's metadata, and refuses whatever is not part of one."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return KNOWN[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"it contains {module_name}.{global_name}") from None


class Reader(dcp.FileSystemReader):
    """torch's reader, of tensors alone, from the files that the checkpoint lists. (Torch's would unpickle anything.)"""

    def __init__(self, folder: Path, files: Mapping[str, Any]) -> None:
        super().__init__(folder)
        self.folder, self.files = folder, files

    def read_metadata(self, *args: Any, **kwargs: Any) -> described.Metadata:
        with open_regular(self.folder / METADATA) as file:
            metadata = Unpickler(file).load()
        self.check(metadata)
        metadata.storage_meta = described.StorageMeta()
        return metadata

    def check(self, metadata: Any) -> None:
        """Raise ValueError for what torch would not have written for plain tensors in these files."""
        total = 0
        for name, item in metadata.state_dict_metadata.items():
            if type(item) is not described.TensorStorageMetadata or item.properties.dtype not in DTYPES:
                raise ValueError(f"{name} is not a plain tensor")
            total += item.size.numel() * item.properties.dtype.itemsize
        if total > sum((self.folder / name).stat().st_size for name in self.files):
            raise ValueError("its tensors are larger than its files")
        for place in metadata.storage_data.values():
            if place.relative_path not in self.files or place.transform_descriptors:
                raise ValueError(f"a tensor is in {place.relative_path}, which is not one of its files")


def split_tensors(value: Any, is_shard: Callable[[Any], bool], found: dict[str, Any], name: str = "") -> Any:
    """The value with a mapping in the place of each shard, which is added to `found`, by its name."""
    if is_shard(value):
        found[name] = value
        return {TENSOR: name}
    if type(value) in (dict, OrderedDict):
        return type(value)(
            (key, split_tensors(child, is_shard, found, f"{name}/{key}")) for key, child in value.items()
        )
    if type(value) in (list, tuple):
        return type(value)(split_tensors(child, is_shard, found, f"{name}/{i}") for i, child in enumerate(value))
    return value


def join_tensors(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The inverse of `split_tensors`."""
    if type(value) in (dict, OrderedDict):
        if TENSOR in value:
            return tensors[value[TENSOR]]
        return type(value)((key, join_tensors(child, tensors)) for key, child in value.items())
    if type(value) in (list, tuple):
        return type(value)(join_tensors(child, tensors) for child in value)
    return value


def folder_of(path: Path, content: Mapping[str, Any]) -> tuple[Path, dict[str, list[int]]] | None:
    """The folder of a checkpoint's shards, and its files; None for a checkpoint that has none.

    ValueError if these are no names of such a folder and files.
    """
    if SHARDS not in content:
        return None
    name, files = content[SHARDS]["folder"], content[SHARDS]["files"]
    if not FOLDER.fullmatch(name) or METADATA not in files or not all(FILE.fullmatch(file) for file in files):
        raise ValueError("its shards have other names than Trainyard gives")
    return path.parent / name, files


def shards_error(path: Path, content: Mapping[str, Any], with_sums: bool = True) -> str | None:
    """What is wrong with the shards of a checkpoint; None if there are none, or all are whole."""
    try:
        if (found := folder_of(path, content)) is None:
            return None
        folder, files = found
        for name, (size, checksum) in files.items():
            with open_regular(folder / name) as file:
                if (there := (folder / name).stat().st_size) != size:
                    return f"its part {folder.name}/{name} has {there:,} bytes in place of {size:,}"
                if with_sums and checksum_of(file) != checksum:
                    return f"its part {folder.name}/{name} is damaged"
    except FileNotFoundError as error:
        return f"its part {Path(str(error.filename)).name} is missing"
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return str(error) or type(error).__name__
    return None


def checksum_of(file: IO[bytes]) -> int:
    """The CRC-32 of the rest of a file, which the records of a checkpoint have as well."""
    found = 0
    while block := file.read(1 << 20):
        found = zlib.crc32(block, found)
    return found


def read_shards(path: Path, content: dict[str, Any], empty: Callable[..., Any] = torch.empty) -> dict[str, Any]:
    """The content of a checkpoint with its tensors, read into what `empty(shape, dtype=...)` makes.

    A sharded tensor gets the part of this process alone. UserError for shards that are not whole plain tensors.
    """
    try:
        if (found := folder_of(path, content)) is None:
            return content
        reader = Reader(*found)
        known: dict[str, Any] = reader.read_metadata().state_dict_metadata  # pyright: ignore
        tensors = {name: empty(item.size, dtype=item.properties.dtype) for name, item in known.items()}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")
            planner = DefaultLoadPlanner(flatten_state_dict=False, flatten_sharded_tensors=False)
            dcp.load(tensors, storage_reader=reader, planner=planner, no_dist=True)
        return join_tensors({name: value for name, value in content.items() if name != SHARDS}, tensors)
    except (Exception, dcp.CheckpointException) as error:  # whatever the unpickler and torch's reader raise
        raise UserError(f"{path}: its shards cannot be read ({first_line(error)[:200]})") from error
