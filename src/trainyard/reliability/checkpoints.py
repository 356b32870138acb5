"""Checkpoints as Lightning writes and reads them, here: durably, and only plain data."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from trainyard.reliability.files import write
from trainyard.reliability.loading import load


class DurableIO(TorchCheckpointIO):
    """Lightning's way to write checkpoints, by `write`: it would move them in from another folder, unflushed.

    And to read them, by `load`: only whole files of plain data.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        try:
            write(path, lambda file: torch.save(checkpoint, file))
        except (OSError, RuntimeError) as error:  # torch's writer makes a RuntimeError of a full disk
            raise CheckpointError(
                f"{path} cannot be written: {reason(error)}. What was there before is intact"
            ) from error

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: Any = True) -> dict[str, Any]:
        return load(Path(path), map_location=map_location)


class CheckpointError(OSError):
    """A checkpoint that could not be written."""


def reason(error: BaseException) -> str:
    """Why a file could not be written, in few words."""
    known = error if isinstance(error, OSError) and error.strerror else error.__context__
    if isinstance(known, OSError) and known.strerror:
        return known.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__
