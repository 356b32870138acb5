"""PyTorch's own programs: torch.export.save and load."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from trainyard.export.tracing import exporting

METADATA = "metadata.json"  # among the extra files of the archive


def write(traced: ExportedProgram, file: Path, inputs: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Write the program; its metadata is the extra file metadata.json."""
    import json

    with exporting(), file.open("wb") as opened:
        torch.export.save(traced, opened, extra_files={METADATA: json.dumps(dict(metadata), indent=2)})


def load(file: Path) -> Callable[[Tensor], Tensor]:
    """The program, as a process without Trainyard loads it."""
    module = torch.export.load(str(file)).module()

    @torch.inference_mode()
    def run(inputs: Tensor) -> Tensor:
        return module(inputs)

    return run
