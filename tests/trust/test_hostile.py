"""A run directory from someone else is data: nothing in it runs, and what is wrong with it is said in a sentence."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import processes
import pytest
import torch
import yaml
from conftest import ROOT, need_package, options
from payloads import ALL, BEST, CONFIG, SYSTEM, TARGETS, Touch, config

import trainyard
from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate_task
from trainyard.config.resolve import resolve
from trainyard.errors import UserError
from trainyard.report.runs import find_runs
from trainyard.runs.run import Run
from trainyard.trust.checkpoint_files import check_same_weights
from trainyard.trust.signature import SIGNATURE, SIGNED_FILES, read_signed, sign


@pytest.fixture
def foreign(run: trainyard.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of a good run, which nobody has signed; the process stands in it."""
    path = tmp_path / "foreign"
    shutil.copytree(run.path, path)
    (path / SIGNATURE).unlink()
    monkeypatch.chdir(path)
    before = list(sys.path)
    yield path
    sys.path[:] = before


def test_the_docs_say_how_many_there_are() -> None:
    assert f"{len(ALL)} malicious or broken ones are refused" in (ROOT / "docs" / "reliability.md").read_text()


@pytest.mark.parametrize("payload", ALL.values(), ids=ALL.keys())
def test_is_refused_with_a_sentence_and_does_not_run(payload, foreign: Path) -> None:
    payload(foreign)
    with pytest.raises(UserError) as caught:
        Run(foreign).evaluate("val")
    text = str(caught.value)
    assert str(foreign) in text and len(text) < 900
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert not (foreign / "canary").exists()


def test_a_good_one_is_scored(foreign: Path, run: trainyard.Run) -> None:
    assert Run(foreign).is_foreign and not run.is_foreign
    assert Run(foreign).evaluate("val") == run.evaluate("val")


@pytest.mark.parametrize("name", ["torch.save", "shutil.copy", "Path.write_text", "through our module"])
def test_trusted_it_runs(name: str, foreign: Path) -> None:
    """The payloads are real: what is refused would have run (of those that Hydra's own blocklist lets through)."""
    TARGETS[name](foreign)
    with pytest.raises(Exception):  # noqa: B017  what it gives is no network
        Run(foreign, trust=True).task()
    assert (foreign / "canary").exists()


def test_what_is_not_part_of_a_network_is_not_even_looked_at(foreign: Path) -> None:
    for key in ("callbacks.norms", "logger.tensorboard", "trainer.profiler", "trainer.plugins", "hardware.launch"):
        config(key, SYSTEM)(foreign)
    config("trainer.default_root_dir", "/nowhere")(foreign)
    assert Run(foreign).evaluate("val")["val/accuracy"] > 0
    assert not (foreign / "canary").exists()


def test_muon_and_a_warmup_are_no_reason_for_trust(foreign: Path) -> None:
    config("optimizer", {"_target_": "trainyard.optim.muon.Muon", "_partial_": True, "lr": 0.1})(foreign)
    config("scheduler.warmup_steps", 5)(foreign)
    assert Run(foreign).evaluate("val")["val/accuracy"] > 0


def test_someone_elses_folders_are_ignored_and_the_users_overrides_are_not(foreign: Path) -> None:
    config("data.root", "/etc")(foreign)
    assert Run(foreign).cfg.data.root is None
    assert Run(foreign, ["data.root=/here"]).cfg.data.root == "/here"


def test_modules_and_entry_points_beside_the_run_are_not_looked_at(foreign: Path) -> None:
    """The user stands in the run directory, which has a conf folder: Lightning looks for callbacks of plugins."""
    (foreign / "conf").mkdir()
    (foreign / "evil-1.0.dist-info").mkdir()
    (foreign / "evil-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (foreign / "evil-1.0.dist-info" / "entry_points.txt").write_text(
        "[lightning.pytorch.callbacks_factory]\nx = evil_callback:make\n"
    )
    (foreign / "evil_callback.py").write_text(f"open({str(foreign / 'canary')!r}, 'w')\ndef make(): return []\n")
    assert Run(foreign).evaluate("val")["val/accuracy"] > 0
    assert not (foreign / "canary").exists()


