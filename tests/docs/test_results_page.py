"""docs/results.md: what stands between its markers is made from the records, and says what they say."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "docs"))
import results
from records import RECORDS, Claim, Record, Row, changes, make_record, read_records, read_rows, recipe_of, write_records
from results_page import PAGE, of_row, tables

import trainyard

ROWS, CLAIMS = read_rows()
SOME = [Row("good", "model=mlp data=xor", 1), Row("bad", "model=mlp data=xor trainer.max_epochs=1", 60, jobs=1)]

WORDS = ["model=mlp", "data=xor", "data.size=40", "trainer.max_epochs=3", "logger=none"]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Of a real run."""
    run = trainyard.train([*WORDS, f"run.root={tmp_path_factory.mktemp('runs')}"])
    return make_record(SOME[0], SOME[0].words, run.path)


def scored(record: Record, row: Row, scores: list[float], minutes: float = 1) -> list[Record]:
    """Records of a row with these test scores, for seeds 0, 1 ..."""
    runs = [replace(record.run, seed=seed, test=score, minutes=minutes) for seed, score in enumerate(scores)]
    return [replace(record, row=row.name, recipe=row.words, run=run) for run in runs]


def test_the_page_has_what_the_records_say() -> None:
    text = PAGE.read_text().partition("<!-- results -->\n")[2].partition("\n<!-- /results -->")[0]
    assert text == tables(ROWS, CLAIMS, read_records(ROWS)), "write it again: python docs/results.py --page"


def test_no_record_is_of_a_row_that_is_gone() -> None:
    assert len(read_records(ROWS)) == len(RECORDS.read_text().splitlines())


def test_a_record_survives_its_file(record: Record, tmp_path: Path) -> None:
    write_records([record], tmp_path / "some.jsonl")
    (kept,) = read_records(SOME, tmp_path / "some.jsonl")
    assert kept.run.test == record.run.test and kept.run.config == record.run.config
    assert len(kept.curves["val/accuracy"][1]) == 3
    assert str(record.run.path.parent) not in (tmp_path / "some.jsonl").read_text()


def test_a_row_with_other_words_is_trained_again(record: Record, tmp_path: Path) -> None:
    write_records([record], tmp_path / "some.jsonl")
    assert read_records([replace(SOME[0], words="model=mlp")], tmp_path / "some.jsonl") == []
    assert results.missing(SOME[0], [record]) == 2 and results.missing(SOME[0], scored(record, SOME[0], [1, 1, 1])) == 0


def test_a_row_whose_yaml_has_changed_is_trained_again(record: Record, capsys: pytest.CaptureFixture) -> None:
    """And the rows that start with its weights; here other words stand for what a YAML file says by now."""
    same, other = (replace(SOME[0], words=" ".join([*WORDS, *more])) for more in ([], ["optimizer.lr=0.5"]))
    tuned = Row("tuned", f"{same.words} pretrained=@good", 1)
    records = [record, replace(record, row="tuned")]
    assert results.without_outdated({"tuned": tuned, "good": same}, records) == records
    assert results.study_of(same, {}, "0") != results.study_of(other, {}, "0"), "its old runs are not continued"
    capsys.readouterr()
    assert results.without_outdated({"tuned": tuned, "good": other}, records) == []
    good, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"good is to be trained again: optimizer.lr was [\d.]+ and is 0.5", good)
    assert last == "tuned is to be trained again: it needs good"


@pytest.mark.parametrize(
    ("words", "gone", "changed"),
    [
        ("model.widths=[3]", (), ["model.widths"]),
        ("task.label_smoothing=0.1", ["task.label_smoothing"], ["task.label_smoothing"]),  # a new key, not as it was
        ("", ["task.label_smoothing", "model.widths"], []),  # new keys with the values of their options
        ("callbacks=lookahead", (), ["callbacks.lookahead._target_", "callbacks.lookahead.every"]),
        ("data.path=@good", (), []),
        ("hardware.precision=auto", (), []),
    ],
)
def test_keys_are_compared_with_those_of_the_record(
    record: Record, words: str, gone: Sequence[str], changed: list[str]
) -> None:
    config = {key: value for key, value in json.loads(record.run.config).items() if not key.startswith(tuple(gone))}
    old = replace(record, run=replace(record.run, config=json.dumps(config)))
    found = changes(replace(SOME[0], words=" ".join([*WORDS, words])), old)
    assert set(changed) <= set(found) and bool(changed) == bool(found)


