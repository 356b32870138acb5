"""Compose a config from the command line and train; with -m, once for each job of a sweep, and a table at its end."""

from trainyard.compose import run_hydra
from trainyard.launch import job, swept


def main(argv: list[str]) -> None:
    """`argv` is Hydra's: group=choice, key=value, --help, --cfg job, -m ..."""
    swept.clear()
    run_hydra(job, argv)
    if len(swept) > 1:
        from trainyard.report.groups import group  # late: what one training needs none of
        from trainyard.report.runs import find
        from trainyard.report.tables import show

        show(group(find(swept)[0]))
