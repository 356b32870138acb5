"""Facts about the machine: which accelerators it has, what they can do, what they are called."""

import platform
from collections.abc import Callable
from pathlib import Path

import torch

ACCELERATORS: dict[str, Callable[[], bool]] = {  # whether this machine has one
    "cpu": lambda: True,
    "gpu": torch.cuda.is_available,
    "mps": torch.backends.mps.is_available,
}
BF16 = ("avx512_bf16", "amx_bf16", "bf16")  # bfloat16 instructions of x86 and Arm, as torch names them


def has_bf16_instructions(accelerator: str) -> bool:
    """Whether the device supports bfloat16 natively; if not, torch emulates it, many times slower than fp32."""
    if accelerator == "cpu":
        return any(torch.cpu.get_capabilities().get(name) for name in BF16)
    return accelerator == "gpu" and torch.cuda.is_bf16_supported(including_emulation=False)


def device_name(accelerator: str) -> str:
    """The device in words: "NVIDIA H100 80GB HBM3" or "AMD EPYC (2 threads)"."""
    if accelerator == "gpu":
        return torch.cuda.get_device_name()
    if accelerator == "mps":
        return "Apple GPU"
    return f"{cpu_name()} ({torch.get_num_threads()} threads)"


def cpu_name() -> str:
    """The processor's model, as the operating system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
