"""Every choice in conf/ composes, builds and trains, so that a new YAML is tested the moment it exists."""

import inspect
import json
import math
from pathlib import Path

import lightning
import pytest
import torch
import yaml
from conftest import ROOT, need_package, options
from published_copies import SETS, write_copy

import trainyard
from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate, instantiate_task
from trainyard.config.resolve import resolve

SHAPES = ["data=shapes", "data.size=200", "data.test_size=100"]
TEXT = {
    "imdb": "bow",
    "reviews": "gru",
    "text_folder": "lstm",
    "csv": "gpt",
    "imdb_lm": "gpt",
    "imdb_mlm": "bert",
    "imdb_rtd": "electra",
    "hf_text": "gru",
}  # a network for each dataset of text
HOME = {  # a network's own data, where shapes will not do
    "perceptron": ["data=xor"], "autoencoder": SHAPES, "bert": ["data=imdb_mlm"], "electra": ["data=imdb_rtd"],
    "gpt": ["data=imdb_lm"],
    "hf_text": ["data=imdb_mlm"], "hf_causal": ["data=imdb_lm"],
    **{model: ["data=imdb"] for model in ("lstm", "gru", "bow", "nb_bow", "transformer", "hypergraph")},
}  # fmt: skip
THEIRS = "lightning"  # other people's modules and data: tests/training/test_lightning_modules.py
HOUSES = ROOT / "tests" / "durability" / "houses.csv"
ONCE = ["trainer.max_epochs=1", *(f"trainer.limit_{split}_batches=1" for split in ("train", "val", "test"))]
HARDWARE = {"gpu": torch.cuda.is_available, "mps": torch.backends.mps.is_available}


@pytest.mark.parametrize("model", [model for model in options("model") if model != THEIRS])
def test_every_model_trains(model: str, short: list[str], small_imdb: Path) -> None:
    need_package(model)
    run = trainyard.train([*short, *ONCE, *HOME.get(model, SHAPES), f"model={model}"])
    assert math.isfinite(run.summary["test"]["test/loss"])
    assert run.summary["steps"] > 0


@pytest.mark.parametrize("model", [model for model in options("model") if model not in (*HOME, THEIRS)])
def test_untrained_model_is_uncertain(model: str) -> None:
    """Before training, the loss is near log(number of classes): the initial weights have a sane scale."""
    need_package(model)
    torch.manual_seed(0)
    composed = compose([f"model={model}", *SHAPES, "data.batch_size=32"])
    cfg = resolve(composed)
    task, data = instantiate_task(cfg, composed.choices), instantiate(cfg.data, "data")
    data.setup("fit")
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert task.score(batch).loss.item() == pytest.approx(math.log(10), rel=0.25)


@pytest.mark.parametrize("scheduler", options("scheduler"))
@pytest.mark.parametrize("optimizer", options("optimizer"))
def test_every_optimizer_and_scheduler_trains(optimizer: str, scheduler: str, short: list[str]) -> None:
    words = ["model=mlp", "model.widths=[8]", f"optimizer={optimizer}", f"scheduler={scheduler}"]
    run = trainyard.train([*short, *SHAPES, *words])
    assert run.summary["steps"] == 4


@pytest.mark.parametrize("callbacks", options("callbacks"))
def test_every_set_of_callbacks_trains(callbacks: str, short: list[str]) -> None:
    run = trainyard.train([*short, *SHAPES, "model=mlp", f"callbacks={callbacks}"])
    assert (run.path / "checkpoints" / "best.ckpt").exists() == (callbacks != "none")


@pytest.mark.parametrize("logger", [*options("logger"), "[tensorboard,csv]"])
def test_every_logger_trains(logger: str, short: list[str]) -> None:
    if (package := {"wandb": "wandb", "mlflow": "mlflow", "comet": "comet_ml", "aim": "aim"}.get(logger)) is not None:
        pytest.importorskip(package, reason=f"the extra {logger} is not installed")
    offline = {"wandb": ["logger.wandb.offline=true"], "comet": ["logger.comet.online=false"]}.get(logger, [])
    run = trainyard.train([*short, *SHAPES, "model=mlp", f"logger={logger}", *offline])
    assert bool(list(run.path.glob("events.out.*"))) == ("tensorboard" in logger)
    assert (run.path / "metrics.csv").exists() == ("csv" in logger)
    assert (run.path / "metrics.jsonl").exists()


