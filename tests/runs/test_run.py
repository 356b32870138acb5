"""A run directory: what it holds, and what can be done with it."""

import json
import subprocess
from pathlib import Path

import pytest
import torch
import yaml
from lightning import Callback
from lightning.pytorch.callbacks import BatchSizeFinder
from PIL import Image
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

import trainyard
from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics
from trainyard.machine import ACCELERATORS
from trainyard.runs.provenance import changes

WORDS = ["model=mlp", "data=shapes", "data.size=200", "data.test_size=100"]


def test_it_holds_all_that_one_needs_to_know(run: trainyard.Run) -> None:
    names = {file.name for file in run.path.iterdir()}
    assert {
        "config.yaml", "config.resolved.yaml", "overrides.yaml", "environment.json", "run.log", "metrics.jsonl",
        "summary.json", "checkpoints",
    } <= names  # fmt: skip
    assert {file.name for file in (run.path / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert "${" in (run.path / "config.yaml").read_text()
    assert "${" not in (run.path / "config.resolved.yaml").read_text()
    assert "model=mlp" in yaml.safe_load((run.path / "overrides.yaml").read_text())
    environment = json.loads((run.path / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__.split("+")[0]
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    assert environment["git_commit"] == (head or None)
    said = (run.path / "run.log").read_text()
    assert "epoch 2/2" in said and "weights_only" not in said


def test_texts_longer_than_the_network_reads_are_refused(short: list[str]) -> None:
    message = "model=gpt with data=reviews: data.max_length=9 is greater than model.max_length=8; lower the first"
    with pytest.raises(UserError, match=message):
        trainyard.train([*short, "model=gpt", "data=reviews", "data.max_length=9", "model.max_length=8"])


def test_names_and_places_can_be_chosen(short: list[str], tmp_path: Path) -> None:
    named = trainyard.train([*short, *WORDS, "run.name=mine"])
    assert named.path.parent.name == "mine"
    placed = trainyard.train([*short, *WORDS, f"run.dir={tmp_path}/here"])
    assert placed.path == tmp_path / "here"
    with pytest.raises(UserError, match="here contains another run: seed is 0 there and 1 here"):
        trainyard.train([*short, *WORDS, "seed=1", f"run.dir={tmp_path}/here"])


def test_two_runs_in_one_second_get_two_directories(short: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from trainyard.runs import directory as module

    class Frozen(module.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 31, 12)

    monkeypatch.setattr(module, "datetime", Frozen)
    one, two = (trainyard.train([*short, *WORDS, "run.name=same"]) for _ in range(2))
    assert one.path.name[:19] == two.path.name[:19] == "2026-01-31_12-00-00"
    assert one.path != two.path


def test_the_same_seed_gives_the_same_run_and_another_does_not(short: list[str]) -> None:
    def weights(seed: int) -> torch.Tensor:
        run = trainyard.train([*short, *WORDS, "data.augment=strong", f"seed={seed}"])
        return torch.cat([p.flatten() for p in run.task("last").net.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_the_best_weights_are_tested_not_the_last(short: list[str]) -> None:
    """A rate that explodes after the first epoch: the summary's test score is the first epoch's."""
    words = ["scheduler=step", "scheduler.step_size=1", "scheduler.gamma=1e3", "monitor=val/loss", "mode=min"]
    run = trainyard.train([*short, *WORDS, *words, "trainer.max_epochs=3"])
    assert run.summary["best_epoch"] == 0
    assert run.summary["test"]["test/loss"] < 10
    rows = [row["val/loss"] for row in read_metrics(run.path) if "val/loss" in row]
    assert rows[-1] is None or rows[-1] > 100


def test_evaluate_finds_the_scores_of_the_summary_again(short: list[str]) -> None:
    whole = [word for word in short if "limit_" not in word]
    run = trainyard.train([*whole, *WORDS])
    assert run.evaluate("test") == pytest.approx(run.summary["test"])
    assert run.evaluate("val") == pytest.approx(run.summary["best"])


def test_predict_gives_probabilities(run: trainyard.Run, short: list[str]) -> None:
    images = torch.randint(256, (5, 3, 32, 32), dtype=torch.uint8)
    probabilities = trainyard.Run(run.path).predict(images)
    assert probabilities.shape == (5, 10)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(5))
    gate = trainyard.train([*short, "model=mlp", "data=xor"])
    assert gate.predict(torch.tensor([[0.0, 1.0], [1.0, 1.0]])).shape == (2, 2)
    torch.testing.assert_close(run.predict(images.numpy()), probabilities)


def test_predict_reads_images_of_any_size_as_the_tensors_that_they_are(run: trainyard.Run, tmp_path: Path) -> None:
    pixels = torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8)
    images = [Image.fromarray(each.permute(1, 2, 0).numpy()) for each in pixels]
    images[0].save(tmp_path / "image.png")
    expected = run.predict(pixels)
    torch.testing.assert_close(run.predict([tmp_path / "image.png", *images[1:]]), expected)
    torch.testing.assert_close(run.predict(str(tmp_path / "image.png")), expected[:1])
    torch.testing.assert_close(run.predict(pixels, batch_size=2, device="cpu"), expected)
    assert run.predict([images[0].resize((50, 40)).convert("L")]).shape == (1, 10)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (torch.rand(2, 3, 32, 32), r"the images are torch.float32, and predict takes uint8 from 0 to 255"),
        (
            torch.zeros(2, 1, 32, 32, dtype=torch.uint8),
            r"the images are \(2, 1, 32, 32\), and predict takes \(N, 3, 32, 32\)",
        ),
        (Path("cat.png"), "cat.png cannot be read as an image"),
        (["cat", 1], "predict takes a tensor or an array here, not list"),
        (torch.empty(0, 3, 32, 32, dtype=torch.uint8), "there is nothing to predict"),
    ],
)
def test_what_cannot_be_predicted_right_is_refused(inputs, message: str, run: trainyard.Run) -> None:
    with pytest.raises(UserError, match=message):
        run.predict(inputs)


def test_last_is_the_last_epoch_even_without_a_validation(short: list[str]) -> None:
    run = trainyard.train([*short, *WORDS, "trainer.check_val_every_n_epoch=2", "trainer.max_epochs=3"])
    assert torch.load(run.path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 6


def test_a_training_that_ends_before_its_first_validation_is_validated(short: list[str]) -> None:
    run = trainyard.train([*short, *WORDS, "trainer.max_steps=1"])
    assert run.summary["score"] is not None and run.summary["steps"] == 1
    assert run.evaluate("val").keys() == run.summary["best"].keys()


def test_a_training_without_lr_in_its_config_has_a_row_of_hparams(short: list[str]) -> None:
    assert trainyard.train([*short, *WORDS, "~optimizer.lr"]).summary["steps"] > 0


def test_tensorboard_shows_scalars_and_one_row_of_hparams_with_real_scores(run: trainyard.Run) -> None:
    events = EventMultiplexer().AddRunsFromDirectory(str(run.path.parents[1])).Reload()
    names = {Path(name).name: name for name in events.Runs() if run.path.name in name}
    assert names.keys() == {run.path.name, "train", "val", "test", "best"}  # no run beside it: not one for hparams
    name = names[run.path.name]
    assert {"lr/matrices", "norm/gradient", "norm/weights"} <= set(events.Runs()[name]["scalars"])
    for stage in ("train", "val", "test", "best"):  # in one chart
        assert {"curves/loss", "curves/accuracy"} <= set(events.Runs()[names[stage]]["scalars"])
    (tested,) = events.Scalars(names["test"], "curves/accuracy")
    assert tested.value == pytest.approx(run.summary["test"]["test/accuracy"])
    assert len(events.Scalars(names["val"], "curves/accuracy")) == run.summary["epochs"]
    assert events.Scalars(names["best"], "curves/accuracy")[0].value == pytest.approx(run.summary["score"])
    assert {"experiment", "session_start_info", "session_end_info"} <= {
        tag.rsplit("/", 1)[-1].strip("_") for tag in events.GetAccumulator(name).summary_metadata if "hparams" in tag
    }


def test_a_directory_that_is_not_a_run_is_refused(tmp_path: Path, run: trainyard.Run) -> None:
    with pytest.raises(UserError, match=r"is not a run: it has no config.resolved.yaml"):
        trainyard.Run(tmp_path)
    with pytest.raises(UserError, match=r"has no checkpoints/bset.ckpt"):
        run.task("bset")


def test_a_monitor_that_is_better_when_lower_needs_min(short: list[str]) -> None:
    with pytest.raises(UserError, match="monitor=val/loss with mode=max would keep the worst weights; set mode=min"):
        trainyard.train([*short, *WORDS, "monitor=val/loss", "mode=max"])


def test_a_score_of_ones_own_has_the_direction_that_one_says_and_the_test_set_is_not_watched(short: list[str]) -> None:
    for mode in ("min", "max"):
        with pytest.raises(UserError, match="monitor=val/mine is not a score of this task"):
            trainyard.train([*short, *WORDS, "monitor=val/mine", f"mode={mode}"])
    with pytest.raises(
        UserError, match="monitor=test/accuracy: the test set is read once, at the end; monitor a score"
    ):
        trainyard.train([*short, *WORDS, "monitor=test/accuracy"])


@pytest.mark.parametrize(
    "words", [["monitor=val/acuracy"], ["callbacks=early_stopping", "callbacks.early_stopping.monitor=x"]]
)
def test_a_monitor_that_nothing_logs_is_refused_before_training(words: list[str], short: list[str]) -> None:
    with pytest.raises(UserError, match=r"monitor=(val/acuracy|x) is not a score of this task. .*It has train/loss"):
        trainyard.train([*short, *WORDS, *words])


def test_a_refusal_leaves_no_directory(short: list[str], tmp_path: Path) -> None:
    words = ["trainer.overfit_batches=-1", "trainer.max_epochs=abc", "hardware.devices=2000", "optimizer.lr=-1"]
    words += ["hardware.precision=8", "data.augment=x", "callbacks.best.mode=x"]
    for word in words:
        with pytest.raises(UserError):
            trainyard.train([*short, *WORDS, f"run.root={tmp_path}", word])
    assert not list(tmp_path.iterdir())


class MyFinder(BatchSizeFinder):
    """A subclass of the user's own."""


@pytest.mark.parametrize(
    "finder", ["lightning.pytorch.callbacks.BatchSizeFinder", "lightning.pytorch.callbacks.LearningRateFinder",
               "test_run.MyFinder"],
)  # fmt: skip
def test_lightnings_tuners_are_refused(finder: str, short: list[str], tmp_path: Path) -> None:
    for more in ([], ["check=true"]):
        words = [f"+callbacks.tuner={{_target_: {finder}}}", f"run.root={tmp_path}", *more]
        with pytest.raises(UserError, match=r"Finder trains and changes .* data.batch_size=.* optimizer.lr="):
            trainyard.train([*short, *WORDS, *words])
    assert not list(tmp_path.iterdir())


def test_longer_texts_than_a_trained_network_reads_are_refused(short: list[str], tmp_path: Path) -> None:
    words = ["model=transformer", "data=reviews", "data.size=200", "data.test_size=100", "data.max_length=8"]
    run = trainyard.train([*short, *words, "model.dim=8", "model.depth=1", f"run.dir={tmp_path}/here"])
    with pytest.raises(UserError, match=r"data.max_length=9 is greater than model.max_length=8; lower the first, as"):
        trainyard.Run(run.path, ["data.max_length=9"]).task()


def test_without_callbacks_there_is_no_checkpoint_and_without_tensorboard_no_hint_at_curves(
    short: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = trainyard.train([*short, *WORDS, "callbacks=none", "logger=none", f"run.dir={tmp_path}/here"])
    assert not list(run.path.rglob("*.ckpt")) and "curves:" not in caplog.text


def test_the_first_logger_is_the_one_that_other_callbacks_use(short: list[str], tmp_path: Path) -> None:
    class Picture(Callback):
        def on_train_end(self, trainer, pl_module) -> None:
            trainer.logger.experiment.add_text("x", "y")

    values = "+callbacks.picture={_target_: test_run.Picture}"
    globals()["Picture"] = Picture
    assert trainyard.train([*short, *WORDS, values, f"run.dir={tmp_path}/here"]).summary["epochs"] == 2


def test_an_accelerator_that_is_asked_for_is_used_or_refused(run: trainyard.Run) -> None:
    absent = next(name for name, is_here in ACCELERATORS.items() if not is_here())
    with pytest.raises(UserError, match=f"hardware.accelerator={absent} needs"):
        trainyard.Run(run.path, [f"hardware.accelerator={absent}"]).evaluate("val")


def test_the_package_shows_its_names(run: trainyard.Run) -> None:
    assert {"Run", "load", "train", "__version__"} <= set(dir(trainyard))
    assert repr(run) == f"Run('{run.path}')"
    with pytest.raises(UserError, match=r"train takes a list of overrides: train\(\['model=mlp'\]\)"):
        trainyard.train("model=mlp")  # pyright: ignore


def test_untracked_source_files_are_part_of_the_diff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a checkout that nobody has committed yet, but not the files of runs."""
    monkeypatch.chdir(tmp_path)
    for words in (
        ["init", "-q"],
        ["-c", "user.name=x", "-c", "user.email=x", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *words], check=True)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "new_net.py").write_text("width = 7\n")
    (tmp_path / "notes.txt").write_text("not code\n")
    (tmp_path / "outputs").mkdir()
    for name in ("config.yaml", "config.resolved.yaml"):
        (tmp_path / "outputs" / name).write_text("seed: 0\n")
    monkeypatch.chdir(tmp_path / "lib")
    text = changes().decode()
    assert "+++ b/lib/new_net.py" in text and "+width = 7" in text and "notes" not in text and "outputs" not in text


def test_a_callback_that_monitors_a_validation_needs_one(short: list[str]) -> None:
    words = ["callbacks=early_stopping", "trainer.limit_val_batches=0", "monitor=train/loss", "mode=min"]
    with pytest.raises(UserError, match="validates nothing, and callbacks.early_stopping monitors val/loss; set"):
        trainyard.train([*(word for word in short if "limit_val" not in word), *WORDS, *words])


def test_a_run_in_double_precision_is_evaluated_and_predicts_in_it(short: list[str]) -> None:
    whole = [word for word in short if "limit_" not in word]
    run = trainyard.train([*whole, *WORDS, "model.widths=[8]", "hardware.precision=64-true"])
    assert next(run.task().net.parameters()).dtype == torch.float64
    assert run.evaluate("test") == pytest.approx(run.summary["test"], abs=1e-12)
    assert run.predict(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).dtype == torch.float64
