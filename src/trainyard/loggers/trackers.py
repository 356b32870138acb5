"""Experiment trackers (Weights & Biases, MLflow, Comet, Aim): what a run tells them, and the id that it has there."""

import json
import logging
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch.loggers import Logger

from trainyard.collectives import rank
from trainyard.errors import UserError, first_line
from trainyard.extras import import_extra
from trainyard.files import read_small, write_durably

log = logging.getLogger(__name__)
FILE = "trackers.json"  # in the run directory: the run's id at each tracker, by the key below `logger`
MAX_FILE = 1 << 16  # bytes


class Kind(NamedTuple):
    """What to know of a tracker's logger class."""

    module: str  # its package
    extra: str  # of Trainyard, which installs it
    run_id: str  # the argument that continues a run
    name: str  # the argument that names a run


KINDS = {  # by the name of the logger's class
    "WandbLogger": Kind("wandb", "wandb", "id", "name"),
    "MLFlowLogger": Kind("mlflow", "mlflow", "run_id", "run_name"),
    "CometLogger": Kind("comet_ml", "comet", "experiment_key", "name"),
    "AimLogger": Kind("aim", "aim", "run_hash", "run_name"),
}


def kind_of(node: Mapping[str, Any] | None) -> Kind | None:
    """The tracker that an entry of the config's `logger` is for; None for another logger."""
    return KINDS.get(str((node or {}).get("_target_")).rpartition(".")[2])


def is_tracker(logger: Logger) -> bool:
    """Whether it is the logger of an experiment tracker."""
    return type(logger).__name__ in KINDS


def complete(nodes: Mapping[str, MutableMapping[str, Any] | None], path: Path) -> None:
    """Give each tracker's entry the run's id there, if it has one already, and a name, if none is set.

    UserError for a tracker whose package is not installed, or that has no key.
    """
    ids = read_ids(path)
    for key, node in nodes.items():
        if node is None or (kind := kind_of(node)) is None:
            continue
        import_extra(kind.module, kind.extra)
        if kind.module == "wandb" and not node.get("offline") and rank() == 0:  # the only one that logs
            check_wandb_key(key)
        if kind.module == "aim":  # warns whenever a run is opened again; the run's own lock admits one process
            logging.getLogger("aim.sdk.lock_manager").setLevel(logging.ERROR)
        if node.get(kind.name) is None:
            node[kind.name] = "/".join(path.absolute().parts[-2:])
        if key in ids:
            node[kind.run_id] = ids[key]


def check_wandb_key(key: str) -> None:
    """Raise UserError where Weights & Biases would ask for a key, or refuse the one that there is."""
    wandb = import_extra("wandb", "wandb")
    if wandb.setup().settings.mode in ("offline", "disabled"):
        return
    said = "there is no key for Weights & Biases"
    try:
        if wandb.login(prompt=False):
            return
    except Exception as error:  # it asks the server whether it knows the key
        said = first_line(error)
    raise UserError(
        f"logger={key}: {said}; run `wandb login`, set WANDB_API_KEY, or choose logger.{key}.offline=true (and later "
        "`wandb sync`)"
    )


@contextmanager
def tracked(loggers: Mapping[str, Logger], config: Mapping[str, Any], path: Path) -> Iterator[None]:
    """Register a training at its trackers, `loggers` by key, with its config; at its end close them.

    The ids are kept in the run directory. UserError if a tracker cannot be reached.
    """
    found = {key: logger for key, logger in loggers.items() if is_tracker(logger)}
    ids = read_ids(path) if found else {}
    opened: dict[str, Logger] = {}
    for key, logger in found.items():
        opened[key] = logger
        try:
            if key not in ids:  # MLflow refuses a second value of a key, and a resumed run may have another machine's
                logger.log_hyperparams(config)  # pyright: ignore
            ids[key] = str(logger.experiment and logger.version)  # pyright: ignore  # connects it
        except Exception as error:  # each tracker has exceptions of its own
            opened.pop(key)
            close(opened, failed=True)
            raise UserError(f"logger={key}: {first_line(error)}; without it: logger=tensorboard") from error
    write_ids(path, ids)
    try:
        yield
    except BaseException as error:
        close(found, failed=isinstance(error, Exception))  # what was stopped can continue
        raise
    close(found, failed=False)


def close(loggers: Mapping[str, Logger], failed: bool) -> None:
    """Tell each tracker how the training ended; the next run of this process would continue W&B's run otherwise."""
    for key, logger in loggers.items():
        try:
            if type(logger).__name__ == "WandbLogger":
                logger.experiment.finish(exit_code=int(failed))  # pyright: ignore
            else:
                logger.finalize("failed" if failed else "success")
        except Exception as error:  # the training has ended, and must not fail for it
            log.warning("logger=%s: %s", key, first_line(error))


def read_ids(path: Path) -> dict[str, str]:
    """The ids that a run directory has, by key; none of a run without trackers."""
    file = path / FILE
    if not file.exists():
        return {}
    try:
        found = json.loads(read_small(file, MAX_FILE))
    except ValueError as error:
        raise UserError(f"{file} cannot be read ({error}); without it the run gets a new id at its trackers") from error
    return {str(key): str(value) for key, value in found.items()}


def write_ids(path: Path, ids: Mapping[str, str]) -> None:
    """Keep the ids in the run directory, for a run that resumes."""
    if ids:
        content = json.dumps(ids, indent=2).encode() + b"\n"
        write_durably(path / FILE, lambda file: file.write(content))
