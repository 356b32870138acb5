"""Lightning's checkpoints, written durably and read as plain data."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from trainyard.errors import UserError
from trainyard.files import write_durably
from trainyard.trust.checkpoint_files import load_checkpoint
from trainyard.trust.plain_state import to_plain


class DurableIO(TorchCheckpointIO):
    """Write checkpoints to a temporary file and rename it; read only whole files of plain data.

    (Lightning writes them in another folder and moves them in, without flushing them to the disk.)
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        content = {name: to_plain(value, name) for name, value in checkpoint.items()}
        try:
            write_durably(path, lambda file: torch.save(content, file))
        except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError on a full disk
            raise CheckpointError(
                f"{path} cannot be written: {_reason(error)}. The file that was there before is intact"
            ) from error

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: Any = True) -> dict[str, Any]:
        return load_checkpoint(Path(path), map_location=map_location)


class CheckpointError(UserError):
    """A checkpoint that could not be written."""


def _reason(error: BaseException) -> str:
    """Why a file could not be written, in a few words."""
    known = error if isinstance(error, OSError) and error.strerror else error.__context__
    if isinstance(known, OSError) and known.strerror:
        return known.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__
