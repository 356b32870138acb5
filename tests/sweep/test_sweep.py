"""Whole sweeps, in processes of their own: what they leave, how they resume, what they survive."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import processes
import pytest
import yaml
from conftest import ROOT
from processes import Process
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

import trainyard
from trainyard.config.compose import compose
from trainyard.durability.run_lock import read_status
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.sweep.storage import open_storage

TINY = ["hardware=cpu", "hardware.threads=1", "data=shapes", "data.size=300", "data.test_size=100", "model=mlp"]
SEARCH = [
    *TINY, "sweep=search", "hydra.sweeper.study=s", "hydra.sweeper.plots=false", "trainer.max_epochs=3",
    "model.widths=choice([8],[16])", "optimizer.lr=tag(log,interval(1e-3,1e-1))",
]  # fmt: skip


def start(folder: Path, *words: str) -> Process:
    return Process(processes.train, ["-m", *words], folder, COLUMNS="200")


def sweep(folder: Path, *words: str, code: int = 0) -> str:
    process = start(folder, *words)
    out, errors = process.communicate()
    assert process.returncode == code, f"{out}\n{errors}"
    assert "Traceback" not in errors, errors
    return out + errors


def wait_for(file: Path) -> None:
    until = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < until, f"{file} did not come"
        time.sleep(0.05)


def table(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "trials.csv").open()))


def outcome(folder: Path) -> list[dict[str, str]]:
    """The results of a sweep, without the time it took."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in table(folder)]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that nothing disturbed, of five trials, with the median pruner."""
    folder = tmp_path_factory.mktemp("whole")
    sweep(folder, *PRUNED)
    return folder / "outputs" / "sweeps" / "s"


FIXED = ("data.size", "data.test_size", "trainer.max_epochs", "hardware")
PRUNED = [*SEARCH, "hydra.sweeper.n_trials=5", "hydra/sweeper/pruner=median", "hydra.sweeper.pruner.n_startup_trials=2"]


# As in `srun python train.py -m ...`: Lightning would take each trial for the second process of two.
RANK = {"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_JOB_ID": "3", "SLURM_LOCALID": "1", "RANK": "1",
        "SLURM_NODELIST": "localhost", "SLURM_JOB_NAME": "x"}  # fmt: skip


def test_the_xor_sweep_leaves_a_table_an_experiment_plots_and_a_study_whatever_its_rank(tmp_path: Path) -> None:
    call = [sys.executable, str(ROOT / "train.py"), "-m", "sweep=xor", "trainer.max_epochs=40"]
    env = {**os.environ, **RANK}
    done = subprocess.run(
        call, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=env
    )  # with its own server
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    said = done.stdout
    folder = tmp_path / "outputs" / "sweeps" / "xor"
    rows = table(folder)
    assert [row["state"] for row in rows] == ["complete"] * 4
    best = min(rows, key=lambda row: float(row["val/loss"]))
    assert f"4 of 4, best {float(best['val/loss']):.4f} (trial {best['trial']})" in said and "4 done" in said
    for part in ("best.yaml", "tensorboard --logdir", "optuna-dashboard"):
        assert part in said
    for plot in ("optimization_history", "param_importances", "slice", "parallel_coordinate", "intermediate_values",
                 "timeline"):  # fmt: skip
        assert (folder / f"{plot}.png").stat().st_size > 5000
    for row in rows:
        summary = trainyard.Run(folder / row["run"]).summary
        assert summary["score"] == float(row["val/loss"]) and summary["test"] == {}  # the test set stays unread
    again = trainyard.train([f"experiment={folder}/best.yaml", "hardware=cpu", "hardware.threads=1",
                             f"run.root={tmp_path}/again"])  # fmt: skip
    assert again.summary["score"] == float(best["val/loss"]) and "test/loss" in again.summary["test"]
    assert again.path.parent.name == "xor-best"


def test_the_hparams_of_trials_are_what_varies_and_their_real_scores(whole: Path) -> None:
    for row in table(whole):
        events = EventAccumulator(str(whole / row["run"])).Reload()
        content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        values = HParamsPluginData.FromString(content).session_start_info.hparams
        assert (
            {"model.widths", "optimizer.lr"} <= set(values) <= {"model.widths", "optimizer.lr", "model", "data", *FIXED}
        )
        assert values["optimizer.lr"].number_value == float(row["optimizer.lr"])
        best = EventAccumulator(str(whole / row["run"] / "best")).Reload()
        (score,) = [event.value for event in best.Scalars("curves/accuracy")]
        assert row["state"] != "complete" or score == pytest.approx(float(row["val/accuracy"]))


