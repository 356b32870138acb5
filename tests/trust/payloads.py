"""What a malicious or broken run directory may hold. Each payload is a function that spoils a copy of a good run.

Whatever runs leaves the file `canary` in the run directory.
"""

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

Payload = Callable[[Path], None]
CONFIG, BEST = "config.resolved.yaml", "checkpoints/best.ckpt"


class Touch:
    """Unpickling one creates the canary."""

    def __init__(self, run: Path) -> None:
        self.command = f"touch {run}/canary"

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def config(key: str, value: Any) -> Payload:
    """Set a dotted key of the config; CANARY in the value is the canary's path."""

    def spoil(run: Path) -> None:
        cfg = yaml.safe_load((run / CONFIG).read_text())
        node = cfg
        *parents, last = key.split(".")
        for name in parents:
            node = node[name]
        node[last] = filled(value, str(run / "canary"))
        (run / CONFIG).write_text(yaml.safe_dump(cfg))

    return spoil


def filled(value: Any, canary: str) -> Any:
    if isinstance(value, dict):
        return {key: filled(item, canary) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, canary) for item in value]
    return value.replace("CANARY", canary) if isinstance(value, str) else value


def text(content: str | bytes) -> Payload:
    """Replace the config by this text."""
    return lambda run: (run / CONFIG).write_bytes(content.encode() if isinstance(content, str) else content)  # pyright: ignore


def line(content: str) -> Payload:
    """Append a line to the config."""
    return lambda run: (run / CONFIG).write_text(  # pyright: ignore
        (run / CONFIG).read_text() + filled(content, str(run / "canary")) + "\n"
    )


def tagged(value: str) -> Payload:
    """Write a value of the network as it stands, tags and all."""

    def spoil(run: Path) -> None:
        changed = (run / CONFIG).read_text().replace("batch_norm: false", f"batch_norm: {value}")
        (run / CONFIG).write_text(filled(changed, str(run / "canary")))

    return spoil


def checkpoint(change: Callable[[dict[str, Any], Path], Any]) -> Payload:
    """Write the best checkpoint again, changed by `change`."""

    def spoil(run: Path) -> None:
        content = torch.load(run / BEST, weights_only=True)
        made = change(content, run)
        torch.save(content if made is None else made, run / BEST)

    return spoil


def weight(change: Callable[[torch.Tensor], Any]) -> Payload:
    """Change the last weight of the best checkpoint."""

    def apply(content: dict[str, Any], run: Path) -> None:
        name = list(content["state_dict"])[-1]
        content["state_dict"][name] = change(content["state_dict"][name])

    return checkpoint(apply)


def raw(change: Callable[[bytes, Path], bytes]) -> Payload:
    """Change the best checkpoint's bytes."""
    return lambda run: (run / BEST).write_bytes(change((run / BEST).read_bytes(), run))  # pyright: ignore


def flipped(data: bytes, run: Path) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        largest = max(archive.infolist(), key=lambda record: record.file_size)
    changed = bytearray(data)
    changed[largest.header_offset + 400] ^= 4
    return bytes(changed)


def deflated(data: bytes, run: Path) -> bytes:
    """A zip bomb: a few kilobytes that say they are a hundred megabytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for record in old.infolist():
            new.writestr(record.filename, old.read(record))
        new.writestr("archive/data/999", bytes(100 << 20))
    return out.getvalue()


def overlapping(data: bytes, run: Path) -> bytes:
    """A zip bomb without compression: many names for the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        new.writestr("archive/data.pkl", bytes(1 << 16))
        record = new.filelist[0]
        for i in range(200):
            again = zipfile.ZipInfo(f"archive/data/{i}")
            for name in ("CRC", "compress_size", "file_size", "header_offset", "compress_type"):
                setattr(again, name, getattr(record, name))
            new.filelist.append(again)
    return out.getvalue()


def pickled_zip(data: bytes, run: Path) -> bytes:
    """A checkpoint of the right outside, whose pickle calls the system."""
    out = io.BytesIO()
    torch.save({"state_dict": Touch(run)}, out)
    return out.getvalue()


