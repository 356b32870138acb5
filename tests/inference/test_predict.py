"""trainyard predict: what it prints, what it refuses, what it leaves."""

import csv
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import trainyard
from trainyard.cli.main import run_command
from trainyard.errors import UserError
from trainyard.tasks.base import Task

Predict = Callable[..., tuple[int, str, str]]


@pytest.fixture
def predict(capsys: pytest.CaptureFixture[str]) -> Predict:
    """Run the command: its exit code (1 for an error, whose sentence is added to stderr), stdout and stderr."""

    def call(run: trainyard.Run, *words: str) -> tuple[int, str, str]:
        code, sentence = 0, ""
        capsys.readouterr()  # of a training
        try:
            run_command(["predict", str(run.path), *words])
        except SystemExit as end:
            code = int(end.code or 0)
        except UserError as error:
            code, sentence = 1, str(error)
        said = capsys.readouterr()
        return code, said.out, said.err + sentence

    return call


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three images of different sizes and modes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, size, mode in (("a.png", (32, 32), "RGB"), ("b.jpg", (50, 40), "L"), ("c.png", (90, 64), "RGBA")):
        pixels = rng.integers(256, size=(*size[::-1], 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def reader(short: list[str]) -> trainyard.Run:
    return trainyard.train([*short, "model=bow", "data=reviews", "data.size=200", "data.test_size=20"])


def test_a_folder_gets_a_line_for_each_image(run: trainyard.Run, photos: Path, predict: Predict) -> None:
    code, out, err = predict(run, str(photos), "--top", "2", "hardware.threads=1")
    head, *rows, empty, note = out.splitlines()
    assert (code, len(rows), empty) == (0, 3, "") and head.split() == ["input", "label", "probability", "next"]
    assert note.startswith("preprocessing: 32 x 32 pixels (scaled, center-cropped), RGB, pixels / 255 - 0.5, divided b")
    files = sorted(photos.iterdir())
    for file, row, expected in zip(files, rows, run.predict(files), strict=True):
        name, label, probability, second, next_probability = row.split()
        best = expected.topk(2)
        names = [run.cfg.data.classes[label] for label in best.indices.tolist()]
        assert (name, [label, second]) == (str(file), names)
        assert [float(probability), float(next_probability)] == pytest.approx(best.values.tolist(), abs=1e-4)
    assert "3 predicted in" in err


def test_csv_and_json_say_the_same(run: trainyard.Run, photos: Path, predict: Predict) -> None:
    _, table, err = predict(run, str(photos), "--format", "csv", "--top", "3", "--batch-size", "2")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert list(rows[0]) == ["input", "label", "probability", "label_2", "probability_2", "label_3", "probability_3"]
    assert "preprocessing: 32 x 32 pixels" in err
    found = json.loads(predict(run, str(photos), "--format", "json", "--top", "3")[1])
    assert [each["input"] for each in found] == [row["input"] for row in rows]
    assert [each["top"][2]["label"] for each in found] == [row["label_3"] for row in rows]


def test_a_bad_file_is_named_and_the_rest_goes_on(run: trainyard.Run, photos: Path, predict: Predict) -> None:
    (photos / "b.jpg").write_bytes(b"no image")
    np.save(photos / "d.npy", np.zeros((8, 8, 3), dtype=np.float32))
    code, out, err = predict(run, str(photos), f"{photos}/gone.png", "--format", "csv")
    assert code == 1 and [line.split(",")[0][-5:] for line in out.splitlines()[1:]] == ["a.png", "c.png"]
    assert "b.jpg cannot be read as an image (its content is none of PNG, JPEG" in err
    assert "d.npy cannot be read as an image (its values are float32" in err
    assert "gone.png is not there" in err and "2 predicted, 3 refused in" in err


def test_a_file_is_written_whole_or_not_at_all(
    run: trainyard.Run, photos: Path, predict: Predict, tmp_path: Path
) -> None:
    out = tmp_path / "found.json"
    assert predict(run, f"{photos}/a.png", "--out", str(out))[:2] == (0, "")
    assert [each["input"] for each in json.loads(out.read_text())] == [f"{photos}/a.png"]
    (tmp_path / "empty").mkdir()
    code, printed, err = predict(run, f"{tmp_path}/empty", "--out", f"{tmp_path}/none.csv")
    assert code == 1 and not printed and "empty contains no image" in err and "nothing was predicted" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "found.json", "photos"]


def test_texts_tell_how_many_words_are_unknown(
    reader: trainyard.Run, predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"the cast was good\nder Film, gut!\n")))
    code, out, err = predict(reader, "The film was zauberhaft.", "-", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["input"], row["words"], row["unknown_words"]) for row in rows] == [
        ("The film was zauberhaft.", "4", "1"), ("stdin, line 1", "4", "0"), ("stdin, line 2", "3", "2"),
    ]  # fmt: skip
    assert code == 0 and "preprocessing: tokenizer word of" in err and "the last 32 tokens of each text" in err
    assert "; 3 of 11 words unknown" in err
    assert "zauberhaft" in predict(reader, "The film was zauberhaft.")[1]
    code, out, err = predict(reader, "Vollkommen zauberhaft!", "good film", "--format", "csv")
    assert code == 1 and "Vollkommen zauberhaft!: all of its 2 words are unknown to the tokenizer" in err
    assert len(out.splitlines()) == 2


