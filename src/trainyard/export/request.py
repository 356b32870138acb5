"""What is asked of an export, and what comes of it."""

from dataclasses import dataclass, field
from pathlib import Path

from trainyard.errors import UserError
from trainyard.extras import import_extra

SUFFIXES = {"onnx": ".onnx", "pt2": ".pt2", "safetensors": ".safetensors", "executorch": ".pte"}
PACKAGES = {  # what a format needs besides torch
    "onnx": ("onnx", "onnxscript", "onnxruntime"), "pt2": (), "safetensors": ("safetensors",),
    "executorch": ("executorch",),
}  # fmt: skip
EXTRAS = {"executorch": "executorch"}  # of the other formats: export
QUANTIZED = {"onnx": (), "pt2": ("torchao",)}  # formats with --int8, and what that needs
FIXED = ("executorch",)  # formats whose inputs have one shape


@dataclass(frozen=True)
class Request:
    """A file to write. `dynamic`: any number of samples, texts of any length up to the data's max_length."""

    file: Path
    format: str = "onnx"
    int8: bool = False
    dynamic: bool = True
    split: str = "val"  # on which int8 is compared with fp32

    def check(self) -> None:
        """Raise UserError for what cannot be, before anything takes time."""
        name, suffix = self.format, SUFFIXES.get(self.format)
        if suffix is None:
            raise UserError(f"format={name} is unknown; choose one of {', '.join(SUFFIXES)}")
        if self.int8 and name not in QUANTIZED:
            raise UserError(f"--int8 goes with --format {' or '.join(QUANTIZED)}, not {name}")
        if self.dynamic and name in FIXED:
            raise UserError(f"--format {name} has inputs of one shape; leave out --dynamic, or choose --format onnx")
        if self.file.suffix != suffix:
            new = self.file.with_suffix(suffix).name
            raise UserError(f"{self.file} is not named like a file of --format {name}; call it {new}")
        for package in (*PACKAGES[name], *(QUANTIZED[name] if self.int8 else ())):
            import_extra(package, EXTRAS.get(name, "export"))


@dataclass(frozen=True)
class Exported:
    """What was written, and how well it agrees with the network."""

    file: Path
    difference: float  # the largest one on real samples
    shapes: list[tuple[int, ...]]  # of the batches that were compared
    quantization: str = ""  # how --int8 was done
    table: str = ""  # before and after it, as Markdown
    files: list[Path] = field(default_factory=list)  # all of them
