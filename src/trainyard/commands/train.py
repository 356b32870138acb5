"""Compose a config from the command line and train; with -m, once for each job of a sweep."""

from trainyard.compose import run_hydra
from trainyard.launch import job


def main(argv: list[str]) -> None:
    """`argv` is Hydra's: group=choice, key=value, --help, --cfg job, -m ..."""
    run_hydra(job, argv)
