"""trainyard train: compose a config from the command line and train; with -m, once for each job of a sweep."""

from typing import Any

from trainyard.cli.parser import examples


def add_parser(commands: Any) -> None:
    """Add the command to the list of `trainyard --help`; its own help is Hydra's."""
    commands.add_parser(
        "train",
        help="train a network and test its best weights (the same as python train.py)",
        epilog=examples("trainyard train model=resnet18 data=cifar10"),
    )


def run_words(words: list[str]) -> None:
    """Run with Hydra's words: group=choice, key=value, --help, --cfg job, -m ... Jobs of -m end with a table."""
    from trainyard.logs import log_to_console
    from trainyard.training.launch import run_jobs

    log_to_console()
    if len(jobs := run_jobs(words)) > 1:
        from trainyard.report.groups import group_runs
        from trainyard.report.runs import find_runs
        from trainyard.report.tables import print_table

        print_table(group_runs(find_runs(jobs)[0]))