@pytest.mark.parametrize("hardware", options("hardware"))
def test_every_hardware_trains_or_says_why_not(hardware: str, short: list[str]) -> None:
    net = ["model=resnet18", "model.width=4"] if hardware == "fsdp" else ["model=mlp"]  # the first needs blocks
    words = [*short, *SHAPES, *net, f"hardware={hardware}"]
    if HARDWARE.get(hardware, lambda: True)():
        trainyard.train(words)
    else:
        with pytest.raises(Exception, match=f"hardware.accelerator={hardware} needs .* finds none .* hardware=cpu"):
            trainyard.train(words)


@pytest.mark.parametrize("data", [data for data in options("data") if data != THEIRS])
def test_every_data_set_trains(
    data: str,
    short: list[str],
    small_imdb: Path,
    image_root: Path,
    text_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = {
        "cifar10": [f"data.root={small_imdb}"], "image_folder": [f"data.root={image_root}"],
        "tabular": [f"data.path={text_root}/train.csv", "data.categories=[text]"],
        "text_folder": [f"data.root={text_root}"], "csv": [f"data.root={text_root}", "data.classes=[bad,good]"],
        "hf_text": [f"data.path={text_root}", f"data.cache={text_root}"],
        "hf_dataset": [f"data.path={HOUSES}", "data.input=[size]", "data.target=color"],
        "dataset": ["data.train._target_=torchvision.datasets.FakeData", "+data.train.image_size=[3,8,8]"],
    }.get(data, [])  # fmt: skip
    if data.startswith("hf_"):
        pytest.importorskip("datasets", reason="the extra datasets is not installed")
    if data in SETS:
        write_copy(data, tmp_path, monkeypatch)
        root = [f"data.root={tmp_path}"]
    model = [f"model={TEXT[data]}"] if data in TEXT else ["model=mlp", "model.widths=[8]"]
    run = trainyard.train([*short, *model, f"data={data}", *root])
    assert math.isfinite(run.summary["test"]["test/loss"])


@pytest.mark.parametrize("experiment", options("experiment"))
def test_every_experiment_trains(experiment: str, short: list[str], small_imdb: Path) -> None:
    limits = [word for word in short if not word.startswith("data.batch_size")]  # the recipe's own batch size
    run = trainyard.train([f"experiment={experiment}", "pretrained=null", *limits, *ONCE])
    assert run.path.parent.name == experiment
    assert run.summary["epochs"] == 1 and math.isfinite(run.summary["test"]["test/loss"])


@pytest.mark.parametrize("group", [group.name for group in (ROOT / "conf").iterdir() if group.is_dir()])
def test_targets_are_real_import_paths_in_files_of_that_name(group: str) -> None:
    for option in options(group):
        nodes = yaml.safe_load((ROOT / "conf" / group / f"{option}.yaml").read_text())
        target = nodes.get("_target_", "")
        if target.startswith("trainyard."):
            *_, file, name = target.split(".")
            assert file.replace("_", "") in name.lower() or name == file or group == "scheduler", target


def test_every_trainer_argument_stands_in_the_config() -> None:
    """So that each can be set without a plus sign; callbacks and logger are groups of their own."""
    known = set(inspect.signature(lightning.Trainer.__init__).parameters) - {"self", "callbacks", "logger"}
    assert set(compose([]).cfg.trainer) - {"_target_"} == known


def test_trainer_defaults_are_lightnings_own_but_for_those_decided_here() -> None:
    decided = {
        "accelerator", "devices", "precision", "deterministic", "default_root_dir", "max_epochs", "log_every_n_steps",
        "num_sanity_val_steps", "enable_model_summary", "enable_autolog_hparams", "use_distributed_sampler",
    }  # fmt: skip
    theirs = inspect.signature(lightning.Trainer.__init__).parameters
    ours = resolve(compose(["run.dir=x"])).trainer
    assert {key for key in theirs if key in ours and ours[key] != theirs[key].default} <= decided


@pytest.mark.parametrize(
    ("model", "data", "parameters"),
    [("resnet18", "cifar10", 11_173_962), ("mlp", "xor", 512 * 3 + 256 * 513 + 257), ("perceptron", "xor", 3)],
)
def test_parameter_counts(model: str, data: str, parameters: int) -> None:
    net = instantiate(resolve(compose([f"model={model}", f"data={data}", "run.dir=x"])).model, "model")
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_summary_is_json_with_scores_by_their_logged_names(run: trainyard.Run) -> None:
    summary = json.loads((run.path / "summary.json").read_text())
    assert summary["score"] == summary["best"]["val/accuracy"]
    assert {"test/accuracy", "test/loss", "test/f1", "test/accuracy_top5"} <= set(summary["test"])
