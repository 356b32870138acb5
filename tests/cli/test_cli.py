"""The command line, in processes of its own: what it prints, what it leaves, how it ends."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import processes
import pytest
from conftest import ROOT, options
from processes import Process

Command = Callable[..., subprocess.CompletedProcess]
TINY = [
    "model=mlp", "model.widths=[8]", "data=shapes", "data.size=200", "data.test_size=100", "trainer.max_epochs=1",
    "hardware=cpu", "hardware.threads=1",
]  # fmt: skip


def test_help_lists_every_group_choice_and_examples(command: Command) -> None:
    shown = command("--help").stdout
    for group in ("model", "data", "task", "optimizer", "scheduler", "trainer", "hardware", "callbacks", "logger"):
        assert f"{group}: {', '.join(options(group))}" in shown
    assert "experiment: " in shown and "xor_mlp" in shown
    assert shown.count("  python train.py ") == 6


def test_the_composed_config_can_be_seen(command: Command) -> None:
    done = command("--cfg", "job", "model=resnet18", "data=cifar10")
    assert "num_classes: ${length:${data.classes}}" in done.stdout and "blocks:" in done.stdout


def test_a_run_prints_its_scores_its_directory_and_the_tensorboard_command(command: Command, tmp_path: Path) -> None:
    done = command(*TINY)
    assert done.returncode == 0, done.stderr
    for part in (
        "hardware: ",
        "epoch 1/1  val/accuracy ",
        "accuracy",
        "run:    outputs/mlp_shapes/",
        "tensorboard --logdir",
    ):
        assert part in done.stdout
    assert done.stderr == ""
    assert len(list(tmp_path.glob("outputs/mlp_shapes/*/summary.json"))) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outputs"]


def test_check_shows_the_size_and_writes_nothing(command: Command, tmp_path: Path, cifar10_root: Path) -> None:
    done = command("model=resnet18", "data=cifar10", "check=true", "data.batch_size=8", "data.eval_batch_size=8",
                   TRAINYARD_DATA=str(cifar10_root))  # fmt: skip
    assert done.returncode == 0, done.stderr
    for part in ("11,173,962", "FLOPs:        1.11 G", "memory:       about", "nothing was written"):
        assert part in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["model=resnet19"], "error: model=resnet19 is not an option. Did you mean resnet18"),
        (["optimizer.lrr=1"], "error: optimizer.lrr is not a key of the config. Did you mean optimizer.lr?"),
        (["+model.widhts=[3]", "model=mlp"], "MLP takes no argument widhts. Did you mean widths?"),
        (["model=cnn", "data=xor"], "error: model=cnn with data=xor: the CNN takes images"),
        (["data=image_folder"], "error: data.root is required: set data.root=..."),
        (["optimizer.lr=-1"], "error: optimizer=adamw and scheduler=cosine: Invalid learning rate: -1"),
        (["--config-dir", "nowhere"], "error: --config-dir nowhere is not a folder"),
        (["data=cifar10", "data.download=false"], "error: CIFAR-10 is not in"),
    ],
)
def test_a_mistake_is_one_sentence(command: Command, tmp_path: Path, words: list[str], answer: str) -> None:
    done = command(*words, TRAINYARD_DATA=str(tmp_path))
    assert answer in done.stderr
    assert "Traceback" not in done.stderr and "(debug=true shows the traceback)" in done.stderr
    assert done.returncode == 1
    assert not list(tmp_path.iterdir())


def test_a_broken_file_met_by_a_worker_is_one_sentence(command: Command, image_root: Path, tmp_path: Path) -> None:
    (image_root / "train" / "dark" / "3.png").write_bytes(b"not an image")
    words = [
        "data=image_folder",
        f"data.root={image_root}",
        "data.in_memory_bytes=0",
        "data.decode=every_epoch",
        "model=mlp",
        "data.num_workers=2",
    ]
    done = command(*words, "hardware.threads=1", "run.dir=here")
    assert "train/dark/3.png cannot be read as an image" in done.stderr and "Traceback" not in done.stderr
    assert "Traceback" in (tmp_path / "here" / "run.log").read_text()


@pytest.mark.parametrize("word", ["model=resnet19", "optimizer.lr=-1"])
def test_debug_shows_the_traceback(command: Command, word: str) -> None:
    done = command(word, "debug=true")
    assert "Traceback" in done.stderr and done.returncode == 1


def test_multirun_gives_each_job_a_directory(command: Command, tmp_path: Path) -> None:
    done = command("-m", *TINY, "seed=1,2")
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("outputs/sweeps/seed-*/000[01]/summary.json"))) == 2


def test_multirun_ends_with_a_table_of_what_differs(command: Command, tmp_path: Path) -> None:
    done = command("-m", *TINY, "optimizer=sgd,adam", "seed=1,2", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    last = done.stdout.rpartition("MLP on Shapes, highest val/accuracy first; means over 2 seeds\n")[2]
    assert " optimizer=sgd " in last and " optimizer=adam " in last
    assert last.count("/{0000,0001}\n") == 1 and last.count("/{0002,0003}\n") == 1
    assert "4 done" in last and "│ body.1 │" not in done.stdout
    logs = [file.read_text() for file in tmp_path.glob("outputs/sweeps/optimizer_seed-*/????/run.log")]
    assert len(logs) == 4 and all("│ body.1 │" in text for text in logs)


def test_evaluate_and_plot_from_the_command_line(tmp_path: Path, run) -> None:
    trainyard = partial(processes.run, processes.trainyard, folder=tmp_path)

    done = trainyard("evaluate", str(run.path))
    assert "(a part of the split: 2 batches of it)" in done.stdout and run.summary["limited"]["val"] == (
        "2 batches of it"
    )
    assert "test/accuracy" in done.stdout, done.stderr
    assert trainyard("plot", "augment", "data.size=200", "out=grid.png").returncode == 0
    assert (tmp_path / "grid.png").stat().st_size > 10_000
    assert "trainyard: evalute is unknown. Did you mean evaluate?" in trainyard("evalute").stderr
    assert "error: nowhere is not a run" in trainyard("evaluate", "nowhere").stderr
    assert "error: latest: there is no finished run below outputs" in trainyard("evaluate", "latest").stderr
    assert "last.ckpt of a run; name the run directory" in trainyard("generate", "some.ckpt").stderr
    assert "data=xor has no images" in trainyard("plot", "augment", "data=xor").stderr


def test_on_a_terminal_the_epoch_lines_stand_beside_the_progress_bar(tmp_path: Path) -> None:
    terminal, inside = pty.openpty()
    words = [*TINY, "trainer.max_epochs=3", "+callbacks.progress_bar.refresh_rate=50", "run.dir=here"]
    process = Process(processes.train, words, tmp_path, os.ttyname(inside), COLUMNS="80")
    shown = b""
    while select.select([terminal], [], [], 1)[0] or process.returncode is None:
        shown += os.read(terminal, 10_000)
    process.communicate()
    assert process.returncode == 0
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown.decode()))
    bars = [line for line in lines if re.search(r"\d/\d+ .* • ", line)]
    pattern = r"epoch [123]/3 *[━╸╺]+ +\d+/\d+ +0:00:\d\d • .{7} loss: \d+\.\d{4} lr: [\d.e-]+ *"
    assert any(re.fullmatch(pattern, bar) for bar in bars) and not any("Epoch" in bar for bar in bars)
    beside = [line for line in lines if re.match(r"epoch \d/3  ", line)]
    pattern = r"epoch (\d)/3  val/accuracy \S+  val/loss \S+  train/loss \S+  \S+ s *"
    assert [match[1] for line in beside if (match := re.fullmatch(pattern, line))] == ["1", "2", "3"]
    assert max(map(len, [*bars, *beside])) <= 80
    log = (tmp_path / "here" / "run.log").read_text()
    assert len(re.findall(r"epoch \d/3  .*train/accuracy", log)) == 3  # the file has what did not fit


@pytest.mark.parametrize("word", ["callbacks.progress_bar=null", "trainer.enable_progress_bar=false", "callbacks=none"])
def test_without_a_progress_bar_there_is_none(word: str, command: Command) -> None:
    done = command(*TINY, word)
    assert done.returncode == 0 and "•" not in done.stdout + done.stderr


def test_ctrl_c_ends_a_training_at_once(tmp_path: Path) -> None:
    process = Process(processes.train, [*TINY, "trainer.max_epochs=100000", "run.dir=here"], tmp_path)
    while "epoch" not in (line := process.stdout.readline()):
        assert line, process.stderr.read()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
    assert process.returncode == 130
    assert errors.strip().startswith("SIGINT: writing a resume point") and "Traceback" not in errors
    assert "stopped; continue with: trainyard train resume=" in output
    assert not (tmp_path / "here" / "summary.json").exists()


def test_train_py_runs_in_an_interpreter_of_its_own(tmp_path: Path) -> None:
    """What the other tests fork from a server that has imported everything, this one starts as its user does."""
    call = [sys.executable, str(ROOT / "train.py"), *TINY]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "tensorboard --logdir" in done.stdout
    module = [sys.executable, "-m", "trainyard", "evaluate", str(next(tmp_path.glob("outputs/*/*")))]
    done = subprocess.run(module, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "test/accuracy" in done.stdout, done.stderr


def test_train_py_is_short() -> None:
    assert len((ROOT / "train.py").read_text().splitlines()) < 40
