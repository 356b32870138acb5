"""A run's directory: named, made, and what is written into it before the training starts."""

import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf

from trainyard.config.composition import Composed
from trainyard.errors import UserError
from trainyard.files import write_durably
from trainyard.trust.signature import CHOICES, COMPOSED, OVERRIDES, RESOLVED, sign

SUMMARY = "summary.json"
ENVIRONMENT = "environment.json"  # where it came from
TOKENIZER = "tokenizer.json"  # of a run on text
PSEUDO_LABELS = "pseudo_labels.npy"  # of a run with data.pseudo_labels: the class of each text, -1 if it is left out
COLUMNS = "columns.json"  # of a run on tables: what was learned of their columns


def name_run(composed: Composed, job: str | None = None) -> tuple[str, Path]:
    """The run's name and the directory that it is going to have; `job` names it where a scheduler starts it again."""
    run, choices = composed.cfg.run, composed.choices
    experiment = Path(choices.get("experiment") or "null")
    if experiment.suffix == ".yaml":  # a file: outputs/sweeps/xor/best.yaml is xor-best
        experiment = Path(f"{experiment.parent.name}-{experiment.stem}".lstrip("-"))
    default = experiment.name if experiment.name != "null" else f"{choices['model']}_{choices['data']}"
    name = run.name or default
    if chosen := run.dir or composed.job_dir:
        return name, Path(chosen)
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    return name, Path(run.root) / name / (job or f"{stamp}-{secrets.token_hex(3)}")


def create(path: Path, composed: Composed, cfg: DictConfig, data: Mapping[str, str]) -> None:
    """Make the directory and write what is going to run, on which `data` (digests by split).

    UserError if it contains a run already.
    """
    from trainyard.runs.provenance import changes, environment  # deferred: it imports torch

    path.mkdir(parents=True, exist_ok=True)
    if (path / RESOLVED).exists():
        raise UserError(f"{path} contains a run already; choose another run.dir, or none for a new directory")
    (path / "checkpoints").mkdir(exist_ok=True)
    facts = json.dumps({**environment(), "data": dict(data)}, indent=2).encode() + b"\n"
    write_durably(path / ENVIRONMENT, lambda file: file.write(facts))
    if diff := changes():
        write_durably(path / "diff.patch", lambda file: file.write(diff))
    write_config(path, composed, cfg)


def write_config(path: Path, composed: Composed, cfg: DictConfig) -> None:
    """Write the config as asked for and as resolved, signed by the user; with the last file it is a run."""
    contents = {
        COMPOSED: OmegaConf.to_yaml(composed.cfg).encode(),
        CHOICES: yaml.safe_dump(composed.choices).encode(),
        OVERRIDES: yaml.safe_dump(composed.overrides).encode(),
        RESOLVED: OmegaConf.to_yaml(cfg).encode(),
    }
    sign(path, contents)
    for name, content in contents.items():
        write_durably(path / name, lambda file, content=content: file.write(content))
