"""The model card (Mitchell et al., 2019) of an exported network, in Markdown, from the facts of its run."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainyard.errors import printable
from trainyard.export.staging import MARK, TOKENIZER

if TYPE_CHECKING:
    from trainyard.export.request import Exported, Request

IMPORTS = {
    "onnx": "import numpy\nimport onnxruntime", "pt2": "import torch",
    "safetensors": "from safetensors.torch import load_file",
    "executorch": "import torch\nfrom executorch.runtime import Runtime",
}  # fmt: skip
LOAD = {
    "onnx": "session = onnxruntime.InferenceSession({file!r})\n"
    "predictions = session.run(None, {{{name!r}: {name}}})[0]",
    "pt2": "program = torch.export.load({file!r}).module()\npredictions = program({name})",
    "safetensors": "weights = load_file({file!r})  # for the network's load_state_dict",
    "executorch": 'method = Runtime.get().load_program({file!r}).load_method("forward")\n'
    "predictions = method.execute([{name}])[0]",
}
ARRAYS = {
    "images": "{name} = ...  # {type} {axes}, values from 0 to 255",
    "inputs": "{name} = ...  # {type} {axes}",
    "tokens": "tokenizer = Tokenizer.from_file({tokenizer!r})  # truncates and pads\n"
    "{name} = {make}([each.ids for each in tokenizer.encode_batch(texts)])  # int64 {axes}",
}


def write_card(
    file: Path, facts: Mapping[str, Any], made: "Exported", request: "Request", metadata: Mapping[str, str]
) -> None:
    """Write the card of what was made."""
    sections = [
        f"{MARK}\n# {text(facts['name'])}",
        f"{text(facts['network'])} with {facts['parameters']:,} parameters, trained on {text(facts['data'])}; exported "
        f"as `{made.file.name}` ({request.format}) on {date.today()} by trainyard {metadata['trainyard_version']}.",
        "## Use\n\n" + usage(made.file.name, request.format, metadata),
        "## Intended use\n\n" + intended_use(facts, metadata),
        "## Data\n\n" + bullets(facts["data_facts"]),
        "## Scores\n\n" + scores(facts),
        "## Agreement with the network\n\n" + agreement(made, request),
        "## Limits\n\n" + limits(facts, metadata, request),
        "## How it was made\n\n" + bullets(facts["origin"]) + f"\n\n```\n{fenced(facts['command'])}\n```",
    ]
    file.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def usage(file: str, kind: str, metadata: Mapping[str, str]) -> str:
    """Code that runs the exported file."""
    make = "numpy.array" if kind == "onnx" else "torch.tensor"
    values = {"name": metadata["input_name"], "type": metadata["input_type"], "make": make, "file": file,
              "axes": metadata["input_shape"], "tokenizer": TOKENIZER}  # fmt: skip
    imports, parts = [IMPORTS[kind]], [LOAD[kind].format(**values)]
    if kind != "safetensors":
        parts.insert(0, ARRAYS[metadata["input_name"]].format(**values))
        imports += ["from tokenizers import Tokenizer"] if metadata["input_name"] == "tokens" else []
    classes = json.loads(metadata["classes"])
    named = f"\n\nThe classes, in the order of the outputs: {', '.join(map(text, classes))}." if classes else ""
    code, prepared = "\n".join([*imports, "", *parts]), text(metadata["preprocessing"])
    return f"```python\n{code}\n```\n\nOutput: {metadata['output']}. Preprocessing: {prepared}.{named}"


def intended_use(facts: Mapping[str, Any], metadata: Mapping[str, str]) -> str:
    """What the network is for."""
    classes = json.loads(metadata["classes"])
    what = {"images": "images", "tokens": "texts", "inputs": "inputs"}[metadata["input_name"]]
    does = (
        f"Classifying {what} as one of {len(classes)} classes"
        if classes
        else f"{metadata['output'].capitalize()} of {what}"
    )
    return (
        f"{does}, for {what} like those of {text(facts['data'])}. Everything else, and every use in which a wrong "
        "answer harms someone, needs an evaluation of its own."
    )


def scores(facts: Mapping[str, Any]) -> str:
    """The scores of the run as a table."""
    if not facts["scores"]:
        return "None: the run did not finish."
    lines = ["| score | validation, best epoch | test |", "| --- | ---: | ---: |"]
    for name, (val, test) in facts["scores"].items():
        lines.append(f"| {text(name)} | {number(val)} | {number(test)} |")
    parts = [f"The {split} scores are of {text(part)}." for split, part in facts["limited"].items()]
    return "\n".join([*lines, *(["", *parts] if parts else [])])


def agreement(made: "Exported", request: "Request") -> str:
    """How far the exported file is from the network."""
    shapes = ", ".join(" x ".join(map(str, shape)) for shape in dict.fromkeys(made.shapes))
    said = (
        f"Largest difference from `Run.predict` on real samples, relative to the largest value of each prediction: "
        f"{made.difference:.1e} (batches of {shapes})."
    )
    if not made.table:
        return said
    return f"{said} 8 bits: {made.quantization}. Before and after, on the {request.split} split:\n\n{made.table}"


def limits(facts: Mapping[str, Any], metadata: Mapping[str, str], request: "Request") -> str:
    """What the network cannot do, as far as the run tells."""
    answers = "it has an answer for every input, also for one of no class at all."
    has_chances = "probability" in metadata["output"]
    found = [
        f"Its probabilities were not calibrated; {answers}" if has_chances else "It has an answer for every input.",
        "The scores are those of one seed and one split; on other data they are lower.",
    ]
    if "max_length" in metadata:
        kept = "last" if metadata["truncation_side"] == "left" else "first"
        found.append(
            f"Of a text it reads the {kept} {metadata['max_length']} tokens; it knows no other language or words."
        )
    if metadata["input_name"] == "images":
        found.append(f"Images must have the shape {metadata['input_shape']}; others are resized and cropped before.")
    if request.format != "safetensors" and not request.dynamic:
        found.append("The shape of its input is fixed: one sample at a time.")
    if not facts["scores"] or not any(test is not None for _, test in facts["scores"].values()):
        found.append("It was never scored on a test split.")
    return "\n".join(f"- {line}" for line in found)


def bullets(rows: Mapping[str, Any]) -> str:
    """A list of names and values; a list of values in one line."""
    lines = {name: ", ".join(map(str, each)) if isinstance(each, list) else each for name, each in rows.items()}
    return "\n".join(f"- {text(name)}: {text(value)}" for name, value in lines.items() if value not in (None, ""))


def number(value: Any) -> str:
    """A score with four digits."""
    return f"{value:.4f}" if isinstance(value, int | float) else ""


def text(value: Any) -> str:
    """A value of the run within Markdown, where it means nothing."""
    plain = printable(value, 400)
    return "".join(f"\\{letter}" if letter in "\\`*<>|[]" else letter for letter in plain)


def fenced(value: Any) -> str:
    """A value of the run within a block of code."""
    return printable(value, 2000).replace("```", "'''")
