"""A folder in which every command of the docs can be run: small runs under the names that the docs use, and inputs."""

import re
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

import trainyard

IMAGES = ["data=shapes", "data.size=200", "data.test_size=100"]
BASES = {  # the runs that are trained, in two steps
    "images": ["model=resnet18", "model.width=4", *IMAGES],
    "numbers": ["experiment=xor_mlp", "data.size=40", "data.noise=0.1"],
    "texts": ["model=gru", "model.dim=8", "model.layers=[8]", "data=reviews", "data.size=400", "data.test_size=100"],
    "gpt": ["experiment=imdb_gpt", "model.heads=2", "model.dim=16", "model.depth=1", "model.ff_dim=16"],
    "bert": ["experiment=imdb_bert_pretrain", "model.heads=2", "model.dim=16", "model.depth=1", "model.ff_dim=16"],
}
RUNS = {  # the names of runs in the docs, and which of these they are here
    **dict.fromkeys(["quickstart", "cnn_shapes", "mlp_shapes", "resnet18_cifar10", "cifar10_animals"], "images"),
    **dict.fromkeys(["reviews_gru", "imdb_gru", "imdb_lstm"], "texts"),
    "xor_mlp": "numbers", "imdb_gpt": "gpt", "imdb_bert_pretrain": "bert",
}  # fmt: skip
FILES = ("cat.png", "photo.png", "photos/train/cat/1.png", "photos/train/dog/2.png", "photos/test/cat/3.png")
STUDIES = ("2026-11-29_19-25-46-4a9d62", "2026-11-29_19-28-23-2e00fd")
RUN = re.compile(rf"outputs/({'|'.join(RUNS)})(?:/(?:\.\.\.|\d{{4}}-[^/ ]*))?$")


def make(place: Path, short: list[str]) -> None:
    """Fill the folder. Of a run that is used under several names there are copies."""
    for kind, words in BASES.items():
        limits = [word for word in short if not word.startswith("run.root")]
        first = trainyard.train([*limits, "trainer.max_epochs=1", *words, f"run.dir={place}/made/{kind}"])
        for name in (name for name, of in RUNS.items() if of == kind):
            shutil.copytree(first.path, place / "outputs" / name / "2026-11-29_12-13-32-87154d")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))
    for name in FILES:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(place / name)
    (place / "texts").mkdir()
    for split in ("train", "test"):
        (place / "texts" / f"{split}.csv").write_text("text,label\ngood film,good\nbad film,bad\n")
    for name in ("xor/0000", "xor/0001", *(f"{study}/0" for study in STUDIES)):
        shutil.copytree(place / "made" / "numbers", place / "outputs" / "sweeps" / name)
    (place / "outputs" / "sweeps" / "best.yaml").write_text("# @package _global_\noptimizer: {lr: 0.1}\n")


def in_place(word: str, place: Path) -> str:
    """A word of a command of the docs, with the run or file that it means here."""
    key, equals, value = word.rpartition("=")
    if match := RUN.match(value):
        (run,) = (place / "outputs" / match[1]).iterdir()
        return f"{key}{equals}{run.relative_to(place)}"
    if value == "outputs/sweeps/.../best.yaml":
        return f"{key}{equals}outputs/sweeps/best.yaml"
    return {"RUN": "outputs/quickstart/2026-11-29_12-13-32-87154d"}.get(word, word)
