import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import optuna
import processes
import pytest
from optuna.trial import TrialState
from processes import Process

from trainyard.errors import UserError
from trainyard.sweep.storage import locate, open_storage, without_password
from trainyard.sweep.trials import counted_trials


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


def create_study(words: list[str]) -> None:
    optuna.create_study(study_name="a", storage=open_storage(words[0]), load_if_exists=True)


def test_workers_that_start_together_share_a_new_sqlite_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/study.db"
    workers = [Process(create_study, [url], tmp_path) for _ in range(3)]
    errors = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0], errors
    assert optuna.get_all_study_names(open_storage(url)) == ["a"]


def programs() -> Path | None:
    """Where PostgreSQL's server programs are, if they are installed."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).parent if found else debian[-1].parent if debian else None


@pytest.fixture
def postgresql() -> Iterator[str]:
    """A database: the one that TRAINYARD_POSTGRESQL names, else of a server of our own, on a socket in a new folder."""
    if given := os.environ.get("TRAINYARD_POSTGRESQL"):
        yield given
        return
    if (binaries := programs()) is None:
        pytest.skip("PostgreSQL's server is not installed, and TRAINYARD_POSTGRESQL names no postgresql://user@host/db")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    if user:
        shutil.chown(folder, user)
    data, start = folder / "data", partial(subprocess.run, user=user, cwd=folder, check=True, capture_output=True)
    start([binaries / "initdb", "--no-sync", "--auth=trust", "--username=test", "--pgdata", data])
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    start([binaries / "pg_ctl", "--pgdata", data, "--wait", "--options", options, "--log", folder / "log", "start"])
    try:
        yield f"postgresql+psycopg://test@/postgres?host={folder}"
    finally:
        start([binaries / "pg_ctl", "--pgdata", data, "--mode", "immediate", "stop"])
        shutil.rmtree(folder)


@pytest.mark.slow
def test_a_study_in_postgresql_is_shared_by_workers_to_the_trial(tmp_path: Path, postgresql: str) -> None:
    name = f"test-{uuid.uuid4().hex}"
    words = [
        "sweep=search", f"hydra.sweeper.study={name}", f"hydra.sweeper.storage='{postgresql}'", "model=mlp", "data=xor",
        "hydra.sweeper.n_trials=5", "trainer.max_epochs=5", "hardware.threads=1", "hydra.sweeper.plots=false",
        "optimizer.lr=tag(log,interval(1e-3,1))", "hydra/sweeper/pruner=median",
    ]  # fmt: skip
    try:
        workers = [Process(processes.train, ["-m", *words], tmp_path) for _ in range(2)]
        assert [(worker.communicate()[1], worker.returncode) for worker in workers] == [("", 0), ("", 0)]
        study = optuna.load_study(study_name=name, storage=open_storage(postgresql))
        assert [trial.state for trial in counted_trials(study)] == [TrialState.COMPLETE] * 5
    finally:
        optuna.delete_study(study_name=name, storage=open_storage(postgresql))


def test_a_database_that_cannot_be_reached_is_named_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"storage=postgresql://\.\.\.@nowhere.invalid/db cannot be opened") as caught:
        open_storage("postgresql://me:secret@nowhere.invalid/db")
    assert "secret" not in str(caught.value)
