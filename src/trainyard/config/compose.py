"""From words on the command line to a config, with mistyped words explained."""

import argparse
import os
import sys
import warnings
from typing import Any

import hydra

from trainyard.config.composition import (
    COMPOSITION_ERRORS,
    CONFIG_NAME,
    VERSION_BASE,
    Composed,
    addable,
    compose_overrides,
)
from trainyard.config.experiment_file import register_experiment_files
from trainyard.config.like import register_like
from trainyard.config.suggestions import explain_composition_error
from trainyard.config.sweep_words import MULTIRUN, hydra_words
from trainyard.config.user_conf import add_user_modules, package_conf, set_user_conf
from trainyard.errors import UserError

# Hydra 1.4 warns that it calls what hydra.callbacks names: that is Trainyard's own.
OWN_CALLBACK = r"hydra.utils.instantiate\(\) resolved _target_='trainyard.config.multirun.Multirun'"


def compose(overrides: list[str]) -> Composed:
    """Compose without a command line, as notebooks and tests do; UserError for a mistyped override."""
    words = list(overrides)
    try:
        words = register_like(words)
        return compose_overrides(words)
    except COMPOSITION_ERRORS as error:
        raise UserError(explain_composition_error(error, words)) from error


def run_hydra(task_function: Any, argv: list[str]) -> None:
    """Hand the command line to Hydra, which calls `task_function` once, or once for each job of a sweep."""
    words = hydra_words(_take_config_dir(argv))
    sys.argv = [sys.argv[0], *sorted(words, key=lambda word: word not in MULTIRUN)]  # Hydra wants it first or last
    warnings.filterwarnings("ignore", message=OWN_CALLBACK)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that Hydra raises; it would print a less helpful text
    add_user_modules()
    register_experiment_files(sys.argv[1:])
    sys.argv[1:] = addable(sys.argv[1:])
    try:
        sys.argv[1:] = register_like(sys.argv[1:])
        hydra.main(config_path=str(package_conf()), config_name=CONFIG_NAME, **VERSION_BASE)(task_function)()
    except COMPOSITION_ERRORS as error:
        overrides = [word for word in sys.argv[1:] if "=" in word and not word.startswith("-")]
        raise UserError(explain_composition_error(error, overrides)) from error


def _take_config_dir(argv: list[str]) -> list[str]:
    """Store --config-dir and return the other arguments. (Hydra's own option would rank below Trainyard's files.)"""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd")
    options, rest = parser.parse_known_args(argv)
    set_user_conf(options.config_dir)
    return rest
