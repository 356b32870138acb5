"""What a run began with: other data is refused as it is resumed, other code named."""

import importlib
import json
import shutil
from pathlib import Path

import pytest
from interrupt import cut_off

import trainyard
from trainyard.errors import UserError
from trainyard.runs.provenance import sources

WORDS = ["data=csv", "data.classes=[bad,good]", "data.vocab_size=50", "model=bow"]


@pytest.fixture
def begun(short: list[str], text_root: Path, tmp_path: Path) -> Path:
    """A run that was cut off in its second epoch."""
    words = [word for word in short if "batch" not in word]
    cut_off([*words, *WORDS, f"data.root={text_root}", "data.batch_size=8"], tmp_path / "run", after=4)
    return tmp_path / "run"


def test_other_data_is_refused_and_nothing_overwritten(begun: Path, text_root: Path) -> None:
    tokenizer = (begun / "tokenizer.json").read_bytes()
    table = text_root / "train.csv"
    table.write_text(table.read_text().replace("A bad film, 3 times bad.", "A dull film, 3 times bad."))
    with pytest.raises(
        UserError, match=r"other data: its train split was 2\d samples \w+, and now it is 2\d samples \w+"
    ):
        trainyard.train([f"resume={begun}"])
    assert (begun / "tokenizer.json").read_bytes() == tokenizer


def test_the_same_data_in_another_place_is_the_same(begun: Path, text_root: Path, tmp_path: Path, caplog) -> None:
    shutil.move(text_root, tmp_path / "moved")
    shutil.rmtree(tmp_path / "moved" / ".tokens")
    for table in (tmp_path / "moved").glob("*.csv"):
        table.write_text(table.read_text())  # another time of change
    assert trainyard.train([f"resume={begun}", f"data.root={tmp_path}/moved"]).summary["epochs"] == 2
    assert "other code" not in caplog.text


def test_other_packages_and_modules_are_named(begun: Path, caplog) -> None:
    file = begun / "environment.json"
    facts = json.loads(file.read_text())
    facts["packages"] |= {"torch": "1.0", "zipp": "0", "absl-py": "0"}
    facts["sources"] |= {"trainyard": "0"}
    file.write_text(json.dumps(facts))
    trainyard.train([f"resume={begun}"])
    assert (
        "with other code than at its beginning, so that its end may differ: packages: torch 1.0 there," in caplog.text
    )
    assert "; modules: trainyard" in caplog.text
    assert "other code than at its beginning" in (begun / "run.log").read_text()


def test_sources_are_the_packages_and_modules_that_are_not_installed(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "my_lab").mkdir()
    for name in ("__init__", "net"):
        (tmp_path / "my_lab" / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("my_lab")
    found = sources()
    assert {"trainyard", "my_lab", "interrupt"} <= found.keys()
    (tmp_path / "my_lab" / "net.py").write_text("x = 1")
    assert {name for name, digest in sources().items() if found[name] != digest} == {"my_lab"}
    assert not {"torch", "lightning", "json", "yaml"} & found.keys()
