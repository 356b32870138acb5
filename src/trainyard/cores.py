"""The processor cores that this process may use."""

import os


def available_cores() -> int:
    """How many there are, by the affinity that a scheduler or a container has set where the system knows one."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