def test_no_record_is_of_a_recipe_that_has_changed() -> None:
    records = read_records(ROWS)
    assert results.without_outdated({row.name: row for row in ROWS}, records) == records


def test_marks_and_claims_are_judged(record: Record) -> None:
    rows = [replace(SOME[0], mark={"score": 0.9, "minutes": 2}), replace(SOME[1], mark={"score": 0.9})]
    records = [*scored(record, rows[0], [0.92, 0.93, 0.94]), *scored(record, rows[1], [0.5, 0.51, 0.49], minutes=3)]
    text = tables(rows, [Claim("good", "bad", 0.1), Claim("bad", "good")], records)
    assert "- good >= 90.00 % in <= 2 minutes (3 seeds): reached, +3.00; reached, -1.0 minutes" in text
    assert "- bad >= 90.00 % (3 seeds): **not reached**, -40.00" in text
    assert "good against bad: +43.00 points, asked for 10.00, 3 and 3 runs, p < 0.001: holds" in text
    assert "bad against good: -43.00 points, 3 and 3 runs, p = 1.000: **not shown**" in text
    assert of_row(rows[1], records)[0].run.test == 0.5


def test_hours_are_of_what_is_missing(record: Record) -> None:
    assert results.hours(SOME[1], scored(record, SOME[1], [1, 1])) == pytest.approx(1)
    assert results.hours(SOME[0], []) == pytest.approx(2 / 60)


def test_a_pretraining_comes_first_where_its_weights_are_needed(record: Record) -> None:
    base, tuned = replace(SOME[0], seeds=1), replace(SOME[1], words="model=mlp pretrained=@good")
    rows = {"good": base, "bad": tuned}
    assert results.due(["bad"], rows, scored(record, base, [1])) == [base, tuned]
    assert results.due([], rows, scored(record, base, [1]) + scored(record, tuned, [1, 1, 1])) == []


def test_a_seed_with_a_record_of_another_machine_is_not_trained_again(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RUNS", tmp_path)
    row, rows = SOME[1], {row.name: row for row in SOME}
    records = scored(record, row, [1])
    assert "seed=1,2" in results.command(row, rows, records)
    finished = tmp_path / "sweeps" / results.study_of(row, rows, "1-2") / "0000"
    finished.parent.mkdir(parents=True)
    trainyard.train([*WORDS, "seed=1", f"run.root={tmp_path}"]).path.rename(finished)
    records = results.with_trained([row], rows, records)
    assert [each.run.seed for each in records] == [0, 1] and results.missing(row, records) == 1
    assert "seed=1,2" in results.command(row, rows, records), "the same sweep continues"
    records += [replace(records[0], run=replace(records[0].run, seed=2))]
    assert results.seeds_here(row, rows, records) == [], "pulled meanwhile"
    assert results.seeds_here(replace(row, seeds=5), rows, records) == [3, 4], "only those that are new"
    rows["tuned"] = Row("tuned", "model=mlp pretrained=@bad", 1)
    assert results.seeds_here(row, rows, records) == [0], "another row needs the run of seed 0"


def test_what_is_needed_for_what_is_needed_comes_first() -> None:
    rows = {name: Row(name, f"model=mlp {more}", 1) for name, more in
            {"c": "pretrained=@b", "b": "data.pseudo_labels=@a", "a": ""}.items()}  # fmt: skip
    assert [row.name for row in results.due(["c"], rows, [])] == ["a", "b", "c"]


def test_the_state_of_every_row_is_listed(capsys: pytest.CaptureFixture) -> None:
    results.print_state(ROWS, results.due([], {row.name: row for row in ROWS}, []), [])
    assert len(capsys.readouterr().out.splitlines()) == len(ROWS) + 1


def test_a_row_without_its_initial_weights_waits(record: Record, capsys: pytest.CaptureFixture) -> None:
    rows = {"good": SOME[0], "bad": replace(SOME[1], words="model=mlp pretrained=@good")}
    assert results.train(rows["bad"], rows, [record]) == [record]
    assert "bad waits for good" in capsys.readouterr().out


def test_other_initial_weights_are_another_recipe(record: Record, tmp_path: Path) -> None:
    rows = [SOME[0], replace(SOME[1], words="model=mlp pretrained=@good")]
    known = {row.name: row for row in rows}
    write_records([replace(record, row="bad", recipe=recipe_of(rows[1], known))], tmp_path / "some.jsonl")
    assert len(read_records(rows, tmp_path / "some.jsonl")) == 1
    assert read_records([replace(SOME[0], words="model=cnn"), rows[1]], tmp_path / "some.jsonl") == []
