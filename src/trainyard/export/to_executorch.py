"""ExecuTorch programs, for phones and small devices; operations that XNNPACK has run in it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.export import ExportedProgram

from trainyard.errors import UserError
from trainyard.export.tracing import exporting, reason
from trainyard.extras import import_extra


def write(traced: ExportedProgram, file: Path, inputs: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Write the program; each entry of the metadata is a method of that name that returns the text."""
    exir = import_extra("executorch.exir", "executorch")
    xnnpack = import_extra("executorch.backends.xnnpack.partition.xnnpack_partitioner", "executorch")
    try:
        with exporting():
            lowered = exir.to_edge_transform_and_lower(
                traced, partitioner=[xnnpack.XnnpackPartitioner()], constant_methods=dict(metadata)
            )
            made = lowered.to_executorch()
    except Exception as error:
        raise UserError(
            f"this network cannot be exported as executorch ({reason(error)}); use --format pt2 or onnx"
        ) from error
    with file.open("wb") as opened:
        made.write_to_file(opened)


def load(file: Path) -> Callable[[Tensor], Tensor]:
    """The program in ExecuTorch's runtime."""
    runtime = import_extra("executorch.runtime", "executorch")
    method = runtime.Runtime.get().load_program(file).load_method("forward")
    return lambda inputs: method.execute([inputs])[0].clone()