def test_what_was_checked_is_what_is_used(run: trainyard.Run, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    shutil.copytree(run.path, path)
    opened = Run(path)
    TARGETS["torch.save"](path)
    opened.task()
    assert not opened.is_foreign and not (path / "canary").exists()


@pytest.mark.parametrize("signature", ["é" * 64, "", "pipe", "zeros"])
def test_an_invalid_signature_makes_a_run_foreign(signature: str, foreign: Path) -> None:
    if signature == "pipe":
        os.mkfifo(foreign / SIGNATURE)
    elif signature == "zeros":
        (foreign / SIGNATURE).symlink_to("/dev/zero")
    else:
        (foreign / SIGNATURE).write_text(signature)
    assert Run(foreign).is_foreign


def test_a_truncated_key_signs_nothing(run: trainyard.Run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "trainyard").mkdir()
    (tmp_path / "trainyard" / "key").touch()
    assert Run(run.path).is_foreign


def test_where_no_key_can_be_kept_the_run_says_that_it_is_not_signed(
    short: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "no folder").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "no folder"))
    words = ["model=mlp", "data=shapes", "data.size=200", "data.test_size=100", f"run.dir={tmp_path}/here"]
    monkeypatch.setattr(logging.getLogger("trainyard"), "propagate", True)
    trainyard.train([*short, *words])
    assert f"{tmp_path}/here cannot be signed as yours" in caplog.text and "trust=true" in caplog.text