def test_numbers_are_rows_of_a_table(short: list[str], predict: Predict, tmp_path: Path) -> None:
    gate = trainyard.train([*short, "model=mlp", "data=xor"])
    (tmp_path / "p.csv").write_text("x,y,class\n0,1,1\n1,1,0\n")
    code, out, err = predict(gate, f"{tmp_path}/p.csv", "0,0", "--column", "x", "--column", "y", "--format", "json")
    found = json.loads(out)
    expected = gate.predict([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    assert code == 0 and [each["label"] for each in found] == [str(int(label)) for label in expected.argmax(dim=1)]
    code, _, err = predict(gate, "0,1,1", "0,1")
    assert code == 1 and "0,1,1 has 3 numbers, and the network takes 2" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "there is nothing to predict: after the run, name files, folders, texts, or - for stdin"),
        (["x.png", "--top", "0"], "--top=0 must be at least 1"),
        (["x.png", "--column", "file"], "--column=file names a column of a CSV file, and no input is one"),
        (["x.png", "--out", "/"], "--out=/ is a folder; name a file"),
        (["x.png", "--batch-size", "0"], "--batch-size=0 must be at least 1"),
        (["x.png", "--device", "nothing"], "device=nothing cannot be used"),
        (["x.png", "data.nothing=1"], "data.nothing is not a key of its config"),
    ],
)
def test_a_mistake_is_a_sentence(words: list[str], said: str, run: trainyard.Run, predict: Predict) -> None:
    code, out, err = predict(run, *words)
    assert (code, out) == (1, "") and said in err


@pytest.mark.parametrize("command", [["predict", "x.png"], ["evaluate"]])
def test_a_run_without_weights_is_named(command: list[str], run: trainyard.Run, tmp_path: Path) -> None:
    half = tmp_path / "half"
    shutil.copytree(run.path, half, ignore=shutil.ignore_patterns("*.ckpt", "evaluation"))
    with pytest.raises(UserError, match=r"half has no checkpoints/best.ckpt"):
        run_command([command[0], str(half), *command[1:]])
    assert not (half / "evaluation").exists()


def test_a_language_model_has_no_classes(short: list[str], small_imdb: Path, predict: Predict) -> None:
    words = ["model=gpt", "model.dim=16", "model.depth=1", "data=imdb_lm", "data.max_length=16", "test=false"]
    code, _, err = predict(trainyard.train([*short, *words]), "This film")
    assert code == 1 and "GPT is a language model, which has no classes to predict; trainyard generate RUN" in err


def test_outputs_that_are_not_finite_are_refused(
    run: trainyard.Run, photos: Path, predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = run.task()
    torch.nn.init.constant_(next(broken.parameters()), float("nan"))
    monkeypatch.setattr(trainyard.Run, "task", lambda self: broken)
    code, _, err = predict(run, f"{photos}/a.png")
    assert isinstance(broken, Task) and code == 1 and "a.png: the network's outputs are not finite" in err