def test_trials_are_pruned_and_the_same_command_again_runs_nothing(whole: Path) -> None:
    rows = table(whole)
    pruned = [row for row in rows if row["state"] == "pruned"]
    assert len(rows) == 5 and pruned and all(int(row["validations"]) < 3 for row in pruned)
    assert all(row["reason"] == f"pruned after {row['validations']} validations" for row in pruned)
    for row in pruned:
        assert trainyard.Run(whole / row["run"]).summary["epochs"] == int(row["validations"])
    before = outcome(whole)
    said = sweep(whole.parents[2], *PRUNED)
    assert "5 of them exist already" in said and outcome(whole) == before


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGKILL, -9),
        pytest.param(signal.SIGTERM, 75, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_a_sweep_that_was_cut_off_becomes_the_uninterrupted_one(
    number: int, code: int, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "outputs" / "sweeps" / "s"
    process = start(tmp_path, *PRUNED)
    wait_for(folder / "0001" / "checkpoints" / "best.ckpt")  # during the second trial
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert read_status(folder / "0000")["attempt"] == 1
    sweep(tmp_path, *PRUNED)
    assert outcome(folder) == outcome(whole)
    assert all(read_status(folder / row["run"])["state"] == "done" for row in table(folder))
    assert sorted(path.name for path in folder.glob("0???")) == ["0000", "0001", "0002", "0003", "0004"]


def test_a_trial_that_fails_or_diverges_or_is_killed_costs_itself_alone(tmp_path: Path) -> None:
    words = [*TINY, "sweep=search", "hydra.sweeper.study=s", "hydra.sweeper.plots=false", "trainer.max_epochs=2",
             "optimizer=sgd", "hydra/sweeper/sampler=grid", "hydra.sweeper.max_failure_rate=1",
             "optimizer.lr=choice(1e-3,1e30)", "model.dropout=choice(0.1,1.5)"]  # fmt: skip
    said = sweep(tmp_path, *words)
    rows = {(row["optimizer.lr"], row["model.dropout"]): row for row in table(tmp_path / "outputs" / "sweeps" / "s")}
    assert rows["0.001", "0.1"]["state"] == "complete"
    assert rows["1e+30", "0.1"]["state"] == "pruned" and rows["1e+30", "0.1"]["reason"].startswith("diverged: the loss")
    assert [rows[lr, "1.5"]["state"] for lr in ("0.001", "1e+30")] == ["fail", "fail"]
    assert "dropout=1.5" in rows["0.001", "1.5"]["reason"]
    assert "1 done" in said and "2 failed" in said and "2 x " in said and "1 x diverged" in said
    process = start(
        tmp_path, *SEARCH, "hydra.sweeper.n_trials=2", "trainer.max_epochs=30", "hydra.sweeper.study=killed"
    )
    folder = tmp_path / "outputs" / "sweeps" / "killed"
    wait_for(folder / "0000" / "checkpoints" / "best.ckpt")
    os.kill(read_status(folder / "0000")["pid"], signal.SIGKILL)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert [row["state"] for row in table(folder)] == ["fail", "complete"]
    assert "1 x killed by SIGKILL (out of memory?)" in out


def test_a_mistake_in_every_trial_ends_the_sweep_with_its_sentence(tmp_path: Path) -> None:
    said = sweep(tmp_path, *SEARCH, "hydra.sweeper.n_trials=9", "data.val_fraction=2", code=1)
    assert (
        "error: 3 of 3 trials failed, more than hydra.sweeper.max_failure_rate=0.5: data=shapes: val_fraction=2" in said
    )


def test_another_search_under_the_same_name_is_refused(whole: Path) -> None:
    folder = whole.parents[2]
    said = sweep(folder, *PRUNED, "model.widths=choice([8],[32])", code=1)
    assert "was started with another space: model.widths is categorical choices=['[8]', '[16]'] there" in said
    assert "hydra.sweeper.study=..." in said
    said = sweep(folder, *PRUNED, "data.size=400", code=1)
    assert "another config: data.size is 300 there, 400 here" in said
    said = sweep(folder, *PRUNED, "monitor=val/loss", "mode=min", code=1)
    assert "another config: monitor is val/accuracy there, val/loss here; mode is " in said


@pytest.mark.slow
def test_workers_share_one_study_in_sqlite_and_one_is_killed_and_started_again(tmp_path: Path) -> None:
    words = [*SEARCH, "hydra.sweeper.n_trials=5", "hydra.sweeper.grace=15", "hydra.sweeper.storage=sqlite:///s.db",
             "hydra.sweeper.refit=2"]  # fmt: skip
    folder = tmp_path / "outputs" / "sweeps" / "s"
    workers = [start(tmp_path, *words) for _ in range(2)]
    wait_for(folder / "0001" / "status.json")
    workers[1].kill()
    workers.append(start(tmp_path, *words))
    for worker in workers:
        worker.communicate(timeout=120)
    assert [worker.returncode for worker in workers] == [0, -9, 0]
    rows = table(folder)
    assert [row["state"] for row in rows] == ["complete"] * 5
    assert len({(row["model.widths"], row["optimizer.lr"]) for row in rows}) == 5
    refitted = [read_status(run) for run in folder.glob("best-*-seed?")]
    assert [(status["state"], status["attempt"]) for status in refitted] == [("done", 1)] * 2  # each once


def test_slots_run_beside_each_other_each_in_its_environment(tmp_path: Path) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "noting.yaml").write_text("_target_: noting.Noting\nwidth: 4\n")
    (tmp_path / "noting.py").write_text(
        "import os\nfrom pathlib import Path\nfrom trainyard.models.mlp import MLP\n\n"
        "class Noting(MLP):\n"
        "    def __init__(self, width):\n"
        "        super().__init__([3, 32, 32], 10, [width])\n"
        "        with Path('noting.txt').open('a') as file:\n"
        "            file.write(os.environ['SLOT'] + '\\n')\n"
    )
    sweep(
        tmp_path, *TINY, "model=noting", "sweep=search", "hydra.sweeper.study=s", "trainer.max_epochs=1",
        "model.width=choice(2,4,8,16)", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2",
        "hydra.sweeper.slots=[{SLOT:one},{SLOT:two}]", "hydra.sweeper.plots=false",
    )  # fmt: skip
    assert set((tmp_path / "noting.txt").read_text().split()) == {"one", "two"}
    rows = table(tmp_path / "outputs" / "sweeps" / "s")
    assert [row["state"] for row in rows] == ["complete"] * 4


@pytest.mark.slow
def test_a_launcher_runs_the_trials_and_prunes_them_too(whole: Path, tmp_path: Path) -> None:
    sweep(tmp_path, *PRUNED, "hydra.sweeper.execution=launcher")
    assert outcome(tmp_path / "outputs" / "sweeps" / "s") == outcome(whole)
    assert [path.name for path in (tmp_path / "outputs" / "sweeps").iterdir()] == ["s"]


def test_the_best_is_trained_again_with_seeds_and_tested(whole: Path, tmp_path: Path) -> None:
    said = sweep(whole.parents[2], *PRUNED, "hydra.sweeper.refit=2")
    runs = [trainyard.Run(path) for path in sorted(whole.glob("best-????-seed?"))]
    assert [run.summary["seed"] for run in runs] == [0, 1] and all(
        "test/accuracy" in run.summary["test"] for run in runs
    )
    best = max((row for row in table(whole) if row["state"] == "complete"), key=lambda row: float(row["val/accuracy"]))
    assert runs[0].summary["score"] == float(best["val/accuracy"])
    assert "first; means over 2 seeds\n" in said and "{best-" in said


def test_another_objective_is_what_is_reported_and_pruned_by(tmp_path: Path) -> None:
    sweep(tmp_path, *PRUNED, "hydra.sweeper.objectives={val/loss:min}", "hydra.sweeper.n_trials=3")
    folder = tmp_path / "outputs" / "sweeps" / "s"
    study = optuna.load_study(study_name="s", storage=open_storage(str(folder / "study.journal")))
    for trial in study.trials:
        run = trainyard.Run(folder / f"{trial.number:04d}")
        losses = [row["val/loss"] for row in read_metrics(run.path) if "val/loss" in row]
        assert list(trial.intermediate_values.values()) == pytest.approx(losses)


def test_a_trial_without_a_single_number_is_recorded_and_the_sweep_continues(tmp_path: Path) -> None:
    said = sweep(
        tmp_path, *TINY, "sweep=search", "hydra.sweeper.study=s", "hydra.sweeper.plots=false", "trainer.max_epochs=1",
        "optimizer=sgd", "hydra/sweeper/sampler=grid", "optimizer.lr=choice(1e-3,1e38)", "callbacks.finite=null",
        "hydra.sweeper.objectives={val/loss:min}",
    )  # fmt: skip
    assert "1 done, 1 pruned" in said or "1 pruned, 1 done" in said


def test_a_conf_folder_that_is_named_reaches_the_trials(tmp_path: Path) -> None:
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "small.yaml").write_text("defaults: [mlp]\nwidths: [4]\n")
    sweep(tmp_path, "--config-dir", "mine", *TINY, "model=small", "sweep=search", "trainer.max_epochs=1",
          "hydra.sweeper.study=s", "hydra.sweeper.n_trials=1", "model.dropout=interval(0.0,0.5)")  # fmt: skip
    (row,) = table(tmp_path / "outputs" / "sweeps" / "s")
    assert row["state"] == "complete"


