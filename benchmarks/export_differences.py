"""Exported programs compared with their networks:  python benchmarks/export_differences.py [--only gru,bert]

Every architecture of conf/model, small and with weights as large as trained ones, goes through ONNX and pt2. Prints the
largest difference of the written program's predictions from `Run.predict`'s on samples of the data, in several batch
sizes and lengths, relative to the largest value of each prediction (0: the same bits), or why it was refused.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate, instantiate_task
from trainyard.config.resolve import resolve
from trainyard.data.loading.text_blocks import CausalBlocks, MaskedBlocks
from trainyard.data.reviews import Reviews
from trainyard.errors import UserError
from trainyard.export.export import export
from trainyard.export.request import Exported, Request
from trainyard.models.bert import BERT
from trainyard.models.gpt import GPT
from trainyard.tasks.base import Task
from trainyard.tasks.causal_lm import CausalLM
from trainyard.tasks.masked_lm import MaskedLM

IMAGES = ["data=shapes", "data.size=200", "data.test_size=100"]
TEXTS = ["data=reviews", "data.size=200", "data.test_size=100", "data.max_length=12"]
SMALL = ["model.dim=8", "model.heads=2", "model.ff_dim=16", "model.depth=2"]
NETWORKS = {  # an option of conf/model, perhaps a variant of it: its config
    "perceptron": ["data=xor"],
    "mlp": [*IMAGES, "model.widths=[8]", "model.batch_norm=true"],
    "autoencoder": [*IMAGES, "model.widths=[8]", "model.code=4"],
    "cnn": [*IMAGES, "model.stages=[[4,4],[8]]", "model.dense=8", "model.batch_norm=true"],
    "quantum": [*IMAGES, "model.qubits=5"],
    "quantum inputs": ["data=xor", "model.qubits=2", "model.encoder=null"],
    "vgg16": IMAGES,
    "vgg16 resized": [*IMAGES, "model.resize=40"],
    "resnet18": [*IMAGES, "model.width=4"],
    "resnet18 imagenet": [*IMAGES, "model.width=4", "model.stem=imagenet"],
    "resnet34": [*IMAGES, "model.width=4"],
    "resnet50": [*IMAGES, "model.width=4"],
    "vit": [*IMAGES, *SMALL],
    "airbench": [*IMAGES, "model.widths=[4,8]"],
    "airbench views": [*IMAGES, "model.widths=[4,8]", "task.views=crops"],
    "cct": [*IMAGES, *SMALL, "model.width=8"],
    "bow": [*TEXTS, "model.buckets=100"],
    "bow trigrams": [*TEXTS, "model.buckets=100", "model.ngrams=3"],
    "nb_bow": [*TEXTS, "model.rows=500"],
    "lstm": [*TEXTS, "model.layers=[8,4]", "model.dim=8"],
    "lstm bidirectional": [*TEXTS, "model.layers=[8,4]", "model.dim=8", "model.bidirectional=true", "model.pool=max"],
    "gru": [*TEXTS, "model.layers=[8]", "model.dim=8"],
    "gru bidirectional": [*TEXTS, "model.layers=[8,4]", "model.dim=8", "model.bidirectional=true"],
    "gru mean": [*TEXTS, "model.layers=[8]", "model.dim=8", "model.pool=mean", "data.padding_side=left"],
    "hypergraph": [*TEXTS, "model.dim=8", "model.heads=2", "model.window=4", "model.stride=2"],
    "hypergraph pairs": [*TEXTS, "model.dim=8", "model.window=2", "model.stride=1", "model.edge_buckets=50"],
    "hypergraph sentences hgnn": [
        *TEXTS,
        "model.dim=8",
        "model.hyperedges=sentences",
        "model.sentence_ends=[6]",
        "model.propagation=hgnn",
    ],
    "hypergraph shuffled": [*TEXTS, "model.dim=8", "model.hyperedges=shuffled", "data.padding_side=left"],
    "transformer": [*TEXTS, *SMALL],
    "transformer rotary": [*TEXTS, *SMALL, "model.positions=rotary", "data.padding_side=left"],
    "bert": [*TEXTS, *SMALL],
    "bert language": [],
    "gpt": [*TEXTS, *SMALL],
    "gpt modern": [
        *TEXTS,
        *SMALL,
        "model.positions=rotary",
        "model.activation=squared_relu",
        "model.qk_norm=true",
        "model.zero_init=true",
        "model.embed_norm=true",
        "model.fused_attention=false",
    ],
    "gpt language": [],
}
FORMATS = ("onnx", "pt2")
FACTS: dict[str, Any] = {  # of a run, for the card
    "name": "benchmark", "network": "", "parameters": 0, "data": "", "classes": [], "data_facts": {}, "scores": {},
    "limited": {}, "origin": {}, "command": "",
}  # fmt: skip


class CausalReviews(CausalBlocks, Reviews):
    """The generated reviews as a stream, whose next token is predicted."""


class MaskedReviews(MaskedBlocks, Reviews):
    """The generated reviews as a stream, some tokens of which are masked."""


def build(name: str) -> tuple[Task, LightningDataModule]:
    """The task and the data; the weights are so large that a wrong formula shows in the predictions."""
    model, _, variant = name.partition(" ")
    torch.manual_seed(0)
    task, data = language_model(model) if variant == "language" else composed(model, NETWORKS[name])
    for weight in task.net.parameters():
        if weight.ndim in (2, 3) or model == "perceptron":
            torch.nn.init.normal_(weight, std=1.5 / max(1, weight.shape[-1]) ** 0.5)
    if model == "resnet50":  # whose untrained activations grow from block to block
        torch.nn.init.normal_(task.net.head.weight, std=0.002)
    return task.eval(), data


def composed(model: str, words: list[str]) -> tuple[Task, LightningDataModule]:
    """What `trainyard train` would build."""
    found = compose([f"model={model}", *words, "run.dir=x"])
    cfg = resolve(found)
    task, data = instantiate_task(cfg, found.choices), instantiate(cfg.data, "data")
    if hasattr(task.net, "learn"):  # from the training split, before the first step
        data.prepare_data()
        data.setup("fit")
        task.learn(data)
    return task, data


def language_model(model: str) -> tuple[Task, LightningDataModule]:
    """A language model on the generated reviews."""
    sizes = {"vocab_size": 60, "max_length": 16}
    reviews = {**sizes, "size": 200, "test_size": 100, "batch_size": 8}
    small = {"dim": 8, "heads": 2, "ff_dim": 16, "depth": 2}
    parts: dict[str, Any] = {
        "optimizer": torch.optim.SGD, "scheduler": partial(torch.optim.lr_scheduler.StepLR, step_size=1),
    }  # fmt: skip
    if model == "gpt":
        return CausalLM(net=GPT(**sizes, **small), **parts), CausalReviews(**reviews)
    return MaskedLM(net=BERT(**sizes, **small), **parts), MaskedReviews(**reviews)


def try_export(task: Task, data: LightningDataModule, kind: str, folder: Path) -> Exported | UserError:
    """What was exported, or why not."""
    try:
        return export(task, data, Request(folder / f"model.{kind}", kind), FACTS)
    except UserError as error:
        return error


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(NETWORKS), help="networks, separated by commas")
    options = parser.parse_args()
    print(f"| network | {' | '.join(FORMATS)} | batches |\n| --- | {'---: | ' * len(FORMATS)}--- |", flush=True)
    for name in options.only.split(","):
        task, data = build(name)
        with tempfile.TemporaryDirectory() as folder:
            found = {kind: try_export(task, data, kind, Path(folder) / kind) for kind in FORMATS}
        cells = [f"{each.difference:.1e}" if isinstance(each, Exported) else str(each) for each in found.values()]
        shapes = next((each.shapes for each in found.values() if isinstance(each, Exported)), [])
        batches = ", ".join("x".join(map(str, shape[:2] if len(shape) == 2 else shape[:1])) for shape in shapes)
        print(f"| {name} | {' | '.join(cells)} | {batches} |", flush=True)


if __name__ == "__main__":
    main()
