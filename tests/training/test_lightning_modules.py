"""LightningModules and LightningDataModules of other people, as they are: Lightning's demos and those of others.py."""

import logging
from pathlib import Path

import processes
import pytest

import trainyard
from trainyard.cli.main import run_command
from trainyard.errors import UserError
from trainyard.loggers.metrics_lines import read_metrics

DEMOS = "lightning.pytorch.demos"
BORING = ["model=lightning", f"model._target_={DEMOS}.boring_classes.BoringModel", "data=lightning"]
DIGITS = ["data=lightning", "data.module={_target_: others.Digits}"]
CLASSIFIER = ["model=lightning", "model._target_=others.Classifier", *DIGITS, "monitor=valid_loss"]
GAN = ["model=lightning", "model._target_=others.GAN", *DIGITS]


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    return ["trainer.max_epochs=2", "hardware=cpu", "hardware.threads=1", f"run.root={tmp_path}/outputs"]


@pytest.mark.parametrize("name", ["BoringModel", "ManualOptimBoringModel"])
def test_lightnings_boring_model_with_its_own_loaders(name: str, words: list[str], caplog) -> None:
    caplog.set_level(logging.INFO, logger="trainyard")
    run = trainyard.train([*words, *BORING, f"model._target_={DEMOS}.boring_classes.{name}"])
    assert (run.summary["epochs"], run.summary["steps"], run.summary["score"]) == (2, 128, None)
    assert run.summary["parameters"] == 32 * 2 + 2
    assert f"no score of {name} is monitored, so that its last weights are kept and tested; it logs none" in caplog.text
    assert f"{name} is no task of Trainyard: a resumed run starts its last epoch again" in caplog.text
    assert run.evaluate() == {} and not run.task().training


def test_lightnings_boring_data_module(words: list[str]) -> None:
    data = f"data.module={{_target_: {DEMOS}.boring_classes.BoringDataModule}}"
    run = trainyard.train([*words, *BORING, data])
    assert run.summary["steps"] == 128


def test_data_of_unknown_length(words: list[str]) -> None:
    data = f"data.module={{_target_: {DEMOS}.boring_classes.BoringDataModuleNoLen}}"
    run = trainyard.train([*words, *BORING, data, "trainer.limit_train_batches=20", "trainer.limit_val_batches=3"])
    assert run.summary["steps"] == 40


def test_lightnings_transformer_with_its_own_text(words: list[str], tmp_path: Path, monkeypatch, caplog) -> None:
    """It has no validation and no test, and reads a file that it would download."""
    caplog.set_level(logging.INFO, logger="trainyard")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "wikitext-2.txt").write_text("so it goes on and on\n" * 60)
    target = f"model._target_={DEMOS}.transformer.LightningTransformer"
    run = trainyard.train([*words, "model=lightning", target, "+model.vocab_size=8", "data=lightning"])
    assert run.summary["steps"] == 22 and run.summary["test"] == {}
    assert "nothing is tested: LightningTransformer has no test_step" in caplog.text


def test_a_classifier_is_trained_monitored_tested_and_reopened(words: list[str], capsys) -> None:
    run = trainyard.train([*words, *CLASSIFIER, "trainer.max_epochs=6"])
    rows = read_metrics(run.path)
    losses = [row["valid_loss"] for row in rows if "valid_loss" in row]
    assert run.summary["score"] == min(losses) and run.summary["monitor"] == "val/loss"
    assert run.summary["best"]["val/acc"] > 0.6 and run.summary["test"].keys() == {"test/loss", "test/acc"}
    assert any("lr-Adam" in row for row in rows) and any("norm/gradient" in row for row in rows)
    assert run.evaluate()["test_loss"] == pytest.approx(run.summary["test"]["test/loss"])
    for command in (["ls", "."], ["report", str(run.path)], ["show", str(run.path)], ["evaluate", str(run.path)]):
        run_command(command)
    assert "Classifier" in capsys.readouterr().out
    with pytest.raises(UserError, match="Classifier has steps of its own, so that what it predicts is not known"):
        run.predict([[0.0] * 8])


def test_a_gan_with_two_optimizers_by_hand(words: list[str]) -> None:
    run = trainyard.train([*words, *GAN, "+model.latent_dim=3", "monitor=g_loss"])
    assert run.summary["steps"] == 2 * 2 * 6  # two optimizers, two epochs, six batches
    assert run.summary["score"] == min(row["g_loss"] for row in read_metrics(run.path) if "g_loss" in row)
    assert run.task().generator[0].in_features == 3


