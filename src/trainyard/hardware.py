"""The machine: checked, set up and named before a run starts."""

import ctypes
import logging
import os
import platform
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainyard.errors import UserError

log = logging.getLogger(__name__)
WHERE = {"cpu": lambda: True, "gpu": torch.cuda.is_available, "mps": torch.backends.mps.is_available}


def settle(hardware: Any) -> None:
    """Replace each `auto` in `hardware` (the config group) by what this machine has. UserError as `choose`."""
    hardware.accelerator = choose(hardware.accelerator)
    hardware.precision = choose_precision(hardware.precision, hardware.accelerator)


def choose(accelerator: str) -> str:
    """The accelerator meant: `auto` is the best there is. UserError for one that is not there."""
    if accelerator == "auto":
        return "gpu" if WHERE["gpu"]() else "mps" if WHERE["mps"]() else "cpu"
    if accelerator == "cuda":
        accelerator = "gpu"
    if accelerator not in WHERE:
        raise UserError(f"hardware.accelerator={accelerator} is unknown; choose one of auto, {', '.join(WHERE)}")
    if not WHERE[accelerator]():
        what = {"gpu": "a CUDA GPU", "mps": "Apple's GPU"}[accelerator]
        raise UserError(
            f"hardware.accelerator={accelerator} asks for {what}, but torch {torch.__version__} finds none on this "
            "machine; use hardware=auto or hardware=cpu"
        )
    return accelerator


BF16 = ("avx512_bf16", "amx_bf16", "bf16")  # the instructions of x86 and Arm, as torch names them


def choose_precision(precision: str, accelerator: str) -> str:
    """The precision meant: `auto` is bf16-mixed on a device that has instructions for it, else 32-true."""
    if precision != "auto":
        return precision
    return "bf16-mixed" if multiplies_bf16(accelerator) else "32-true"


def multiplies_bf16(accelerator: str) -> bool:
    """Whether the device multiplies bf16 itself. Where it does not, torch does so many times slower than fp32."""
    if accelerator == "cpu":
        return any(torch.cpu.get_capabilities().get(word) for word in BF16)
    return accelerator == "gpu" and torch.cuda.is_bf16_supported(including_emulation=False)


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # bytes, from <malloc.h>
MATMUL = ("highest", "high", "medium")


def set_up(hardware: Any) -> None:
    """Set torch's global switches as `hardware` (the config group) says; UserError for what cannot be."""
    if hardware.devices not in (1, "1"):
        raise UserError(f"hardware.devices={hardware.devices}: training on several devices is not there yet; use 1")
    if hardware.accelerator == "cpu" and str(hardware.precision).startswith("16"):
        raise UserError(f"hardware.precision={hardware.precision} needs a GPU; on a CPU use auto or 32-true")
    if hardware.accelerator == "cpu" and str(hardware.precision).startswith("bf16") and not multiplies_bf16("cpu"):
        log.warning(
            f"hardware.precision={hardware.precision}: {cpu_name()} has no instructions for bf16, and torch multiplies "
            "it ten times slower than fp32 here; hardware.precision=auto takes bf16-mixed only where it is fast"
        )
    if hardware.matmul_precision not in MATMUL:
        raise UserError(f"hardware.matmul_precision={hardware.matmul_precision} must be one of {', '.join(MATMUL)}")
    if hardware.threads:
        torch.set_num_threads(hardware.threads)
    torch.set_float32_matmul_precision(hardware.matmul_precision)
    torch.backends.cudnn.allow_tf32 = hardware.matmul_precision != "highest"
    keep_freed_memory()
    if hardware.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def prepare(net: nn.Module, hardware: Any) -> None:
    """Give the network the memory format and the compilation that the hardware asks for."""
    formats = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    if hardware.memory_format not in formats:
        raise UserError(f"hardware.memory_format={hardware.memory_format} must be one of {', '.join(formats)}")
    if hardware.memory_format == "channels_last" and hardware.accelerator == "cpu":
        check_convolutions(net)
    net.to(memory_format=formats[hardware.memory_format])
    if hardware.compile:
        net.compile()  # in place: the names in checkpoints stay as they are


def check_convolutions(net: nn.Module) -> None:
    """UserError for a convolution whose channels_last gradient torch's CPU kernels get wrong, or crash over.

    oneDNN 3.12 writes past its workspace there on AVX2 processors (its issue 6035).
    """
    for name, part in net.named_modules():
        if (
            isinstance(part, nn.Conv2d)
            and part.kernel_size == (1, 1)
            and part.stride != (1, 1)
            and part.in_channels < 8
        ):
            raise UserError(
                f"hardware.memory_format=channels_last: {name} is a strided 1 x 1 convolution of {part.in_channels} "
                "channels, and with fewer than 8 a CPU's kernels crash or compute wrong gradients; use "
                "hardware.memory_format=contiguous, or a wider network"
            )


def keep_freed_memory() -> None:
    """Let the C library keep what torch frees, if it is glibc.

    It would return each large tensor to the system at once, and the next one would fault its pages in again, which is
    a tenth of a small Transformer's training step (benchmarks/freed_memory.py).
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 1 << 30)
        mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def describe(hardware: Any) -> str:
    """One line for the start of a run."""
    words = [name(hardware.accelerator), f"precision {hardware.precision}", f"{hardware.memory_format} memory"]
    if hardware.accelerator == "gpu":
        words.append(
            f"matmul {hardware.matmul_precision}" + (" (TF32)" if hardware.matmul_precision != "highest" else "")
        )
    if hardware.compile:
        words.append("compiled")
    if hardware.deterministic:
        words.append("deterministic")
    return ", ".join(words)


def name(accelerator: str) -> str:
    """The device in words: "NVIDIA H100 80GB HBM3" or "AMD EPYC (2 threads)"."""
    if accelerator == "gpu":
        return torch.cuda.get_device_name()
    if accelerator == "mps":
        return "Apple GPU"
    return f"{cpu_name()} ({torch.get_num_threads()} threads)"


def cpu_name() -> str:
    """The processor's model, as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