def test_a_run_is_its_users_own_at_every_instant_of_being_written(run: trainyard.Run, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    shutil.copytree(run.path, path)
    new = {name: (path / name).read_bytes() + b"\n" for name in SIGNED_FILES}
    sign(path, new)
    for name in SIGNED_FILES:
        assert read_signed(path)
        (path / name).write_bytes(new[name])
    assert read_signed(path) == new


def test_resume_latest_passes_over_others_and_touches_nothing_of_theirs(foreign: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("dear")
    (foreign / ".lock").unlink(missing_ok=True)
    (foreign / ".lock").symlink_to(victim)
    (foreign / "status.json").write_text('{"state": "failed"}')
    with pytest.raises(UserError, match=r"no unfinished run below .* \(of 0\); 1 more are not yours \(trust=true"):
        trainyard.train(["resume=latest", f"run.root={tmp_path}"])
    assert victim.read_text() == "dear"


@pytest.mark.parametrize("link", ["symbolic", "symbolic, signed", "hard, signed"])
def test_a_run_directory_that_links_elsewhere_is_not_written_through(
    link: str, foreign: Path, run: trainyard.Run, tmp_path: Path, short: list[str]
) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("dear")
    for name in (SIGNATURE, *SIGNED_FILES) if "signed" in link else ():
        shutil.copy(run.path / name, foreign / name)
    for name in ("run.log", "metrics.jsonl"):
        (foreign / name).unlink()
    if "hard" in link:
        (foreign / "status.json").write_text('{"state": "failed"}')
        for name in ("run.log", "metrics.jsonl", "crash.txt"):
            os.link(victim, foreign / name)
        trainyard.train([f"resume={foreign}"])
        assert victim.read_text() == "dear" and Run(foreign).summary["epochs"] == 2
        return
    (foreign / "run.log").symlink_to(victim)
    words = ["model=mlp", "data=shapes", "data.size=200", "data.test_size=100"]
    with pytest.raises(UserError, match=f"run.log links to {victim}, .* or add trust=true"):
        trainyard.train([*short, *words, f"run.dir={foreign}"])
    assert victim.read_text() == "dear"


def test_a_link_within_the_run_directory_is_harmless(run: trainyard.Run, tmp_path: Path) -> None:
    """Weights & Biases makes one."""
    path = tmp_path / "mine"
    shutil.copytree(run.path, path)
    (path / "wandb").mkdir()
    (path / "wandb" / "latest-run").symlink_to("run-1")
    (path / "summary.json").unlink()
    assert trainyard.train([f"resume={path}"]).summary["epochs"] == 2


def test_a_listed_package_is_allowed(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (foreign / "conf").mkdir()
    (foreign / "listed_net.py").write_text("from trainyard.models.mlp import MLP as Base\nclass Net(Base): pass\n")
    config("model._target_", "listed_net.Net")(foreign)
    with pytest.raises(UserError, match="TRAINYARD_PACKAGES"):
        Run(foreign).task()
    monkeypatch.setenv("TRAINYARD_PACKAGES", "other, listed_net")
    assert type(Run(foreign).task().net).__name__ == "Net"


def test_the_users_own_run_is_recognized_wherever_it_is_until_someone_changes_it(
    run: trainyard.Run, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(run.path, moved)
    assert not Run(moved).is_foreign
    with (moved / "config.yaml").open("a") as file:
        file.write("\n")
    assert Run(moved).is_foreign


@pytest.mark.parametrize("model", [model for model in options("model") if model != "lightning"])
def test_every_network_can_be_checked_without_its_memory(model: str, short: list[str]) -> None:
    need_package(model)
    data = {
        "perceptron": "xor", "bert": "imdb_mlm", "electra": "imdb_rtd", "hf_text": "imdb_mlm", "gpt": "imdb_lm",
        "hf_causal": "imdb_lm",
        **dict.fromkeys(["bow", "nb_bow", "gru", "lstm", "transformer", "hypergraph"], "reviews"),
    }.get(model, "shapes")  # fmt: skip
    words = ["model.width=4"] if model.startswith("resnet") else []
    cfg = resolve(compose([*short, f"model={model}", f"data={data}", *words]))
    weights = instantiate_task(cfg).state_dict()
    with torch.device("meta"):
        check_same_weights(instantiate_task(cfg), weights, Path("here"))


def test_resuming_one_needs_trust(foreign: Path) -> None:
    (foreign / "summary.json").unlink()
    with pytest.raises(UserError, match=r"was made by another user .* add trust=true"):
        trainyard.train([f"resume={foreign}"])
    assert trainyard.train([f"resume={foreign}", "trust=true"]).summary["epochs"] == 2
    assert not Run(foreign).is_foreign  # the user's own from now on


@pytest.mark.parametrize("word", ["resume=https://here.invalid/run", "resume=s3://here/run", "resume=file:///etc"])
def test_a_url_is_not_a_run(word: str) -> None:
    with pytest.raises(UserError, match="is not a run"):
        trainyard.train([word])


@pytest.mark.parametrize("spoiled", ["pickle", "url", "tag", "nan"])
def test_pretrained_takes_weights_alone(spoiled: str, foreign: Path, short: list[str]) -> None:
    what = str(foreign)
    if spoiled == "pickle":
        torch.save(Touch(foreign), foreign / BEST)
    elif spoiled == "url":
        what = "https://here.invalid/weights.pt"
    elif spoiled == "tag":
        with (foreign / CONFIG).open("a") as file:
            file.write(f"x: !!python/object/apply:os.system ['touch {foreign}/canary']\n")
    else:
        content = torch.load(foreign / BEST, weights_only=True)
        torch.save({name: value * float("nan") for name, value in content["state_dict"].items()}, foreign / BEST)
    with pytest.raises(UserError, match="pretrained=|best.ckpt|config.resolved.yaml"):
        trainyard.train([*short, "model=mlp", "data=shapes", f"pretrained={what}"])
    assert not (foreign / "canary").exists()


def test_a_broken_tokenizer_is_reported(short: list[str], tmp_path: Path) -> None:
    words = ["model=gru", "data=reviews", "data.size=200", "data.test_size=100", f"run.dir={tmp_path}/here"]
    run = trainyard.train([*short, *words])
    (run.path / "tokenizer.json").write_text('{"model": {"type": "Nothing"}}')
    with pytest.raises(UserError, match=r"tokenizer.json is not a tokenizer"):
        Run(run.path).predict(["a text"])


def test_torch_is_never_asked_to_unpickle_whatever_the_environment_says(foreign: Path) -> None:
    """Torch's environment variable turns `weights_only` off where it is not passed explicitly."""
    torch.save({"state_dict": Touch(foreign)}, foreign / BEST)
    done = evaluated(foreign, TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD="1")
    assert "contains more than plain data" in done.stderr and not (foreign / "canary").exists()


def test_the_command_prints_a_sentence_and_the_way_out(foreign: Path) -> None:
    config("model", yaml.safe_load(yaml.safe_dump(SYSTEM)))(foreign)
    done = evaluated(foreign)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"error: {foreign} was not made by you" in done.stderr and "--trust" in done.stderr
    assert not (foreign / "canary").exists()


def evaluated(path: Path, **env: str) -> subprocess.CompletedProcess:
    return processes.run(processes.trainyard, "evaluate", str(path), folder=path, **env)


BROKEN = ["x: 1", "model: abc\ndata: {}", "model: {_target_: 3}\ndata: {}", "model: {_target_: x}",
          "model: {_target_: a.b}\ndata: {vocab_size: x}"]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_pretrained_reports_what_is_wrong_with_a_config(text: str, foreign: Path, short: list[str]) -> None:
    (foreign / CONFIG).write_text(text)
    with pytest.raises(UserError, match=CONFIG):
        trainyard.train([*short, "model=mlp", "data=shapes", f"pretrained={foreign}"])


SUMMARIES = ["[" * 100_000, "[]", "{", '{"monitor": 3}', '{"monitor": "val/x", "test": null}',
             '{"monitor": "val/x", "test": {}, "best_epoch": 1, "parameters": "x"}']  # fmt: skip


@pytest.mark.parametrize("text", SUMMARIES, ids=range(len(SUMMARIES)))
def test_a_report_says_which_run_it_cannot_read(text: str, foreign: Path) -> None:
    (foreign / "summary.json").write_text(text)
    with pytest.raises(UserError, match=f"{foreign} is not a run that can be read"):
        find_runs([foreign])


def test_the_key_is_its_users_alone(run: trainyard.Run) -> None:
    (file,) = Path(os.environ["XDG_DATA_HOME"]).glob("trainyard/*")
    assert file.name == "key" and file.stat().st_mode & 0o777 == 0o600 and file.stat().st_size == 32
