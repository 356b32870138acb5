"""A program before and after quantization: accuracy, size, latency, measured in one sitting."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

from trainyard.export.samples import Split

Runner = Callable[[Tensor], Tensor]
BATCH, ROUNDS = 32, 20  # samples of the larger batch; calls whose median is taken


@dataclass(frozen=True)
class Measured:
    """One line of the table."""

    name: str
    correct: float | None  # share of the split; None where nothing is classified
    same: float  # share of predictions whose most probable class is fp32's
    size: int  # bytes
    latency: dict[int, float]  # milliseconds of a batch, by its number of samples


def measure(
    runners: Mapping[str, Runner], files: Mapping[str, Path], split: Split, has_classes: bool, batch_size: int = BATCH
) -> list[Measured]:
    """A line for each program, the first of which is fp32."""
    choices = {
        name: torch.cat([run(batch).argmax(-1) for batch in split.inputs.split(batch_size)])
        for name, run in runners.items()
    }
    first = next(iter(choices.values()))
    sizes = sorted({1, min(batch_size, len(split.inputs))})
    times = latencies(runners, {count: split.inputs[:count] for count in sizes})
    return [
        Measured(
            name,
            float((choice == split.labels).float().mean()) if has_classes else None,
            float((choice == first).float().mean()),
            files[name].stat().st_size,
            times[name],
        )
        for name, choice in choices.items()
    ]


def latencies(runners: Mapping[str, Runner], batches: Mapping[int, Tensor]) -> dict[str, dict[int, float]]:
    """The median time of each program on each batch in milliseconds; the programs take turns."""
    times: dict[str, dict[int, list[float]]] = {name: {count: [] for count in batches} for name in runners}
    for turn in range(ROUNDS + 2):  # the first two warm up
        for count, batch in batches.items():
            for name, run in runners.items():
                start = perf_counter()
                run(batch)
                if turn > 1:
                    times[name][count].append(1000 * (perf_counter() - start))
    return {name: {n: statistics.median(found) for n, found in counts.items()} for name, counts in times.items()}


def as_table(lines: list[Measured], split: str, count: int) -> str:
    """The lines as a Markdown table, which can be read on the terminal too."""
    sizes = sorted(lines[0].latency)
    accuracy = [f"accuracy ({split}, {count:,})"] if lines[0].correct is not None else []
    heads = ["program", *accuracy, "same choice as fp32", "size", *(f"ms for {n}" for n in sizes)]
    rows = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for line in lines:
        correct = [f"{line.correct:.4f}"] if line.correct is not None else []
        times = [f"{line.latency[n]:.2f}" for n in sizes]
        rows.append([line.name, *correct, f"{line.same:.4f}", f"{line.size / 1024:,.0f} KiB", *times])
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    rows[1] = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    padded = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in padded)