def script(data: bytes, run: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        new.writestr("archive/constants.pkl", pickle.dumps(Touch(run)))
        new.writestr("archive/data.pkl", pickle.dumps(Touch(run)))
        new.writestr("archive/code/__torch__.py", "")
        new.writestr("archive/version", "3")
    return out.getvalue()


def safetensors(data: bytes, run: Path) -> bytes:
    header = b'{"__metadata__":{}}'
    return struct.pack("<Q", 1 << 60) + header


def replaced_by(make: Callable[[Path], Any], name: str = BEST) -> Payload:
    """Something that is no file in the place of one."""

    def spoil(run: Path) -> None:
        (run / name).unlink()
        make(run / name)

    return spoil


def own_module(run: Path) -> None:
    """A network beside the conf folder in which the user stands, that comes with the run."""
    (run / "conf").mkdir()
    (run / "evil_net.py").write_text(
        f"from pathlib import Path\nfrom torch import nn\nPath({str(run / 'canary')!r}).touch()\n"
        "class EvilNet(nn.Module): pass\n"
    )
    config("model", {"_target_": "evil_net.EvilNet"})(run)


PATH = {"_target_": "pathlib.Path", "_args_": ["CANARY"]}
SYSTEM = {"_target_": "os.system", "command": "touch CANARY"}
TARGETS: dict[str, Payload] = {
    "os.system": config("model", SYSTEM),
    "posix.system": config("model", {"_target_": "posix.system", "command": "touch CANARY"}),
    "subprocess": config("model", {"_target_": "subprocess.Popen", "args": ["touch", "CANARY"]}),
    "eval": config("model", {"_target_": "builtins.eval", "_args_": ["open('CANARY', 'w')"]}),
    "exec": config("model", {"_target_": "builtins.exec", "_args_": ["open('CANARY', 'w')"]}),
    "open": config("model", {"_target_": "builtins.open", "file": "CANARY", "mode": "w"}),
    "Path.write_text": config("model", {"_target_": "pathlib.Path.write_text", "_args_": [PATH, "x"]}),
    "shutil.copy": config("model", {"_target_": "shutil.copy", "src": "/etc/hostname", "dst": "CANARY"}),
    "torch.save": config("model", {"_target_": "torch.save", "obj": 1, "f": "CANARY"}),
    "torch.load": config("model", {"_target_": "torch.load", "f": "CANARY", "weights_only": False}),
    "numpy.load": config("model", {"_target_": "numpy.load", "file": "CANARY", "allow_pickle": True}),
    "torch.hub": config(
        "model", {"_target_": "torch.hub.load", "repo_or_dir": "CANARY", "model": "x", "source": "local"}
    ),
    "import_module": config("model", {"_target_": "importlib.import_module", "name": "antigravity"}),
    "runpy": config("model", {"_target_": "runpy.run_path", "path_name": "CANARY"}),
    "instantiate": config("model", {"_target_": "hydra.utils.instantiate", "config": SYSTEM}),
    "get_method": config("model", {"_target_": "hydra.utils.get_method", "path": "os.system"}),
    "a training": config("model", {"_target_": "trainyard.training.launch.train", "overrides": ["run.dir=CANARY"]}),
    "a writer of ours": config("model", {"_target_": "trainyard.files.write_durably", "path": "CANARY", "put": None}),
    "through our module": config(
        "model", {"_target_": "trainyard.models.layers.init.torch.save", "obj": 1, "f": "CANARY"}
    ),
    "a module": config("model", {"_target_": "trainyard.models.mlp"}),
    "a method": config("model", {"_target_": "trainyard.models.mlp.MLP.forward"}),
    "a private name": config("model", {"_target_": "torch.nn.Module.__subclasses__"}),
    "a function of torch.nn": config("model", {"_target_": "torch.nn.functional.relu", "input": 1}),
    "a function of torchvision": config("model", {"_target_": "torchvision.models.resnet18", "weights": "DEFAULT"}),
    "a class that is no network": config("model", {"_target_": "torch.nn.Parameter"}),
    "an optimizer as a network": config("model", {"_target_": "trainyard.tasks.base.Scored"}),
    "a callback": config("task", {"_target_": "lightning.pytorch.callbacks.LambdaCallback"}),
    "a name with a space": config("model", {"_target_": "trainyard.models.mlp.MLP "}),
    "a target that is a list": config("model", {"_target_": ["os", "system"]}),
    "what is not installed": config("model", {"_target_": "trainyard.models.nowhere.Net"}),
    "nested": config("model.widths", SYSTEM),
    "nested in a list": config("model.widths", [8, SYSTEM]),
    "optimizer": config("optimizer", SYSTEM | {"_partial_": True}),
    "scheduler": config("scheduler", SYSTEM | {"_partial_": True}),
    "data": config("data", SYSTEM),
    "task": config("task", SYSTEM),
    "positional arguments": config("model._args_", ["x"]),
    "another of Hydra's words": config("model._recursive_", False),
    "no network": config("model", None),
    "a module in the working directory": own_module,
    "an optimizer that is a network": config("optimizer", {"_target_": "torch.nn.Identity", "_partial_": True}),
    "a task that is a network": config("task", {"_target_": "torch.nn.Identity"}),
    "a network that is a dataset": config("model", {"_target_": "trainyard.data.xor.XOR"}),
    "a network that is a task": config("model", {"_target_": "trainyard.tasks.classification.Classification"}),
    "a task of no kind": config("task", {"_target_": "trainyard.tasks.base.Task"}),
    "an optimizer of no kind": config("optimizer", {"_target_": "torch.optim.Optimizer", "_partial_": True}),
    "a network built later": config("model._partial_", True),
    "an optimizer built at once": config("optimizer._partial_", False),
    "control characters": config("model", {"_target_": "os.\x1b]0;owned\x07"}),
    "a very long name": config("model", {"_target_": "os." + "x" * 100_000}),
}
VALUES: dict[str, Payload] = {
    "another number of classes": config("task.num_classes", 30_000_000),
    "a device that allocates": config("model", {"_target_": "torch.nn.Linear", "in_features": 9, "device": "cpu"}),
    "words for numbers": config("model.widths", "many"),
    "a negative width": config("model.widths", [-1]),
    "noise of letters": config("data.noise", "x"),
    "half a sample": config("data.size", 100.5),
    "half a batch": config("data.eval_batch_size", 1.5),
    "another shape": config("data.shape", [3, 8, 8]),
    "a precision that is none": config("hardware.precision", "foo"),
    "a memory format that is none": config("hardware.memory_format", "foo"),
    "no batches": config("trainer.limit_val_batches", -3),
    "a rate below zero": config("optimizer.lr", -1),
    "a schedule of no steps": config(
        "scheduler",
        {
            "_target_": "torch.optim.lr_scheduler.CyclicLR",
            "_partial_": True,
            "backbone_lr_scale": 0,
            "max_lr": 1,
            "step_size_up": 0,
        },
    ),
}
LOOKUPS: dict[str, Payload] = {
    "an environment variable": config("model.activation", "${oc.env:HOME}"),
    "a folder's names": config("data.classes", "${subfolders:/}"),
    "decoded": config("hardware.precision", "${oc.decode:'1'}"),
    "nested lookup": config("data.augment", "${${seed}}"),
}
YAML: dict[str, Payload] = {
    "python/object/apply": line("x: !!python/object/apply:os.system ['touch CANARY']"),
    "python/object/new": line("x: !!python/object/new:os.system ['touch CANARY']"),
    "pairs that call": tagged("!!pairs [x: {_target_: torch.save, obj: 1, f: CANARY}]"),
    "an ordered map that calls": tagged("!!omap [x: {_target_: torch.save, obj: 1, f: CANARY}]"),
    "pairs that look up": tagged('!!pairs [x: "${oc.env:HOME}"]'),
    "a set": tagged("!!set {x}"),
    "binary": tagged("!!binary aGVsbG8="),
    "a date": tagged("2020-01-01"),
    "python/name": line("x: !!python/name:os.system"),
    "python/module": line("x: !!python/module:antigravity"),
    "aliases that grow": text(
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    ),
    "nesting without an end": text("[" * 50_000),
    "a megabyte and more": text("x: " + "y" * (1 << 21)),
    "a list": text("- 1\n- 2\n"),
    "nothing": text(""),
    "bytes": text(bytes(range(256))),
    "half a file": text("model: {_target_: trainyard.mod"),
    "a pipe": replaced_by(os.mkfifo, CONFIG),
}
CHECKPOINTS: dict[str, Payload] = {
    "a pickle": raw(lambda data, run: pickle.dumps({"state_dict": Touch(run)})),
    "a pickle in a zip": raw(pickled_zip),
    "a pickle among weights": checkpoint(lambda content, run: content.update(more=Touch(run))),
    "TorchScript": raw(script),
    "safetensors with a huge header": raw(safetensors),
    "cut short": raw(lambda data, run: data[: len(data) // 2]),
    "its end missing": raw(lambda data, run: data[:-30]),
    "a bit flipped": raw(flipped),
    "empty": raw(lambda data, run: b""),
    "zeros": raw(lambda data, run: bytes(len(data))),
    "a zip bomb": raw(deflated),
    "a zip that overlaps": raw(overlapping),
    "a pipe": replaced_by(os.mkfifo),
    "a folder": replaced_by(lambda path: path.mkdir()),
    "a link to endless zeros": replaced_by(lambda path: path.symlink_to("/dev/zero")),
    "a link out of the run": replaced_by(lambda path: path.symlink_to("/etc/passwd")),
    "a list": checkpoint(lambda content, run: [1, 2]),
    "no weights": checkpoint(lambda content, run: {"epoch": 1}),
    "weights that are a list": checkpoint(lambda content, run: {"state_dict": [1]}),
    "a number as weight": weight(lambda value: 3.0),
    "a sparse weight": weight(lambda value: value.to_sparse()),
    "a weight without storage": weight(lambda value: value.to("meta")),
    "a complex weight": weight(lambda value: value.to(torch.complex64)),
    "eight-bit numbers": weight(lambda value: value.to(torch.float8_e4m3fn)),
    "whole numbers for broken ones": weight(lambda value: value.to(torch.int64)),
    "NaN": weight(lambda value: value * float("nan")),
    "an infinite weight": weight(lambda value: value / 0),
    "another shape": weight(lambda value: value[:-1].clone()),
    "one number that says it is a trillion": weight(lambda value: torch.zeros(1).expand(10**6, 10**6)),
    "a name too many": checkpoint(lambda content, run: content["state_dict"].update({"net.more": torch.zeros(1)})),
    "a name too few": checkpoint(lambda content, run: content["state_dict"].popitem() and None),
    "a network of terabytes": config("model.widths", [2**40]),
    "another network": config("model.widths", [7]),
}
ALL = {
    f"{kind}: {name}": payload
    for kind, group in (
        ("target", TARGETS),
        ("value", VALUES),
        ("lookup", LOOKUPS),
        ("yaml", YAML),
        ("checkpoint", CHECKPOINTS),
    )
    for name, payload in group.items()
}
