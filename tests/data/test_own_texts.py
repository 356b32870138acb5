"""Texts of one's own, and those that the program writes."""

from collections import Counter
from pathlib import Path

import pytest

from trainyard.build import build
from trainyard.compose import compose, resolve
from trainyard.data.text import Text


def data(name: str, root: Path, *words: str) -> Text:
    return build(resolve(compose([f"data={name}", f"data.root={root}", "run.dir=x", "model=bow", *words])).data, "data")


CSV = "data.classes=[bad,good]"


@pytest.mark.parametrize(("name", "words"), [("text_folder", []), ("csv", [CSV])])
def test_changed_texts_are_tokenised_anew(name: str, words: list[str], text_root: Path) -> None:
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
        ("words,label\na,bad\n", r"train.csv has no column text; it has words, label"),
        ("text,label\n ,bad\n", r"train.csv, line 2: the text is empty"),
        ("text,label\na,bad\nb,god\n", r"train.csv, line 3: god is not one of the classes bad, good"),
        ("text,label\na,bad\n", r"train holds no text of the classes \['good'\]"),
        ("text,label\n", r"train holds no text of the classes \['bad', 'good'\]"),
    ],
)
def test_a_wrong_table_is_named(content: str, message: str, text_root: Path) -> None:
    (text_root / "train.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        data("csv", text_root, CSV).prepare_data()


def test_files_that_are_missing_or_mis_encoded_are_named(text_root: Path) -> None:
    (text_root / "test.csv").write_bytes(b"text,label\n\xff,bad\n")
    with pytest.raises(ValueError, match=r"test.csv is not UTF-8 \(byte \d+\)"):
        data("csv", text_root, CSV).prepare_data()
    (text_root / "test.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"test.csv is missing: it should hold the columns text and label"):
        data("csv", text_root, CSV).prepare_data()
    (text_root / "train" / "bad" / "3.txt").write_text("")
    with pytest.raises(ValueError, match=r"3.txt is empty"):
        data("text_folder", text_root).prepare_data()
    for file in (text_root / "train" / "bad").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=r"bad holds no text"):
        data("text_folder", text_root).prepare_data()


def test_no_word_of_a_written_review_tells_its_class() -> None:
    reviews = build(resolve(compose(["data=reviews", "run.dir=x", "model=bow"])).data, "data")
    texts, labels = reviews.texts("train")
    counts = [Counter(w for t, y in zip(texts, labels, strict=True) if y == k for w in t.split()) for k in (0, 1)]
    for word in set(counts[0]) | set(counts[1]):
        assert abs(counts[0][word] - counts[1][word]) < 5 * (counts[0][word] + counts[1][word]) ** 0.5, word
    assert texts == reviews.texts("train")[0]
    assert not set(texts) <= set(reviews.texts("test")[0])
