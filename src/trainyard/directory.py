"""A run's directory: named, made, and what is written into it before the training begins."""

import json
import secrets
from datetime import datetime
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf

from trainyard.compose import Composed
from trainyard.errors import UserError
from trainyard.reliability.files import write
from trainyard.reliability.seal import put_seal

COMPOSED, RESOLVED, SUMMARY = "config.yaml", "config.resolved.yaml", "summary.json"
CHOICES, OVERRIDES = "choices.yaml", "overrides.yaml"  # config group: chosen option; the words as typed
TOKENIZER = "tokenizer.json"  # of a run on text


def name_run(composed: Composed) -> tuple[str, Path]:
    """The run's name and the directory it is going to have."""
    run, choices = composed.cfg.run, composed.choices
    experiment = choices.get("experiment")
    recipe = Path(experiment or "null")
    if recipe.suffix == ".yaml":  # a file: outputs/sweeps/xor/best.yaml is xor-best
        recipe = Path(f"{recipe.parent.name}-{recipe.stem}".lstrip("-"))
    name = run.name or (recipe.name if recipe.name != "null" else f"{choices['model']}_{choices['data']}")
    if chosen := run.dir or composed.folder:
        return name, Path(chosen)
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    return name, Path(run.root) / name / f"{stamp}-{secrets.token_hex(3)}"


def create(path: Path, composed: Composed, resolved: DictConfig) -> None:
    """Make the directory and write down what is going to run; UserError if a run lies there already."""
    from trainyard.provenance import environment, git  # late: it imports torch

    path.mkdir(parents=True, exist_ok=True)
    if (path / RESOLVED).exists():
        raise UserError(f"{path} holds a run already; choose another run.dir, or none for a fresh directory")
    (path / "checkpoints").mkdir(exist_ok=True)
    (path / "environment.json").write_text(json.dumps(environment(), indent=2) + "\n")
    if diff := git("diff", "HEAD"):
        (path / "diff.patch").write_bytes(diff)
    write_config(path, composed, resolved)


def write_config(path: Path, composed: Composed, resolved: DictConfig) -> None:
    """What was asked for and what came of it, under the user's seal; with the last file it is a run."""
    contents = {
        COMPOSED: OmegaConf.to_yaml(composed.cfg).encode(),
        CHOICES: yaml.safe_dump(composed.choices).encode(),
        OVERRIDES: yaml.safe_dump(composed.overrides).encode(),
        RESOLVED: OmegaConf.to_yaml(resolved).encode(),
    }
    put_seal(path, contents)
    for name, content in contents.items():
        write(path / name, lambda file, content=content: file.write(content))
