"""Whether torch can be imported at all where the address space is limited (ulimit -v, some batch systems)."""

import subprocess
import sys

from trainyard.errors import UserError

ENOUGH = 6 << 30  # bytes: torch 2.14 with CUDA and Lightning take 3.8 GB of address space, and a small training 4.1
SPARE = 256 << 20  # bytes that the process itself may need more than the trial import
IMPORTS = "import resource; resource.setrlimit(resource.RLIMIT_AS, ({0}, {0})); import trainyard.training.train"
PATIENCE = 120.0  # seconds; the imports take 6 here


def check_memory_limit() -> None:
    """Raise UserError if this process may not use as much address space as the imports take.

    Under a limit below `ENOUGH` another process tries them: where there is too little, an import ends in an error of
    almost any kind, aborts, or hangs.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY or limit >= ENOUGH or "torch" in sys.modules:
        return
    words = [sys.executable, "-P", "-c", IMPORTS.format(max(limit - SPARE, 1 << 20))]
    try:
        code = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE).returncode
    except (OSError, MemoryError, subprocess.TimeoutExpired):
        code = None
    if code != 0:
        raise UserError(
            f"not enough memory to import torch: a limit (ulimit -v) allows {limit / 1e9:.1f} GB of address space, and "
            "torch with its CUDA libraries takes about 4; raise the limit, or remove it: ulimit -v unlimited"
        )
