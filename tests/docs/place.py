"""A folder in which every command of the docs can be run: small runs under the names that the docs use, and inputs."""

import re
import shutil
from pathlib import Path

import numpy as np
from conftest import ROOT
from PIL import Image
from sklearn.datasets import load_diabetes

import trainyard

HOUSES = Path(__file__).parents[1] / "durability" / "houses.csv"
REVIEWS = ["data=reviews", "data.size=400", "data.test_size=100"]
IMAGES = ["data=shapes", "data.size=200", "data.test_size=100"]
BASES = {  # the runs that are trained, in two steps
    "images": ["model=resnet18", "model.width=4", *IMAGES],
    "numbers": ["experiment=xor_mlp", "data.size=40", "data.noise=0.1"],
    "texts": ["model=gru", "model.dim=8", "model.layers=[8]", *REVIEWS],
    "patches": ["model=vit", "model.dim=8", "model.depth=1", "model.heads=2", "model.ff_dim=8", *IMAGES],
    "words": ["model=bert", "model.dim=8", "model.depth=1", "model.heads=2", "model.ff_dim=8", *REVIEWS],
    "hyperedges": ["model=hypergraph", "model.dim=8", *REVIEWS],
    "ngrams": ["experiment=imdb_nb_bow", "model.rows=4096"],
    "table": ["data=tabular", f"data.path={HOUSES}", "task=regression", "model=mlp"],
    "gpt": ["experiment=imdb_gpt", "model.heads=2", "model.dim=16", "model.depth=1", "model.ff_dim=16"],
    "bert": ["experiment=imdb_bert_pretrain", "model.heads=2", "model.dim=16", "model.depth=1", "model.ff_dim=16"],
}
RUNS = {  # the names of runs in the docs, and which of these they are here
    **dict.fromkeys(["quickstart", "cnn_shapes", "mlp_shapes", "stopped", "cnn", "resnet18"], "images"),
    **dict.fromkeys(["resnet18_cifar10", "cifar10_animals", "cifar10_cnn"], "images"),
    **dict.fromkeys(["reviews_gru", "gru_reviews", "imdb_gru", "imdb_lstm", "gru"], "texts"),
    **dict.fromkeys(["xor_mlp", "xor_mlp_article", "xor"], "numbers"),
    **dict.fromkeys(["vit", "cifar10_vit"], "patches"), "bert": "words", "imdb_hypergraph": "hyperedges",
    **dict.fromkeys(["imdb_gpt", "imdb_lstm_pretrain", "imdb_gru_pretrain"], "gpt"), "mlp_tabular": "table",
    **dict.fromkeys(["lstm_pretrain", "gru_pretrain"], "gpt"), "animals": "images",
    **dict.fromkeys(["imdb_nb_bow", "nb_bow"], "ngrams"),
    **dict.fromkeys(["imdb_bert_pretrain", "imdb_electra_pretrain"], "bert"),
    **dict.fromkeys(["bert_pretrain", "bert_pretrain_unlabelled", "electra_pretrain"], "bert"),
}  # fmt: skip
FILES = ("cat.png", "dog.png", "photo.png", "photos/star.png", "photos/train/cat/1.png", "photos/train/dog/2.png",
         "photos/test/cat/3.png")  # fmt: skip
STUDIES = ("2026-11-29_19-25-46-4a9d62", "2026-11-29_19-28-23-2e00fd")
PAGE = (ROOT / "docs" / "own.md").read_text()
CONFIGS = re.findall(r"`(conf/[\w/]+\.yaml)`[^`]*:\n\n```yaml\n(.*?)```", PAGE, re.DOTALL)  # which its commands choose
RUN = re.compile(rf"outputs/({'|'.join(RUNS)})(?:/(?:\.\.\.|\d{{4}}-[^/ ]*))?$")


class Place:
    """The folder; runs are trained when a command names them first."""

    def __init__(self, path: Path, short: list[str]) -> None:
        self.path, self.short = path, [word for word in short if not word.startswith("run.root")]
        picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))
        for name in FILES:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            picture.save(path / name)
        for name, text in CONFIGS:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(text)
        shutil.copy(HOUSES, path / "houses.csv")
        load_diabetes(as_frame=True).frame.to_csv(path / "diabetes.csv", index=False)
        (path / "texts").mkdir()
        for split in ("train", "test"):
            (path / "texts" / f"{split}.csv").write_text("text,label\ngood film,good\nbad film,bad\n")
        for name in ("xor/0000", "xor/0001", *(f"{study}/0" for study in STUDIES)):
            shutil.copytree(self.trained("numbers"), path / "outputs" / "sweeps" / name)
        (path / "outputs" / "sweeps" / "best.yaml").write_text("# @package _global_\noptimizer: {lr: 0.1}\n")
        self.run("quickstart")

    def trained(self, kind: str) -> Path:
        """A run of BASES."""
        run = self.path / "made" / kind
        if not run.exists():
            trainyard.train([*self.short, "trainer.max_epochs=1", *BASES[kind], f"run.dir={run}"])
        return run

    def run(self, name: str) -> str:
        """The run of that name, from the folder; under each name there is a copy."""
        run = self.path / "outputs" / name / "2026-11-29_12-13-32-87154d"
        if not run.exists():
            shutil.copytree(self.trained(RUNS[name]), run)
        return str(run.relative_to(self.path))

    def word(self, word: str) -> str:
        """A word of a command of the docs, with the run or file that it means here."""
        key, equals, value = word.rpartition("=")
        if key != "run.dir" and (match := RUN.match(value)):
            return f"{key}{equals}{self.run(match[1])}"
        if value == "outputs/sweeps/.../best.yaml":
            return f"{key}{equals}outputs/sweeps/best.yaml"
        return self.run("quickstart") if word == "RUN" else word
