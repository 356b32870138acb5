import os
import subprocess
import sys
import uuid
from pathlib import Path

import optuna
import pytest
from conftest import ROOT
from optuna.trial import TrialState

from trainyard.errors import UserError
from trainyard.sweep.storage import locate, open_storage, without_password
from trainyard.sweep.trial_queue import counted_trials


def test_a_journal_is_the_default_and_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate(None, Path("sweeps/xor")) == str(tmp_path / "sweeps" / "xor" / "study.journal")
    assert locate("sqlite:///a.db", tmp_path) == f"sqlite:///{tmp_path}/a.db"
    assert locate("a.journal", Path("x")) == str(tmp_path / "a.journal")
    assert locate("postgresql://u:p@host/db", tmp_path) == "postgresql://u:p@host/db"
    assert without_password("postgresql://u:p@host/db") == "postgresql://...@host/db"
    assert without_password("postgresql://host/db?user=u&password=secret") == "postgresql://host/db"


def test_half_a_line_at_the_journals_end_does_not_spoil_it(tmp_path: Path) -> None:
    file = tmp_path / "study.journal"
    optuna.create_study(study_name="a", storage=open_storage(str(file))).enqueue_trial({"x": 1})
    file.write_bytes(file.read_bytes() + b'{"op_code": 4, "worker_id"')
    for value in (2, 3):
        study = optuna.load_study(study_name="a", storage=open_storage(str(file)))
        study.enqueue_trial({"x": value})
    study = optuna.load_study(study_name="a", storage=open_storage(str(file)))
    assert [trial.system_attrs["fixed_params"]["x"] for trial in study.trials] == [1, 2, 3]


def test_half_a_line_that_comes_while_the_study_is_open_is_dropped_too(tmp_path: Path) -> None:
    file = tmp_path / "study.journal"
    study = optuna.create_study(study_name="a", storage=open_storage(str(file)))
    with file.open("ab") as journal:
        journal.write(b'{"op_code": 4, "worker_id"')
    study.enqueue_trial({"x": 1})
    again = optuna.load_study(study_name="a", storage=open_storage(str(file)))
    assert len(again.trials) == len(study.trials) == 1


CREATE = """
import sys, optuna
from trainyard.sweep.storage import open_storage
optuna.create_study(study_name="a", storage=open_storage(sys.argv[1]), load_if_exists=True)
"""


def test_workers_that_begin_together_share_a_new_sqlite_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/study.db"
    workers = [subprocess.Popen([sys.executable, "-c", CREATE, url]) for _ in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert optuna.get_all_study_names(open_storage(url)) == ["a"]


@pytest.mark.skipif(
    "TRAINYARD_POSTGRESQL" not in os.environ, reason="TRAINYARD_POSTGRESQL names no database: postgresql://user@host/db"
)
def test_a_study_in_postgresql_is_shared_by_workers_to_the_trial(tmp_path: Path) -> None:
    url = os.environ["TRAINYARD_POSTGRESQL"]
    name = f"test-{uuid.uuid4().hex}"
    words = [
        "sweep=search", f"hydra.sweeper.study={name}", f"hydra.sweeper.storage={url}", "hydra.sweeper.n_trials=5",
        "model=mlp", "data=xor", "trainer.max_epochs=5", "hardware.threads=1", "hydra.sweeper.plots=false",
        "optimizer.lr=tag(log,interval(1e-3,1))", "hydra/sweeper/pruner=median",
    ]  # fmt: skip
    try:
        command = [sys.executable, str(ROOT / "train.py"), "-m", *words]
        workers = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) for _ in range(2)]
        assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
        study = optuna.load_study(study_name=name, storage=open_storage(url))
        assert [trial.state for trial in counted_trials(study)] == [TrialState.COMPLETE] * 5
    finally:
        optuna.delete_study(study_name=name, storage=open_storage(url))


def test_a_database_that_cannot_be_reached_is_told_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"storage=postgresql://\.\.\.@nowhere.invalid/db cannot be opened") as caught:
        open_storage("postgresql://me:secret@nowhere.invalid/db")
    assert "secret" not in str(caught.value)
