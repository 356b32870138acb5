"""What may differ between two runs that are the same, bit for bit."""

from typing import Any

# What may differ when a run goes on: nothing that changes the numbers it comes to. Keys, and beginnings of keys.
FREE = (
    "resume", "trust", "debug", "check", "run.", "logger.", "trainer.max_epochs", "trainer.enable_progress_bar",
    "trainer.default_root_dir", "trainer.profiler", "hardware.threads", "hardware.num_workers", "data.num_workers",
    "data.root", "data.cache", "data.download", "data.memory", "data.eval_batch_size", "callbacks.resume.",
    "callbacks.finite.", "callbacks.pruning.", "callbacks.progress_bar.", "callbacks.epoch_lines.",
    "callbacks.throughput.",
)  # fmt: skip
PLACES = (".dirpath", ".folder", ".save_dir")  # the run directory, however it is spelled


def is_free(key: str) -> bool:
    """Whether a key may differ."""
    starts = tuple(start for start in FREE if start.endswith("."))
    return key in FREE or key.startswith(starts) or key.endswith(PLACES)


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    if not isinstance(node, dict) or not node:
        return {prefix[:-1]: node}
    return {key: value for name, child in node.items() for key, value in flat(child, f"{prefix}{name}.").items()}
