"""Work around platform-specific problems: glibc's allocator, oneDNN's convolutions."""

import ctypes
import platform

from torch import nn

from trainyard.errors import UserError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # bytes, from <malloc.h>


def keep_freed_memory() -> None:
    """Let the C library keep what torch frees, if it is glibc.

    By default it returns each large tensor to the system at once, and the next one faults its pages in again, which is
    a tenth of a small Transformer's training step (benchmarks/freed_memory.py).
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        if mallopt(M_MMAP_THRESHOLD, 1 << 30):  # 0 if refused; the other setting alone would be worse than nothing
            mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def check_channels_last_convolutions(net: nn.Module) -> None:
    """Raise UserError for a convolution whose channels_last gradient torch's CPU kernels compute wrongly, or crash on.

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
