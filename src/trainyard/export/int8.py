"""Weights (and, with convolutions, activations) of 8 bits: onnxruntime's quantization of ONNX, torchao's of pt2."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from trainyard.errors import UserError
from trainyard.export.tracing import exporting
from trainyard.extras import import_extra

CALIBRATION = 128  # training samples


def quantize_onnx(
    source: Path, target: Path, inputs: Mapping[str, Any], samples: Sequence[Tensor], metadata: Mapping[str, str]
) -> str:
    """Quantize a file into another, and say how.

    Networks with convolutions get integer weights and activations, whose ranges are those on `samples`; others get
    integer weights, and activations are quantized as they come. Weights use 7 of the 8 bits: with all of them, sums of
    products overflow on processors without VNNI, without an error.
    """
    onnx, quantization = import_extra("onnx", "export"), import_extra("onnxruntime.quantization", "export")
    kinds = {node.op_type for node in onnx.load(source).graph.node}
    kind = quantization.QuantType
    options: dict[str, Any] = {"per_channel": True, "reduce_range": True, "weight_type": kind.QInt8}
    with exporting():
        if "Conv" in kinds:
            reader = Calibration(inputs["name"], samples)
            quantization.quantize_static(source, target, reader, activation_type=kind.QUInt8, **options)
            how = f"static (onnxruntime, calibrated on {sum(map(len, samples))} training samples)"
        else:
            quantization.quantize_dynamic(source, target, **options)
            how = "dynamic (onnxruntime)"
    model = onnx.load(target)
    onnx.helper.set_model_props(model, {**metadata, "quantization": how})
    onnx.save(model, target)
    return how


class Calibration:
    """The batches on which onnxruntime measures the ranges of activations."""

    def __init__(self, name: str, samples: Sequence[Tensor]) -> None:
        self.batches: Iterator[Tensor] = iter(samples)
        self.name = name

    def get_next(self) -> dict[str, Any] | None:
        """The next batch as onnxruntime takes it; None after the last."""
        batch = next(self.batches, None)
        return None if batch is None else {self.name: batch.numpy()}

    def set_range(self, start_index: int, end_index: int) -> None:
        """Not needed: all batches are read once."""


def quantize_weights(program: nn.Module) -> nn.Module:
    """The program with int8 weights in its linear layers, and a scale for each unit (torchao); it is changed.

    The tensors become plain ones, so that the exported program needs no torchao. UserError if no layer is linear.
    """
    torchao = import_extra("torchao.quantization", "export")
    unwrap = import_extra("torchao.utils", "export").unwrap_tensor_subclass
    if not any(isinstance(module, nn.Linear) for module in program.modules()):
        raise UserError("--int8 with pt2 quantizes linear layers, and this network has none; use --format onnx")
    with exporting():
        torchao.quantize_(program, torchao.Int8WeightOnlyConfig())
        return unwrap(program).requires_grad_(False)
