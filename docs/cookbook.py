"""Write docs/cookbook/: six networks from their training to a served prediction, with what each command printed.

    make cookbook        or: TRAINYARD_DATA=... python docs/cookbook.py [xor cnn resnet18 vit gru bert]

Trains in build/cookbook, on real data; half an hour on two cores. A run that is there already is not trained again.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import NamedTuple

import torch
from torchvision.io import write_png

from trainyard.data.cifar10 import CIFAR10
from trainyard.data.loading.download import data_root
from trainyard.machine import cpu_name

ROOT, BIN = Path(__file__).parents[1], Path(sys.executable).parent
WORK, PAGES, PICTURES = ROOT / "build" / "cookbook", ROOT / "docs" / "cookbook", ROOT / "docs" / "images" / "cookbook"
PORT = 8123
JPEG = "The copy of CIFAR-10 used here was compressed as JPEG once."
SHORT = (
    "The training is short, so that the page can be made again at any time; [Results](../results.md) has longer ones."
)
PHOTOS = {"cat": 0, "ship": 1, "frog": 5}  # of which class, and the how manyth of the test set


class Recipe(NamedTuple):
    """A network: how it is trained, and what it is asked."""

    title: str
    said: str  # in a sentence or two
    training: str  # words of the command line
    inputs: str  # words for predict and explain
    sent: str  # curl's option for one of them
    explain: str = ""  # further words
    evaluate: str = ""
    export: str = "--format onnx"


IMAGE = {"inputs": "photos", "sent": "-F file=@photos/cat.png"}
REVIEW = '"It starts slowly, but the last hour is superb."'
REVIEWS = {
    "inputs": f'{REVIEW} "Not even the music could save this dull mess."',
    "sent": '-H "Content-Type: application/json" -d \'{"text": "A superb film"}\'',
}
RECIPES = {
    "xor": Recipe(
        "An MLP on XOR", "The smallest run: four points, a second.", "experiment=xor_mlp callbacks.epoch_lines.most=10",
        "0,0 0,1 1,0 1,1", '-H "Content-Type: application/json" -d \'{"values": [0, 1]}\'', export="--format pt2",
    ),
    "cnn": Recipe(
        "The article's CNN on CIFAR-10", f"Two epochs in place of ten. {JPEG} {SHORT}",
        "experiment=cifar10_cnn_article trainer.max_epochs=2", **IMAGE, evaluate="--robustness",
        export="--format onnx --int8",
    ),
    "resnet18": Recipe(
        "A ResNet-18 on CIFAR-10",
        f"A quarter of the published width, three epochs on half of the images. {JPEG} {SHORT}",
        "model=resnet18 model.width=16 data=cifar10 data.augment=standard data.fraction=0.5 trainer.max_epochs=3",
        **IMAGE, explain="--check",
    ),
    "vit": Recipe(
        "A Vision Transformer on CIFAR-10", f"Three epochs on a fifth of the images. {JPEG} {SHORT}",
        "experiment=cifar10_vit data.fraction=0.2 trainer.max_epochs=3", **IMAGE, explain="--method rollout",
        export="--format pt2",
    ),
    "gru": Recipe(
        "A GRU on IMDB's reviews", f"One epoch. {SHORT}", "experiment=imdb_gru trainer.max_epochs=1", **REVIEWS,
        export="--format onnx --int8",
    ),
    "bert": Recipe(
        "A small BERT on IMDB's reviews",
        f"From scratch, two epochs on the last 128 words of a fifth of the reviews. {SHORT}",
        "experiment=imdb_bert_finetune data.fraction=0.2 data.max_length=128 trainer.max_epochs=2", **REVIEWS,
    ),
}  # fmt: skip


def write_photos(folder: Path) -> None:
    """A few test images of CIFAR-10 as PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    file = data_root(os.environ.get("TRAINYARD_DATA")) / CIFAR10.FOLDER / "test_batch.bin"
    records = torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8).view(10_000, -1)
    for name, number in PHOTOS.items():
        rows = (records[:, 0] == CIFAR10.CLASSES.index(name)).nonzero().flatten()
        write_png(records[rows[number], 1:].reshape(3, 32, 32), str(folder / f"{name}.png"))


def run(command: str) -> str:
    """What a command prints, on stdout and, if it warns or fails, on stderr."""
    words = command.replace("python train.py", f"{sys.executable} {ROOT / 'train.py'}", 1)
    environment = {**os.environ, "COLUMNS": "120", "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(words, shell=True, cwd=WORK, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    text = (done.stdout + done.stderr).replace(f"{WORK}/", "")
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def block(command: str, text: str) -> str:
    """A command and what it printed."""
    return f"```\n$ {command}\n{text}\n```\n"


@contextmanager
def served(command: str) -> Iterator[None]:
    """Within `with`, the server answers."""
    process = subprocess.Popen([BIN / "trainyard", *command.split()[1:]], cwd=WORK, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health"):
                break
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait()


def drawn(pattern: str, path: Path) -> Iterator[Path]:
    """The first pictures of a run, looked for when they are asked for."""
    yield from sorted(path.glob(pattern))[:3]


def pictures(name: str, files: Iterable[Path]) -> Iterator[str]:
    """Links to copies of pictures that a command has drawn."""
    for file in files:
        target = PICTURES / f"{name}-{re.sub(r'[^a-z0-9]+', '-', file.stem.lower())[:40].strip('-')}.png"
        shutil.copyfile(file, target)
        yield f"![{file.stem.replace('_', ' ')}](../images/cookbook/{target.name})\n"


def page(name: str, recipe: Recipe) -> str:
    """The page of a recipe."""
    place = f"outputs/{name}"
    machine = f"{os.cpu_count()} cores of an {cpu_name()}"
    parts = [
        f"# {recipe.title}\n",
        f"{recipe.said} All of it was printed on {date.today()}, on {machine}, which other programs used as well; "
        "`make cookbook` makes the page again.\n",
    ]

    def step(title: str, command: str, files: Iterable[Path] = (), before: str = "") -> None:
        parts.extend((f"## {title}\n", block(command, before or run(command))))
        parts.extend(pictures(name, files))

    training, log, path = f"python train.py {recipe.training} run.dir={place}", WORK / f"{name}.txt", WORK / place
    if not log.exists():
        log.write_text(run(training))
    step("Train", training, drawn("pictures/boundary_over_time.png", path), before=log.read_text())
    scores, reasons = drawn("evaluation/test/confusion.png", path), drawn("explanations/*.png", path)
    step("Evaluate", " ".join(f"trainyard evaluate {place} {recipe.evaluate}".split()), scores)
    step("Predict", f"trainyard predict {place} {recipe.inputs} --top 3")
    step("Explain", " ".join(f"trainyard explain {place} {recipe.inputs} {recipe.explain}".split()), reasons)
    step("Export", f"trainyard export {place} {recipe.export}")
    server = f"trainyard serve {place} --port {PORT}"
    asked = f"curl -s {recipe.sent} http://127.0.0.1:{PORT}/predict?top=2"
    with served(server):
        parts.extend(("## Serve\n", f"```\n$ {server} &\n$ {asked}\n{run(asked)}\n```\n"))
    return "\n".join(parts)


def main(names: list[str]) -> None:
    """Write the pages of these recipes."""
    for folder in (PAGES, PICTURES, WORK):
        folder.mkdir(parents=True, exist_ok=True)
    write_photos(WORK / "photos")
    for name in names or list(RECIPES):
        (PAGES / f"{name}.md").write_text(page(name, RECIPES[name]))
        print(f"docs/cookbook/{name}.md", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
