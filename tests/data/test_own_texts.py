"""The user's own texts, and generated ones."""

from pathlib import Path

import pytest

import trainyard
from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.config.resolve import resolve
from trainyard.data.text import Text
from trainyard.errors import UserError


def data(name: str, root: Path, *words: str) -> Text:
    return instantiate(
        resolve(compose([f"data={name}", f"data.root={root}", "run.dir=x", "model=bow", *words])).data, "data"
    )


CSV = "data.classes=[bad,good]"


@pytest.mark.parametrize(("name", "words"), [("text_folder", []), ("csv", [CSV])])
def test_changed_texts_are_tokenized_again(name: str, words: list[str], text_root: Path) -> None:
    one = data(name, text_root, *words)
    one.prepare_data()
    one.setup("fit")
    assert (len(one.splits["train"]), len(one.splits["val"])) == (22, 2)
    file = text_root / ("train/bad/0.txt" if name == "text_folder" else "train.csv")
    file.write_text(file.read_text().replace("film", "strange film"))
    two = data(name, text_root, *words)
    assert two.folder != one.folder
    two.prepare_data()
    assert "strange" in two.tokenizer_json() and "strange" not in one.tokenizer_json()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"train.csv is empty"),
        ("words,label\na,bad\n", r"train.csv has no column text; it has words, label"),
        ("text,label\n ,bad\n", r"train.csv, line 2: the text is empty"),
        ("text,label\na,bad\nb,god\n", r"train.csv, line 3: god is not one of the classes bad, good"),
        ("text,label\na,bad\n", r"train contains no text of the classes \['good'\]"),
        ('text,label\na,bad\n"b,good\nc,bad\n', r"train.csv, line 3: a quote is not closed"),
        ("text,label\n", r"train contains no text of the classes \['bad', 'good'\]"),
    ],
)
def test_a_wrong_table_is_named(content: str, message: str, text_root: Path) -> None:
    (text_root / "train.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        data("csv", text_root, CSV).prepare_data()


def test_excels_byte_order_mark_and_long_texts_of_many_lines_are_read(text_root: Path) -> None:
    text = "a long\nfilm " * 20_000
    (text_root / "test.csv").write_text(f'text,label\n"{text}",bad\nb,good\n', encoding="utf-8-sig")
    assert data("csv", text_root, CSV).texts("test")[0] == [text, "b"]  # pyright: ignore


@pytest.mark.parametrize("name", ["text_folder", "csv"])
def test_a_cache_that_links_elsewhere_is_refused(name: str, text_root: Path, tmp_path: Path) -> None:
    (text_root / ".tokens").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"links to .*elsewhere; delete the link, or set data.cache=FOLDER"):
        data(name, text_root, *([CSV] if name == "csv" else []))
    assert not (tmp_path / "elsewhere").exists()


def test_a_device_or_pipe_in_place_of_a_text_is_refused(text_root: Path) -> None:
    file = text_root / "train" / "bad" / "0.txt"
    file.unlink()
    file.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=r"0.txt cannot be read as a text: .* is not a regular file"):
        data("text_folder", text_root).prepare_data()


def test_files_that_are_missing_or_mis_encoded_are_named(text_root: Path) -> None:
    (text_root / "test.csv").write_bytes(b"text,label\n\xff,bad\n")
    with pytest.raises(ValueError, match=r"test.csv is not UTF-8 \(byte \d+\)"):
        data("csv", text_root, CSV).prepare_data()
    (text_root / "test.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"test.csv is missing: it should contain the columns text and label"):
        data("csv", text_root, CSV).prepare_data()
    (text_root / "train" / "bad" / "3.txt").write_text("")
    with pytest.raises(ValueError, match=r"3.txt is empty"):
        data("text_folder", text_root).prepare_data()
    for file in (text_root / "train" / "bad").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=r"bad contains no text"):
        data("text_folder", text_root).prepare_data()


def test_a_bag_of_words_fails_where_a_sequence_is_read(tmp_path: Path) -> None:
    common = [
        "data=reviews",
        "data.size=1500",
        "optimizer.lr=1e-2",
        "trainer.max_epochs=5",
        "hardware=cpu",
        f"run.root={tmp_path}",
    ]
    bag, gru = (trainyard.train([*common, f"model={model}", "logger=none"]) for model in ("bow", "gru"))
    assert bag.summary["test"]["test/accuracy"] < 0.65
    assert gru.summary["test"]["test/accuracy"] > 0.97
    predicted = gru.predict(["I never thought that the film was dull", "I always thought that the film was dull"])
    assert predicted.argmax(dim=1).tolist() == [1, 0]
    with pytest.raises(UserError, match="contains no word"):
        gru.predict([" "])
