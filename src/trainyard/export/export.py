"""Export a trained network: trace, write, check and describe it, and quantize it if that is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightning import LightningDataModule
from torch import Tensor

from trainyard.data.text import Text
from trainyard.export import to_executorch, to_onnx, to_pt2, to_safetensors
from trainyard.export.card import write_card
from trainyard.export.check import check_difference, largest_difference
from trainyard.export.int8 import CALIBRATION, quantize_onnx, quantize_weights
from trainyard.export.measure import BATCH, as_table, measure
from trainyard.export.metadata import describe
from trainyard.export.program import Program, describe_inputs
from trainyard.export.request import Exported, Request
from trainyard.export.samples import Split, fit_length, read_split, trial_batches
from trainyard.export.staging import CARD, TOKENIZER, staged
from trainyard.export.tracing import trace
from trainyard.tasks.base import Task

PROGRAMS: dict[str, Any] = {"onnx": to_onnx, "pt2": to_pt2, "executorch": to_executorch}
CHECKED, UNCLASSIFIED = 64, 256  # samples that a program is checked on; those of a table without labels


@dataclass(frozen=True)
class Job:
    """A network to export, and what its inputs are."""

    task: Task
    data: LightningDataModule
    request: Request
    sample: Tensor
    inputs: Mapping[str, Any]
    metadata: Mapping[str, str]

    @property
    def batches(self) -> list[Tensor]:
        """Real samples in the sizes and lengths that are compared."""
        return trial_batches(self.sample, self.inputs["max_length"], self.side, self.request.dynamic)

    @property
    def side(self) -> str:
        """Where texts are padded."""
        return getattr(self.data, "padding_side", "right")

    def difference(self, run: Callable[[Tensor], Tensor]) -> float:
        """The largest difference of a program from the network."""
        return largest_difference(run, self.task, self.data, self.batches)


def export(task: Task, data: LightningDataModule, request: Request, facts: Mapping[str, Any]) -> Exported:
    """Write the network as a program that returns what `Run.predict` does (safetensors: its weights), and its card.

    `facts` are those of the run for the card and the metadata (`trainyard.runs.card_facts`). UserError, and no file,
    for a network that the format cannot express, or whose program differs from it by more than 1e-4.
    """
    request.check()
    with staged(request.file) as folder:
        sample = read_split(data, "val", CHECKED).inputs
        inputs = describe_inputs(data, sample)
        job = Job(task, data, request, sample, inputs, describe(inputs, task, data, facts))
        if isinstance(data, Text):
            write_tokenizer(data, folder / TOKENIZER)
        write = write_weights if request.format == "safetensors" else write_program
        made = write(job, folder / request.file.name)
        write_card(folder / CARD, facts, made, request, job.metadata)
        names = sorted(file.name for file in folder.iterdir())
    return replace(made, file=request.file, files=[request.file.parent / name for name in names])


def write_weights(job: Job, file: Path) -> Exported:
    """Write the weights, and compare a network that has read them."""
    to_safetensors.write(job.task, file, job.metadata)
    read = to_safetensors.load(job.task, file)
    difference = job.difference(Program(read, job.data))
    check_difference(difference)
    return Exported(file, difference, [tuple(batch.shape) for batch in job.batches])


def write_program(job: Job, file: Path) -> Exported:
    """Write the program, and compare what the file computes with the network; then quantize it if asked to."""
    kind, whole = PROGRAMS[job.request.format], file
    if job.request.int8:
        whole = file.with_name(f"fp32{file.suffix}")
    traced = trace(Program(job.task, job.data), job.batches[-1], job.inputs["max_length"], job.request.dynamic)
    kind.write(traced, whole, job.inputs, job.metadata)
    made = Exported(file, job.difference(kind.load(whole)), [tuple(batch.shape) for batch in job.batches])
    check_difference(made.difference)
    if job.request.int8:
        how = quantize(job, whole, file)
        table = compare(job, {"fp32": whole, "int8": file})
        made = replace(made, difference=job.difference(kind.load(file)), quantization=how, table=table)
        whole.unlink()
    return made


def quantize(job: Job, whole: Path, file: Path) -> str:
    """Write the int8 file, and say how it was made."""
    if job.request.format == "onnx":
        samples = read_split(job.data, "train", CALIBRATION).inputs.split(BATCH if job.request.dynamic else 1)
        return quantize_onnx(whole, file, job.inputs, samples, job.metadata)
    how = "int8 weights of linear layers (torchao)"
    small = quantize_weights(Program(job.task, job.data))
    traced = trace(small, job.batches[-1], job.inputs["max_length"], job.request.dynamic)
    to_pt2.write(traced, file, job.inputs, {**job.metadata, "quantization": how})
    return how


def compare(job: Job, files: Mapping[str, Path]) -> str:
    """A table of the programs on the samples of the request's split."""
    has_classes = bool(getattr(job.task, "num_classes", None))
    split = read_split(job.data, job.request.split, None if has_classes else UNCLASSIFIED)
    if not job.request.dynamic and job.inputs["max_length"]:
        split = Split(fit_length(split.inputs, job.inputs["max_length"], job.side), split.labels)
    runners = {name: PROGRAMS[job.request.format].load(file) for name, file in files.items()}
    lines = measure(runners, files, split, has_classes, BATCH if job.request.dynamic else 1)
    return as_table(lines, job.request.split, len(split.inputs))


def write_tokenizer(data: Text, file: Path) -> None:
    """The run's tokenizer, which truncates and pads as the data does."""
    tokenizer = data.saved_tokenizer()
    tokenizer.enable_truncation(data.max_length, direction=data.truncation_side)
    tokenizer.enable_padding(direction=data.padding_side, pad_id=0, pad_token="[PAD]")
    file.write_text(tokenizer.to_str(pretty=True), encoding="utf-8")
