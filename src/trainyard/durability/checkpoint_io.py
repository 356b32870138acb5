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
            raise cannot_write(path, error) from error

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: Any = True) -> dict[str, Any]:
        return load_checkpoint(Path(path), map_location=map_location)


class CheckpointError(UserError):
    """A checkpoint that could not be written."""


def cannot_write(path: Path, error: BaseException) -> CheckpointError:
    """What to raise for a checkpoint that could not be written, with the reason in a few words."""
    known = error if isinstance(error, OSError) and error.strerror else error.__context__
    if isinstance(known, OSError) and known.strerror:
        reason = known.strerror
    else:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return CheckpointError(f"{path} cannot be written: {reason}. The file that was there before is intact")
