"""The `hardware` config group: choose what `auto` means, configure torch, prepare the network."""

import logging
import os
from typing import Any

import torch
from torch import nn

from trainyard.cores import available_cores
from trainyard.errors import UserError
from trainyard.hardware.platform_quirks import check_channels_last_convolutions, keep_freed_memory
from trainyard.machine import ACCELERATORS, cpu_name, device_name, has_bf16_instructions
from trainyard.models.layers.checkpointing import checkpoint_blocks
from trainyard.models.layers.synced_batch_norm import synchronize_batch_norm

log = logging.getLogger(__name__)
DEVICE_NAMES = {"gpu": "a CUDA GPU", "mps": "Apple's GPU"}
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def resolve_auto(hardware: Any) -> dict[str, str]:
    """What `auto` means on this machine, by dotted key. UserError for an accelerator that is not there."""
    accelerator = choose_accelerator(hardware.accelerator)
    precision = choose_precision(hardware.precision, accelerator)
    return {"hardware.accelerator": accelerator, "hardware.precision": precision}


def choose_accelerator(accelerator: str) -> str:
    """cpu, gpu or mps; `auto` is the best that this machine has. UserError for one that it does not have."""
    if accelerator == "auto":
        return next(name for name in ("gpu", "mps", "cpu") if ACCELERATORS[name]())
    if accelerator == "cuda":
        accelerator = "gpu"
    if accelerator not in ACCELERATORS:
        raise UserError(f"hardware.accelerator={accelerator} is unknown; choose one of auto, {', '.join(ACCELERATORS)}")
    if not ACCELERATORS[accelerator]():
        raise UserError(
            f"hardware.accelerator={accelerator} needs {DEVICE_NAMES[accelerator]}, but torch {torch.__version__} "
            "finds none on this machine; use hardware=auto or hardware=cpu"
        )
    return accelerator


def choose_precision(precision: str, accelerator: str) -> str:
    """Lightning's name of a precision; `auto` is bf16-mixed on a device with bfloat16 instructions, else 32-true."""
    if precision != "auto":
        return precision
    return "bf16-mixed" if has_bf16_instructions(accelerator) else "32-true"


def configure_torch(hardware: Any, processes: int = 1) -> None:
    """Set torch's global switches as the (validated) config group says; so many processes share the machine."""
    if (
        hardware.accelerator == "cpu"
        and str(hardware.precision).startswith("bf16")
        and not has_bf16_instructions("cpu")
    ):
        log.warning(
            f"hardware.precision={hardware.precision}: {cpu_name()} has no bfloat16 instructions, so torch is ten "
            "times slower than with fp32; hardware.precision=auto chooses bf16-mixed only where it is fast"
        )
    if hardware.threads or processes > 1:
        torch.set_num_threads(hardware.threads or max(1, available_cores() // processes))
    torch.set_float32_matmul_precision(hardware.matmul_precision)
    torch.backends.cudnn.allow_tf32 = hardware.matmul_precision != "highest"
    keep_freed_memory()
    torch.set_flush_denormal(True)  # weights that have decayed slow a CPU down 20 times (benchmarks/denormals.py)
    if hardware.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def prepare_network(net: nn.Module, hardware: Any, processes: int = 1) -> None:
    """Apply the configured memory format; checkpoint the blocks of the network and compile it if requested."""
    if processes > 1 and hardware.sync_batchnorm:
        synchronize_batch_norm(net, hardware.accelerator)
    if hardware.memory_format == "channels_last" and hardware.accelerator == "cpu":
        check_channels_last_convolutions(net)
    net.to(memory_format=FORMATS[hardware.memory_format])
    if hardware.get("checkpoint_blocks"):  # of someone else's run, few keys are used
        try:
            checkpoint_blocks(net)
        except ValueError as error:
            raise UserError(f"hardware.checkpoint_blocks=true: {error}; set it to false") from error
    if hardware.compile:
        net.compile()  # in place: the names in checkpoints stay as they are


def describe(hardware: Any) -> str:
    """One line for the start of a run."""
    parts = [device_name(hardware.accelerator), f"precision {hardware.precision}", f"{hardware.memory_format} memory"]
    if hardware.accelerator == "gpu":
        tf32 = " (TF32)" if hardware.matmul_precision != "highest" else ""
        parts.append(f"matmul {hardware.matmul_precision}{tf32}")
    if hardware.get("checkpoint_blocks"):
        parts.append("checkpointed blocks")
    if hardware.compile:
        parts.append("compiled")
    if hardware.deterministic:
        parts.append("deterministic")
    return ", ".join(parts)