def test_modules_as_arguments_and_plain_loaders(words: list[str]) -> None:
    linear = "{{_target_: torch.nn.Linear, in_features: {}, out_features: {}}}"
    parts = [f"+model.encoder={linear.format(8, 2)}", f"+model.decoder={linear.format(2, 8)}"]
    model = ["model=lightning", "model._target_=others.AutoEncoder", *parts]
    loaders = [f"data.{split}={{_target_: others.loader}}" for split in ("train", "val")]
    run = trainyard.train([*words, *model, "data=lightning", *loaders, "monitor=val_loss"])
    assert run.summary["score"] == run.summary["best"]["val/loss"] and run.summary["test"] == {}


def test_a_data_module_for_a_network_of_trainyards(words: list[str]) -> None:
    data = [*DIGITS, "data.shape=[8]", "data.num_classes=4"]
    run = trainyard.train([*words, *data, "model=mlp", "optimizer.lr=0.05", "trainer.max_epochs=4"])
    assert run.summary["best"]["val/accuracy"] > 0.6
    assert run.evaluate() == pytest.approx(run.summary["test"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["monitor=val_loss"], r"val_loss is not a score of Classifier. Did you mean valid_loss .* It has .*valid_acc"),
        (["model._target_=torch.nn.ReLU"], "ReLU is no LightningModule: a network needs another task"),
        (["optimizer=sgd"], "Classifier makes its own optimizers .configure_optimizers.; leave out optimizer"),
        (["model._target_=others.Klassifier"], "others has no Klassifier. Did you mean Classifier"),
        (["model._target_=nowhere.Net"], "there is no package nowhere"),
        (["+model.widht=3"], "takes no argument widht. Did you mean width"),
        (["data.module=null"], "Classifier has no train_dataloader: name its data, as \\+data.module._target_"),
        (["data.module={_target_: others.loader}"], "data.module is DataLoader, no LightningDataModule"),
        (["data.train={_target_: others.loader}"], "data.module has loaders of its own"),
        (["pretrained=x.ckpt"], "Classifier reads its own weights"),
        (["callbacks=finetune"], "callbacks=finetune freezes the network of a task"),
        (["model._target_=others.GAN", "monitor=null", "trainer.gradient_clip_val=1.0"], "GAN fails on its first"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_the_run(
    changed: list[str], message: str, words: list[str], tmp_path: Path
) -> None:
    with pytest.raises((UserError, ValueError), match=message):
        trainyard.train([*words, *CLASSIFIER, *changed])
    assert not (tmp_path / "outputs").exists()


def test_a_run_is_the_beginning_of_another_one(words: list[str], tmp_path: Path) -> None:
    """A config without an optimizer is taken over as well."""
    first = trainyard.train([*words, *CLASSIFIER, "+model.lr=0.05"])
    again = trainyard.train([f"like={first.path}", f"run.root={tmp_path}/again"])
    assert again.summary["best"] == first.summary["best"] and again.cfg.model.lr == 0.05


@pytest.mark.slow
def test_a_sweep_ranks_by_the_modules_own_score(words: list[str], tmp_path: Path) -> None:
    sweep = ["-m", "sweep=search", "hydra.sweeper.n_trials=2", "hydra.sweeper.plots=false"]
    done = processes.run(processes.train, *sweep, *words, *CLASSIFIER, "+model.lr=choice(1e-4,5e-2)", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (best,) = tmp_path.glob("outputs/sweeps/*/best.yaml")
    assert "valid_loss" in best.read_text() and "monitor: valid_loss" in best.read_text()
    done = processes.run(processes.train, *sweep, *words, *GAN, "+model.lr=choice(1e-4,5e-2)", folder=tmp_path)
    assert "a sweep ranks its runs by a score, and monitor=null names none" in done.stderr


def test_an_infinite_loss_stops_it(words: list[str]) -> None:
    with pytest.raises(UserError, match=r"(?s)loss has not been finite.*origin: the (weights|training_step)"):
        trainyard.train([*words, *CLASSIFIER, "+model.lr=1e30", "trainer.max_epochs=6"])
