"""From words to inputs: files, folders, tables, stdin; what cannot be read is named, and the rest goes on."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from trainyard.data.reviews import Reviews
from trainyard.data.shapes import CLASSES, Shapes
from trainyard.data.xor import XOR
from trainyard.inference.batches import batches
from trainyard.inference.inputs import Inputs


@pytest.fixture
def images() -> Shapes:
    return Shapes(shape=[3, 8, 8], size=100, test_size=100, classes=list(CLASSES), num_classes=10, mean=[0.5],
                  std=[0.3], batch_size=2)  # fmt: skip


@pytest.fixture
def texts(tmp_path: Path) -> Reviews:
    data = Reviews(size=100, test_size=20, vocab_size=100, max_length=9, classes=["neg", "pos"], num_classes=2,
                   batch_size=2, cache=str(tmp_path / "cache"))  # fmt: skip
    data.prepare_data()
    return data


@pytest.fixture
def points() -> XOR:
    return XOR(shape=[2], num_classes=2, batch_size=4)


def found(data: Any, *words: str, columns: tuple[str, ...] = (), stdin: str = "") -> tuple[list[Any], list[str]]:
    said: list[str] = []
    inputs = Inputs(data, words, columns, said.append, io.BytesIO(stdin.encode()))
    return [(each.name, each.value) for each in inputs], said


def test_images_are_files_and_folders(images: Shapes, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    names = ["a/1.png", "a/2.JPG", "a/b/3.tiff", "a/b/.4.png", "a/notes.txt", "other.bin"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    one, two, three = (tmp_path / name for name in names[:3])
    good, said = found(images, str(tmp_path / "a"), str(tmp_path / "other.bin"), f"{tmp_path}/gone.png")
    expected = [*((str(file), file) for file in (one, two, three)), (f"{tmp_path}/other.bin", tmp_path / "other.bin")]
    assert good == expected
    assert said == [f"{tmp_path}/gone.png is not there; name image files, folders of them, or - for a list on stdin"]
    assert found(images, "-", stdin=f"{one}\n\n{two}\n")[0] == [(str(one), one), (str(two), two)]
    (tmp_path / "list.csv").write_text("file,label\na/1.png,x\na/2.JPG,y\n")
    assert found(images, f"{tmp_path}/list.csv", columns=("file",))[0] == [
        (f"{tmp_path}/list.csv:2", one), (f"{tmp_path}/list.csv:3", two),
    ]  # fmt: skip


def test_an_empty_folder_is_named(images: Shapes, texts: Reviews, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty contains no image (.png, .jpg" in found(images, f"{tmp_path}/empty")[1][0]
    assert "empty contains no text (.txt)" in found(texts, f"{tmp_path}/empty")[1][0]


def test_texts_are_words_files_lines_and_cells(texts: Reviews, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the film\nwas good")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "t.csv").write_text('\ufeffid,text,other\n1,"the cast\nwas bad",x\n2, ,y\n3,the hero,z\n')
    long = "the film was good " * 1000
    good, said = found(
        texts, f"{tmp_path}/a.txt", "I like it", long, f"{tmp_path}/bad.txt", "gone.txt", "data.good=1 a"
    )
    values = ["the film\nwas good", "I like it", long, "data.good=1 a"]
    assert [value for _, value in good] == values and good[1][0] == "I like it"
    assert said == [f"{tmp_path}/bad.txt is not UTF-8 (byte 0); convert it", "gone.txt is not there"]
    assert found(texts, "-", stdin="one line\r\n\nanother") == (
        [("stdin, line 1", "one line"), ("stdin, line 3", "another")], [],
    )  # fmt: skip
    assert found(texts, "-")[1] == ["stdin is empty; it should have an input on each line"]
    assert found(texts, f"{tmp_path}/t.csv") == (
        [(f"{tmp_path}/t.csv:2", "the cast\nwas bad"), (f"{tmp_path}/t.csv:5", "the hero")],
        [f"{tmp_path}/t.csv:4: the text is empty"],
    )
    assert [value for _, value in found(texts, f"{tmp_path}/t.csv", columns=("other",))[0]] == ["x", "y", "z"]
    assert found(texts, f"{tmp_path}/t.csv", columns=("x",))[1][0].endswith("no column x; it has id, text, other")


def test_numbers_are_words_and_rows(points: XOR, tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text("0,1\n1,1\n")
    (tmp_path / "head.csv").write_text("x,y,label\n0,1,a\nno,1,b\n1,0,a\n")
    (tmp_path / "a.txt").write_text("0,1")
    assert found(points, "0,1", "-1,.5")[0] == [("0,1", [0.0, 1.0]), ("-1,.5", [-1.0, 0.5])]
    assert [value for _, value in found(points, f"{tmp_path}/bare.csv")[0]] == [[0.0, 1.0], [1.0, 1.0]]
    good, said = found(points, f"{tmp_path}/head.csv", columns=("x", "y"))
    assert [name for name, _ in good] == [f"{tmp_path}/head.csv:2", f"{tmp_path}/head.csv:4"]
    assert said == [f"{tmp_path}/head.csv:3: 'no' is not a number"]
    assert found(points, "0,one")[1] == ["0,one: 'one' is not a number"]
    assert "is not a table; the network takes rows of numbers" in found(points, f"{tmp_path}/a.txt")[1][0]


@pytest.mark.parametrize("is_slow", [False, True])
def test_batches_leave_out_what_is_no_image(images: Shapes, tmp_path: Path, is_slow: bool) -> None:
    for number in range(7):
        Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes(b"none")
    said: list[str] = []
    read = list(batches(images, Inputs(images, [str(tmp_path)]), 2, said.append, is_slow))
    names = [Path(each.name).stem for chunk, _ in read for each in chunk]
    assert names == ["0", "1", "2", "4", "5", "6"] and all(len(chunk) == len(x) <= 2 for chunk, x in read)
    assert torch.cat([x for _, x in read])[:, 0, 0, 0].tolist() == [0, 1, 2, 4, 5, 6]
    assert len(said) == 1 and f"{tmp_path}/3.png cannot be read as an image" in said[0]


@pytest.mark.parametrize("is_slow", [False, True])
def test_batches_are_read_as_they_are_asked_for(images: Shapes, tmp_path: Path, is_slow: bool) -> None:
    file = tmp_path / "1.png"
    Image.new("RGB", (9, 9)).save(file)
    asked = 0

    def endless() -> Any:
        nonlocal asked
        for asked in range(10_000):  # noqa: B007
            yield from Inputs(images, [str(file)])

    next(batches(images, endless(), 4, print, is_slow))
    assert asked < 10


def test_a_text_without_a_word_is_named_by_its_line(texts: Reviews) -> None:
    said: list[str] = []
    inputs = Inputs(texts, ["-"], stdin=io.BytesIO(b"the film\n \t\n<br />\nthe cast"))
    read = list(batches(texts, inputs, 10, said.append))
    assert [[each.name for each in chunk] for chunk, _ in read] == [["stdin, line 1", "stdin, line 4"]]
    assert len(said) == 1 and said[0].startswith("stdin, line 3: the text '<br />' contains no word")
