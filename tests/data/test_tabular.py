"""Tables: what a network gets for a row, learned from the training rows alone, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT
from torch import Tensor

import trainyard
from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.config.resolve import resolve
from trainyard.data.loading.columns import Column
from trainyard.data.loading.table_encoder import TableEncoder
from trainyard.data.tabular import Tabular
from trainyard.errors import UserError

HOUSES = ROOT / "tests" / "durability" / "houses.csv"
MLP = ["data=tabular", "model=mlp", "model.widths=[16]", "callbacks.pictures=null"]
REGRESSION = [*MLP, "task=regression", f"data.path={HOUSES}"]


def table(path: Path, *words: str) -> Tabular:
    cfg = resolve(compose(["data=tabular", "run.dir=x", f"data.path={path}", *words]))
    data = instantiate(cfg.data, "data")
    data.setup("fit")
    data.setup("test")
    return data


def written(folder: Path, text: str) -> Path:
    file = folder / "table.csv"
    file.write_text(text)
    return file


def inputs(data: Tabular, split: str) -> Tensor:
    samples = data.splits[split]
    return data.transform(samples.inputs[samples.rows], None)


def test_a_row_is_scaled_numbers_and_ones_and_zeros() -> None:
    encoder = TableEncoder(
        [Column("a"), Column("b", None, True), Column("c", ("x", "y", "z"), True), Column("d", ("p",))]
    )
    nan = float("nan")
    rows = torch.tensor([[1.0, 5.0, 0.0, 0.0], [3.0, nan, 1.0, 0.0], [5.0, 9.0, nan, 0.0], [3.0, 9.0, 0.0, 0.0]])
    encoder.learn(rows)
    assert encoder.features() == ["a", "b", "b is empty", "c=x", "c=y", "c=z", "d=p", "c is unknown"]
    found = encoder(rows)
    a = torch.tensor([1.0, 3.0, 5.0, 3.0])
    torch.testing.assert_close(found[:, 0], (a - 3) / a.std(correction=0))
    torch.testing.assert_close(found[1, 1], found[2, 1])  # an empty cell is the median, 9
    assert found[:, 2:].tolist() == [
        [0, 1, 0, 0, 1, 0], [1, 0, 1, 0, 1, 0], [0, 0, 0, 0, 1, 1], [0, 1, 0, 0, 1, 0],
    ]  # fmt: skip
    unseen = torch.tensor([[nan, 1.0, 2.0, -1.0]])  # z is in no training row, nor is an empty cell of a
    assert encoder(unseen)[0, 2:].tolist() == [0, 0, 0, 0, 0, 1] and encoder(unseen)[0, 0] == 0
    assert encoder.unseen(unseen).tolist() == [[False, False, True, True]]
    again = TableEncoder.from_json(encoder.to_json(), 8)
    assert torch.equal(again(rows), found) and again.features() == encoder.features()


def test_what_no_training_row_has_is_never_one() -> None:
    """Its weights would stay as they were initialized."""
    encoder = TableEncoder([Column("b", None, True), Column("c", ("x", "y"), True)])
    encoder.learn(torch.tensor([[1.0, 0.0], [2.0, 1.0]]))
    assert encoder(torch.tensor([[float("nan"), float("nan")]]))[0, 1:].tolist() == [0, 0, 0, 0]


def test_validation_and_test_rows_teach_nothing(tmp_path: Path) -> None:
    data = table(HOUSES, "task=regression")
    lines = HOUSES.read_text().splitlines()
    for split in ("val", "test"):
        for row in data.splits[split].rows.tolist():
            size, color, heating, _, price = lines[row + 1].split(",")
            lines[row + 1] = f"{float(size) + 1000},{color},{heating},59,{price}"
    other = table(written(tmp_path, "\n".join(lines)), "task=regression")
    assert torch.equal(other.splits["train"].rows, data.splits["train"].rows)
    assert other.encoder.to_json() == data.encoder.to_json()
    assert inputs(other, "val")[:, 0].min() > 10 > inputs(data, "val")[:, 0].max()
    train = inputs(data, "train")
    torch.testing.assert_close(train[:, 0].mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    torch.testing.assert_close(train[:, 0].std(correction=0), torch.tensor(1.0))


def test_the_splits_are_functions_of_the_data_and_the_split_seed() -> None:
    first, again, other = (
        table(HOUSES, "task=regression", f"data.{word}") for word in ("seed=1", "seed=2", "split_seed=1")
    )
    assert first.digests() == again.digests() and first.encoder.to_json() == again.encoder.to_json()
    assert first.digests()["train"] != other.digests()["train"] and first.encoder.to_json() != other.encoder.to_json()
    assert first.digests()["test"] == other.digests()["test"]
    rows = torch.cat([first.splits[split].rows for split in ("train", "val", "test")])
    assert rows.sort().values.tolist() == list(range(120)) and len(first.splits["test"]) == 24


@pytest.mark.parametrize(("old", "new"), [(",red,", ",crimson,"), ("104.4,", "104.5,"), ("heating", "fuel")])
def test_digests_notice_other_data(old: str, new: str, tmp_path: Path) -> None:
    text = HOUSES.read_text()
    assert old in text
    other = table(written(tmp_path, text.replace(old, new)), "task=regression")
    assert other.digests() != table(HOUSES, "task=regression").digests()


def test_a_table_is_regressed_and_predicts_rows(tmp_path: Path) -> None:
    file = tmp_path / "houses.csv"
    file.write_text(HOUSES.read_text())
    words = [*REGRESSION, f"data.path={file}", "optimizer.lr=0.03", "trainer.max_epochs=40", "hardware=cpu",
             "hardware.threads=1", f"run.dir={tmp_path}/run", "task.metrics=[mape]"]  # fmt: skip
    run = trainyard.train(words)
    assert run.cfg.mode == "min" and run.summary["test"]["test/r2"] > 0.9 and "test/mape" in run.summary["test"]
    assert run.evaluate() == pytest.approx(run.summary["test"])
    file.unlink()  # what was learned is in the run
    run = trainyard.load(tmp_path / "run")
    rows = [[100.0, "red", "gas", 10], [100.0, "green", "coal", None], ["20.5", "blue", "", 50]]
    found = run.predict(rows)
    prices = torch.tensor([[320.0], [220.0], [-38.5]])
    torch.testing.assert_close(found, prices, atol=40, rtol=0)
    names = ["size", "color", "heating", "age"]
    assert torch.equal(run.predict([dict(zip(names, row, strict=True)) for row in rows]), found)
    for wrong, message in (
        ([[1, "red"]], "a row has 2 cells, and there are 4 columns: size, color, heating, age"),
        ([{"size": 1}], "a row has no color; it has size"),
        ([["big", "red", "gas", 1]], "size is 'big', and the column has numbers; data.missing names"),
        (torch.zeros(2, 3), r"the rows are \(2, 3\), and predict takes \(N, 4\)"),
    ):
        with pytest.raises(UserError, match=message):
            run.predict(wrong)


def test_classes_are_found_in_the_table(short: list[str]) -> None:
    run = trainyard.train([*short, *MLP, f"data.path={HOUSES}", "data.target=color", "task.class_weights=balanced"])
    assert list(run.cfg.data.classes) == run.class_names() == ["blue", "green", "red"]
    assert run.evaluation().confusion.shape == (3, 3)  # pyright: ignore
    assert "age" in run.data().columns and "color" not in run.data().columns  # pyright: ignore


def test_several_columns_are_labels(short: list[str], tmp_path: Path) -> None:
    rows = "".join(f"{i % 7},{i % 2},{int(i % 3 == 0)},{int(i % 5 > 1)}\n" for i in range(60))
    file = written(tmp_path, f"a,x,y,z\n{rows}")
    words = [*short, *MLP, f"data.path={file}", "task=multilabel", "data.target=[x,y,z]", "task.metrics=[exact_match]"]
    run = trainyard.train(words)
    assert {"test/f1", "test/average_precision", "test/exact_match"} < set(run.summary["test"])
    found = run.predict([[3]])
    assert found.shape == (1, 3) and ((found > 0) & (found < 1)).all()
    assert run.evaluate() == pytest.approx(run.summary["test"])
    with pytest.raises(UserError, match=r"target names 3 columns, x, y, z: choose task=multilabel \(0 or 1 "):
        trainyard.train([*words, "task=classification"])


def test_several_columns_are_numbers(short: list[str]) -> None:
    run = trainyard.train([*short, *REGRESSION, "data.target=[size,price]"])
    assert run.predict([["red", "gas", 3]]).shape == (1, 2) and "test/r2" in run.summary["test"]


def test_a_folder_has_splits_of_its_own(tmp_path: Path) -> None:
    head, *rows = HOUSES.read_text().splitlines()
    for split, part in (("train", rows[:80]), ("test", rows[80:110]), ("val", rows[110:])):
        (tmp_path / f"{split}.csv").write_text("\n".join([head, *part]))
    data = table(tmp_path, "task=regression")
    assert [len(data.splits[split]) for split in ("train", "val", "test")] == [80, 10, 30]
    (tmp_path / "val.csv").unlink()
    assert len(table(tmp_path, "task=regression").splits["val"]) == 8
    (tmp_path / "test.csv").write_text("size,color\n1,red\n")
    with pytest.raises(ValueError, match="test.csv has no column heating; it has size, color"):
        table(tmp_path, "task=regression")


def test_parquet_is_the_same_table(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra tables is not installed")
    import pyarrow.csv

    parquet.write_table(pyarrow.csv.read_csv(HOUSES), tmp_path / "houses.parquet")
    assert table(tmp_path / "houses.parquet", "task=regression").digests() == table(HOUSES, "task=regression").digests()


def test_categories_never_seen_are_refused_if_that_is_wanted(tmp_path: Path) -> None:
    lines = HOUSES.read_text().splitlines()
    (row,) = table(HOUSES, "task=regression").splits["val"].rows[:1].tolist()
    lines[row + 1] = lines[row + 1].replace("red", "pink").replace("blue", "pink").replace("green", "pink")
    file = written(tmp_path, "\n".join(lines))
    data = table(file, "task=regression")
    assert inputs(data, "val")[0, data.encoder.features().index("color=pink")] == 0
    with pytest.raises(ValueError, match="the category pink of color is in the val split, and no training row"):
        table(file, "task=regression", "data.unknown=error")


HEAD = "a,b,target\n"
ROWS = "".join(f"{i},{'xyz'[i % 3]},{i % 4}\n" for i in range(40))


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (HEAD + ROWS, ["data.target=goal"], "data.target: the table has no column goal. It has a, b, target"),
        (HEAD + ROWS, ["data.columns=[a,targte]"], r"no column targte. Did you mean target\? It has a, b, target"),
        (HEAD + ROWS, ["data.columns=[a,target]"], "data.columns names target, which is the target; leave it out"),
        (HEAD + ROWS, ["data.target=b"], "line 2: the target b is 'x', not a number; .*for words task=classification"),
        (HEAD + ROWS + "1,x,\n", [], "line 42: the target target is empty; delete the row, or choose another"),
        (HEAD + ROWS + "one,x,1\n", [], "line 42: 'one' in the column a, which has numbers otherwise .1 of 41 cells"),
        (HEAD + ROWS + "1,x\n", [], "line 42 has 2 cells, and there are 3 headings; repair the line"),
        (HEAD + ",x,1\n" * 30, [], "the column a is empty; name the others in data.columns"),
        ("a;b;target\n1;2;3\n", [], "has cells separated by ';'; convert it to commas"),
        ("a,a,target\n1,2,3\n", [], "has two columns named a; rename one"),
        ("a,,target\n1,2,3\n", [], "column 2 has no heading; name it"),
        ("", [], "is empty; its first row should have the headings"),
        (HEAD, [], "has headings and no rows"),
        ("target\n1\n2\n", [], "the table has no column besides the target target"),
        (HEAD + ROWS, ["data.max_categories=2"], "the column b has 3 categories, more than data.max_categories=2"),
        (HEAD + ROWS, ["task=classification", "data.max_categories=3"], "for numbers choose task=regression"),
        (HEAD + ROWS, ["task=multilabel", "data.target=[a,target]"], "the target a has 2, and labels are 0 or 1"),
        ("t,target\n" + "".join(f"{1.7e9 + i},{i}\n" for i in range(40)), [], "fp32 rounds the numbers of t too much"),
        (HEAD + ROWS, ["data.unknown=drop"], "unknown=drop must be category or error"),
        (HEAD + ROWS, ["data.kind=text"], "data.kind=text must be one of classes, numbers, labels"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_training(
    text: str, words: list[str], message: str, tmp_path: Path, short: list[str]
) -> None:
    overrides: list[Any] = [f"data.path={written(tmp_path, text)}", f"run.dir={tmp_path}/run", *words]
    with pytest.raises((UserError, ValueError), match=message):
        trainyard.train([*short, *MLP, "task=regression", *overrides])
    assert not (tmp_path / "run").exists()


def test_a_table_that_is_not_there_is_named(short: list[str]) -> None:
    with pytest.raises(UserError, match="data.path is required: set data.path=..."):
        trainyard.train([*short, *MLP])
    with pytest.raises(UserError, match=r"data.path=no.csv is neither a table \(.csv, .parquet\) nor a folder"):
        trainyard.train([*short, *MLP, "data.path=no.csv"])


def test_a_file_of_columns_that_is_none_is_refused(tmp_path: Path, short: list[str]) -> None:
    run = trainyard.train([*short, *REGRESSION, f"run.dir={tmp_path}/run"])
    file = tmp_path / "run" / "columns.json"
    good = file.read_text()
    mean = good.partition('"mean": [')[2].partition("]")[0]
    for bad in (
        "{}", "[]", "nothing", "[" * 100_000, good.replace('"size"', '5, "size"'), " " * (1 << 24),
        good.replace('"red"', '"red", "pink"'), good.replace(mean, "NaN, NaN"), good.replace(mean, "1"),
        good.replace(mean, "1" * 400 + ", 2"),
    ):  # fmt: skip
        file.write_text(bad)
        with pytest.raises(UserError, match="columns.json cannot be used: "):
            trainyard.load(run.path).predict([[1, "red", "gas", 2]])
    file.write_text(good)
    assert trainyard.load(run.path).predict([[1, "red", "gas", 2]]).isfinite().all()
