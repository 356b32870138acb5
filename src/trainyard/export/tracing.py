"""From a network to a graph: torch.export, with axes that may have any size."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.export._patches import register_gru_while_loop_decomposition, register_lstm_while_loop_decomposition

from trainyard.errors import UserError, printable

TALKATIVE = ("onnxscript", "onnx_ir", "torch.onnx", "torch.export", "executorch", "root")


def trace(program: nn.Module, sample: Tensor, max_length: int | None, dynamic: bool) -> ExportedProgram:
    """The program as a graph, from a batch like those that it is going to get, of which only the shape is used.

    `dynamic`: the first axis has any size and, with `max_length`, the second one up to that. UserError for a network
    that torch.export cannot follow, as one whose Python code branches on values.
    """
    axes: dict[int, Dim] | None = {0: Dim("batch", min=1)} if dynamic else None
    if axes and max_length and max_length > 1:
        axes[1] = Dim("length", min=1, max=max_length)
    try:
        with exporting():
            shapes = (axes,) if axes else None
            traced = torch.export.export(program, (torch.ones_like(sample),), dynamic_shapes=shapes, strict=False)
            return without_traces(traced)
    except Exception as error:
        name = type(getattr(program, "net", program)).__name__
        way = "--no-dynamic fixes the shape of its input, and " if dynamic else ""
        raise UserError(
            f"{name} cannot be exported as a program: torch.export cannot follow its code ({reason(error)}); "
            f"{way}--format safetensors stores its weights"
        ) from error


def without_traces(traced: ExportedProgram) -> ExportedProgram:
    """The program without the lines of code that each operation came from, which name files of this machine."""
    for module in traced.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)
    return traced


def reason(error: BaseException) -> str:
    """The sentence of an exporter's error that says why."""
    lines = [line.strip(" -\t") for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    exact = [line for line in lines if line.startswith(("Not all values", "You marked", "No ONNX function"))]
    return printable((exact or lines)[0], 200)


@contextmanager
def exporting() -> Iterator[None]:
    """Keep recurrent layers whole, over any number of steps; and keep the exporters' notes from the terminal.

    Without these decompositions, torch 2.14 unrolls a GRU or LSTM over the steps of the sample when it computes shapes,
    and its ONNX exporter does so again in a second pass, outside of its own use of them.
    """
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    levels = [logger.level for logger in loggers]
    with (
        register_gru_while_loop_decomposition(),
        register_lstm_while_loop_decomposition(),
        torch.no_grad(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
