"""like=RUN: a new run that begins with an old run's config, as if that config were an experiment."""

import os
import re
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Quote, QuotedString

from trainyard.config.composition import COMPOSITION_ERRORS, compose_overrides
from trainyard.config.experiment_file import check_foreign, store
from trainyard.config.from_run import NAMED, experiment_from_run, is_portable, own_choices
from trainyard.config.suggestions import explain_composition_error
from trainyard.config_keys import is_inherited, key_of
from trainyard.errors import UserError
from trainyard.files import newest_first
from trainyard.trust.safe_yaml import read_config, read_yaml
from trainyard.trust.signature import CHOICES, COMPOSED, OVERRIDES, RESOLVED, read_signed

GROUP = "like"


def register_like(words: list[str]) -> list[str]:
    """Make the runs of like=RUN known to Hydra; return the words, with the place of like=latest and what RUN deleted.

    UserError for what is not a run, and for someone else's that names code of its own.
    """
    asked = next((word for word in words if word.partition("=")[0] == GROUP), f"{GROUP}=null")
    if asked == f"{GROUP}=null":
        return words
    if asked == f"{GROUP}=":
        raise UserError(f"{GROUP}= names no run; name a run directory, {GROUP}=outputs/..., or {GROUP}=latest")
    values = {key: value for key, _, value in (word.partition("=") for word in words)}
    for other in ("resume", "experiment"):
        if (name := values.get(other, "null")) != "null":
            verb = "continues a run" if other == "resume" else "is another config"
            raise UserError(f"{asked} begins a new run with that run's config, and {other}={name} {verb}; give one")
    paths = [_find(name, words) for name in _values(asked)]
    for path in paths:
        store(GROUP, str(path), _experiment(path, words, values.get("trust") == "true"))
    deleted = [word for path in paths for word in _deleted(path) if not _concerns(words, word[1:])]
    found = f"{GROUP}={','.join(map(_quoted, map(str, paths)))}"
    at = words.index(asked)
    return [*words[:at], found, *dict.fromkeys(deleted), *words[at + 1 :]]


def _values(word: str) -> list[str]:
    """The names in like=RUN, or in like=RUN1,RUN2 of a sweep."""
    value: Any = OverridesParser.create().parse_override(word).value()
    values = value.list if isinstance(value, ChoiceSweep) else [value]
    return [each.text if isinstance(each, QuotedString) else str(each) for each in values]


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w./-]+", name) else QuotedString(text=name, quote=Quote.single).with_quotes()


def _find(name: str, words: list[str]) -> Path:
    """The run directory, relative to here if it is below; UserError for what is none."""
    if name == "latest":
        root = compose_overrides([word for word in words if word.startswith("run.root=")]).cfg.run.root
        if not (found := newest_first(Path(root).rglob(COMPOSED))):
            raise UserError(f"{GROUP}=latest: there is no run below {root}")
        return found[0]
    path = Path(os.path.normpath(Path(name).expanduser()))
    path = path.parent if path.name in (COMPOSED, RESOLVED) else path
    if not path.is_dir():
        raise UserError(f"{GROUP}={name}: there is no such folder; name a run directory, {GROUP}=outputs/...")
    if not (path / COMPOSED).is_file():
        below = newest_first([*path.glob(f"*/{COMPOSED}"), *path.glob(f"*/*/{COMPOSED}")])
        hint = f"; the newest run below it is {below[0]}" if below else ""
        raise UserError(f"{GROUP}={name}: {path} is not a run, it has no {COMPOSED}{hint}")
    here = Path.cwd()
    return path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path


def _experiment(path: Path, words: list[str], trust: bool) -> dict[str, Any]:
    """The run's config as an experiment. One that someone else made must pass the checks of an experiment file."""
    signed = read_signed(path)
    files: dict[str, bytes] = signed or {}
    config, resolved, choices = (read_config(path / name, files.get(name)) for name in (COMPOSED, RESOLVED, CHOICES))
    is_own = trust or signed is not None
    groups = own_choices(choices)
    _check({"defaults": [groups]}, path / CHOICES, is_own)
    given = [word for word in words if "=" in word and word.partition("=")[0].partition("@")[0] in {*groups, *NAMED}]
    kept = partial(_is_kept, choices.get("sweep")) if is_own else is_portable
    try:
        experiment = experiment_from_run(choices, config, kept, given)
    except COMPOSITION_ERRORS as error:
        raise UserError(f"{GROUP}={path}: {explain_composition_error(error, given)}") from error
    _check(experiment, path / COMPOSED, is_own)
    is_named = is_own and (config["run"].get("name") or choices.get("experiment"))
    if is_named:  # any other name consists of the model and the data, which may be others now
        experiment["run"] = {"name": resolved["run"]["name"]}
    return experiment


def _check(experiment: dict[str, Any], file: Path, is_own: bool) -> None:
    """Raise UserError for what only one's own config may contain."""
    try:
        if not is_own:
            check_foreign(experiment, file)
    except UserError as error:
        hint = "" if "trust=true" in str(error) else ", unless you add trust=true"
        raise UserError(f"{error}{hint}") from error


def _is_kept(sweep: str | None, key: str, value: Any) -> bool:
    """Whether a new run takes over the key of one's own run, which was a trial if `sweep` chose one."""
    is_here = "${run.dir}" in str(value)  # a place that is the new run's own
    return (is_inherited(key) or is_here) and not (sweep and key == "test")


def _deleted(path: Path) -> list[str]:
    """The words with which the run deleted a key (~optimizer.lr), which an experiment cannot do."""
    typed = read_yaml(path / OVERRIDES, (read_signed(path) or {}).get(OVERRIDES)) or []
    return [word.partition("=")[0] for word in typed if re.fullmatch(r"~\w+\.[\w.]+(=.*)?", str(word))]


def _concerns(words: list[str], key: str) -> bool:
    """Whether one of the words sets the key or one below it, or chooses the option of its group anew."""
    names = [key_of(word).partition("@")[0] for word in words]
    return any(name in (key, key.partition(".")[0]) or name.startswith(f"{key}.") for name in names)