def test_runs_of_another_study_are_not_taken_for_this_ones(whole: Path, tmp_path: Path) -> None:
    copy = tmp_path / "outputs" / "sweeps" / "s"
    shutil.copytree(whole, copy)
    (copy / "study.journal").unlink()
    assert "contains runs of another study (0000 ...)" in sweep(tmp_path, *PRUNED, code=1)


def test_several_objectives_end_in_a_front(tmp_path: Path) -> None:
    said = sweep(
        tmp_path, *TINY, "sweep=search", "hydra.sweeper.study=s", "trainer.max_epochs=1", "hydra/sweeper/sampler=nsga2",
        "model.widths=choice([4],[64])", "hydra.sweeper.n_trials=2",
        "hydra.sweeper.objectives={val/accuracy:max,parameters:min}",
    )  # fmt: skip
    folder = tmp_path / "outputs" / "sweeps" / "s"
    assert {float(row["parameters"]) for row in table(folder)} == {3072 * 4 + 4 + 50, 3072 * 64 + 64 + 650}
    assert (folder / "pareto_front.png").exists() and "parameters" in said
    said = sweep(tmp_path, *SEARCH, "hydra.sweeper.study=t", "hydra.sweeper.objectives={val/acuracy:max}", code=1)
    assert "monitor=val/acuracy is not a score of this task. Did you mean val/accuracy or" in said
    said = sweep(tmp_path, *SEARCH, "hydra.sweeper.study=u", "hydra.sweeper.objectives={parametres:min}", code=1)
    assert "hydra.sweeper.objectives: parametres is not in" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimizer.lr=0.1", "model.widths=[8]"], "nothing varies in this sweep: write a key as choice"),
        (["hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials=0 must be at least 1"),
        (["hydra.sweeper.execution=cloud"], "execution=cloud must be process or launcher"),
        (["hydra.sweeper.objectives={val/loss:low}"], "the mode of val/loss is low; it must be min or max"),
        (["hydra/sweeper/sampler=grid"], "sampler=grid tries every value, and optimizer.lr is an interval"),
        (["check=true"], "check=true and resume=... are for one training"),
        (["hydra.sweeper.n_trials=many"], "hydra.sweeper.n_trials=many is not a number"),
        (["hydra.sweeper.baseline=true"], "model.widths=[512,256] of the config is outside"),
        (["+task.base_lr=choice(0.1,1)"], "task.base_lr is now called task.backbone_lr_scale"),
        (["hydra/sweeper/sampler=tpa"], "hydra/sweeper/sampler=tpa is not an option. Did you mean tpe"),
        (
            ["hydra.sweeper.n_trails=3"],
            "hydra.sweeper.n_trails is not a key of the config. Did you mean hydra.sweeper.n_trials?",
        ),
    ],
)
def test_a_wrong_option_is_refused_before_anything_runs(words: list[str], said: str, tmp_path: Path) -> None:
    assert said in sweep(tmp_path, *SEARCH, *words, code=1)
    assert not list(tmp_path.rglob("status.json"))


def test_a_search_space_without_m_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "sweep=xor"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1 and "sweep=xor runs many trainings: add -m" in done.stderr


@pytest.mark.parametrize("name", sorted(file.stem for file in (ROOT / "conf" / "sweep").glob("*.yaml")))
def test_every_search_space_can_be_read(name: str) -> None:
    from trainyard.sweep.space import read_space

    composed = compose([f"sweep={name}"])
    assert composed.cfg.test is False
    text = yaml.safe_load((ROOT / "conf" / "sweep" / f"{name}.yaml").read_text())
    params = text.get("hydra", {}).get("sweeper", {}).get("params")
    if params:
        read_space(params, [])
