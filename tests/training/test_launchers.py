"""The launchers joblib and submitit (as local processes), for real; those of Slurm and Ray: tests/cluster."""

import csv
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import trainyard
from trainyard.config.compose import compose
from trainyard.errors import UserError
from trainyard.runs.run import Run

SHORT = ["trainer.max_epochs=2", "hardware=cpu", "hardware.threads=1"]


def train(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """In a new interpreter: joblib's processes could not be started by a forked one."""
    return subprocess.run(
        [sys.executable, ROOT / "train.py", *words], cwd=folder, env={**os.environ, "COLUMNS": "120"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def launcher(name: str) -> str:
    package = f"hydra_plugins.hydra_{name.partition('_')[0]}_launcher"
    pytest.importorskip(package, reason=f"hydra/launcher={name} is an extra that is not installed")
    return f"hydra/launcher={name}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["joblib", "submitit_local"])
def test_jobs_in_other_processes_end_as_those_in_this_one(name: str, tmp_path: Path) -> None:
    done = train(tmp_path, "-m", launcher(name), "model=perceptron,mlp", "data=xor", *SHORT)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "outputs" / "sweeps").iterdir()
    for number, model in enumerate(("perceptron", "mlp")):
        run = Run(folder / f"{number:04d}")
        alone = trainyard.train([f"model={model}", "data=xor", *SHORT, f"run.dir={tmp_path}/{model}"])
        assert run.summary["test"] == alone.summary["test"] and run.summary["score"] == alone.summary["score"]
    assert "XOR, highest val/accuracy first" in done.stdout and "model=perceptron" in done.stdout


@pytest.mark.slow
def test_a_job_that_fails_elsewhere_ends_the_command_with_its_sentence(tmp_path: Path) -> None:
    done = train(tmp_path, "-m", launcher("submitit_local"), "model=gpt", "data=xor", *SHORT)
    assert done.returncode == 1
    assert "error: 1 of 1 jobs failed: model=gpt does not fit data=xor, which has no data.vocab_size" in done.stderr
    assert "UncompletedJobError" not in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_jobs_elsewhere_have_data_workers_and_the_users_conf(image_root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine" / "conf" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "net.py").write_text("from trainyard.models.mlp import MLP\n\nclass Net(MLP): ...\n")
    net = "_target_: net.Net\nshape: ${data.shape}\nnum_classes: ${data.num_classes}\nwidths: [4]\n"
    (tmp_path / "mine" / "conf" / "model" / "net.yaml").write_text(net)
    done = train(
        tmp_path, "--config-dir", f"{tmp_path}/mine/conf", "-m", launcher("joblib"), "model=net", "data=image_folder",
        "seed=0", f"data.root={image_root}", "data.shape=[3,16,16]", "data.in_memory_bytes=0", "hardware.num_workers=1",
        *SHORT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "outputs" / "sweeps").glob("*/0000/summary.json"))) == 1


@pytest.mark.slow
def test_a_study_runs_its_trials_with_a_launcher(tmp_path: Path) -> None:
    words = ["-m", "sweep=xor", *SHORT, "trainer.max_epochs=20", "hydra.sweeper.n_jobs=2", "hydra.sweeper.plots=false"]
    tables = []
    for root, word in (("elsewhere", launcher("joblib")), ("here", "hydra.sweeper.execution=launcher")):
        done = train(tmp_path, *words, word, f"run.root={root}")
        assert done.returncode == 0, done.stderr
        rows = csv.DictReader((tmp_path / root / "sweeps" / "xor" / "trials.csv").read_text().splitlines())
        tables.append([(row["state"], row["val/loss"]) for row in rows])
    assert tables[0] == tables[1] and [state for state, _ in tables[0]] == ["complete"] * 4


def test_a_launcher_that_is_not_installed_is_told_how_to_be() -> None:
    if importlib.util.find_spec("hydra_plugins.hydra_ray_launcher"):
        pytest.skip("hydra/launcher=ray is installed")
    with pytest.raises(UserError, match=r"hydra/launcher=ray needs .* not installed: pip install 'trainyard\[ray\]'"):
        compose(["hydra/launcher=ray"])
    with pytest.raises(UserError, match="hydra/launcher=jobs is not an option"):
        compose(["hydra/launcher=jobs"])


def test_a_launcher_that_would_run_nothing_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="hydra/launcher=joblib is not installed")
    done = train(tmp_path, "-m", "hydra/launcher=joblib", "sweep=xor", "hydra.sweeper.execution=process")
    assert done.returncode == 1
    assert "hydra/launcher=joblib runs nothing with hydra.sweeper.execution=process; leave one out" in done.stderr
