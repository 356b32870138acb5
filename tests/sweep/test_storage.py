import multiprocessing
from pathlib import Path

import optuna
import pytest

from trainyard.errors import UserError
from trainyard.sweep.storage import locate, open_storage, shown


def test_a_journal_is_the_default_and_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate(None, Path("sweeps/xor")) == str(tmp_path / "sweeps" / "xor" / "study.journal")
    assert locate("sqlite:///a.db", tmp_path) == f"sqlite:///{tmp_path}/a.db"
    assert locate("a.journal", Path("x")) == str(tmp_path / "a.journal")
    assert locate("postgresql://u:p@host/db", tmp_path) == "postgresql://u:p@host/db"
    assert shown("postgresql://u:p@host/db") == "postgresql://...@host/db"


def test_half_a_line_at_the_journals_end_does_not_spoil_it(tmp_path: Path) -> None:
    file = tmp_path / "study.journal"
    optuna.create_study(study_name="a", storage=open_storage(str(file))).enqueue_trial({"x": 1})
    file.write_bytes(file.read_bytes() + b'{"op_code": 4, "worker_id"')
    for value in (2, 3):
        study = optuna.load_study(study_name="a", storage=open_storage(str(file)))
        study.enqueue_trial({"x": value})
    study = optuna.load_study(study_name="a", storage=open_storage(str(file)))
    assert [trial.system_attrs["fixed_params"]["x"] for trial in study.trials] == [1, 2, 3]


def create(url: str) -> None:
    optuna.create_study(study_name="a", storage=open_storage(url), load_if_exists=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_workers_that_begin_together_share_a_new_sqlite_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/study.db"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=create, args=(url,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert optuna.get_all_study_names(open_storage(url)) == ["a"]


def test_a_database_that_cannot_be_reached_is_told_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"storage=postgresql://\.\.\.@nowhere.invalid/db cannot be opened") as caught:
        open_storage("postgresql://me:secret@nowhere.invalid/db")
    assert "secret" not in str(caught.value)
