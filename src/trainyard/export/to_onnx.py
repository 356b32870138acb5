"""ONNX files: written by torch's exporter, run by onnxruntime."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from trainyard.errors import UserError, causes
from trainyard.export.tracing import exporting, reason
from trainyard.extras import import_extra

LARGEST = 2 << 30  # bytes of one ONNX file, by its format


def write(traced: ExportedProgram, file: Path, inputs: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Write the program with its metadata. UserError for an operation that ONNX, or its exporter, lacks."""
    try:
        with exporting():
            made = torch.onnx.export(
                traced, (), dynamo=True, optimize=True, verbose=False, external_data=False,
                input_names=[inputs["name"]], output_names=["predictions"],
                custom_translation_table={torch.ops.aten.sort.stable: stable_sort},
            )  # fmt: skip
    except Exception as error:
        *_, cause = causes(error)
        raise UserError(
            f"this network cannot be exported as onnx ({reason(cause)}); --format pt2 takes every operation of torch"
        ) from error
    assert made is not None
    made.model.metadata_props.update(metadata)
    made.model.producer_name = "trainyard"
    proto = made.model_proto
    name_axes(proto.graph, inputs["axes"])
    remove_notes(proto.graph)
    if proto.ByteSize() >= LARGEST:
        raise UserError(f"an ONNX file has at most 2 GiB, and this one {proto.ByteSize():,} bytes; use --format pt2")
    file.write_bytes(proto.SerializeToString())


def name_axes(graph: Any, axes: Sequence[Any]) -> None:
    """Call the dynamic axes of the input, wherever they are, by the names in `axes` instead of torch's symbols."""
    found = [axis.dim_param for axis in graph.input[0].type.tensor_type.shape.dim]
    names = {symbol: str(name) for symbol, name in zip(found, axes, strict=True) if symbol}
    for value in (*graph.input, *graph.output, *graph.value_info):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = re.sub(r"\w+", lambda word: names.get(word[0], word[0]), axis.dim_param)


def remove_notes(graph: Any) -> None:
    """Remove what the exporter notes about each part: most of a small file, with paths of this machine."""
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def stable_sort(self: Any, *, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Any:
    """aten.sort.stable in ONNX: TopK, which by its definition returns the lower index first where values are equal."""
    from onnxscript import opset18 as op

    count: Any = op.Gather(op.Shape(self), op.Constant(value_ints=[dim]), axis=0)  # pyright: ignore
    return op.TopK(self, count, axis=dim, largest=int(descending), sorted=1)


def load(file: Path) -> Callable[[Tensor], Tensor]:
    """The program in onnxruntime, on the CPU."""
    runtime = import_extra("onnxruntime", "export")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda inputs: torch.from_numpy(session.run(None, {name: inputs.numpy()})[0])
