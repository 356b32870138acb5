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
    from trainyard.config.compose import run_hydra
    from trainyard.config.composition import COMPOSITION_ERRORS
    from trainyard.config.multirun import begin_command, jobs_elsewhere
    from trainyard.distributed.ranks import find_ranks, is_follower
    from trainyard.errors import LostProcessError, UserError
    from trainyard.logs import log_to_console
    from trainyard.training.launch import finished_jobs, hydra_job

    finished_jobs.clear()
    begin_command(is_follower())
    log_to_console()
    try:
        run_hydra(hydra_job, words)
    except UserError as error:
        is_of_words = isinstance(error.__cause__, COMPOSITION_ERRORS)  # the same in all processes of a machine
        if is_of_words and (ranks := find_ranks()) and ranks.local_rank:
            raise LostProcessError(str(error)) from error
        raise
    if len(jobs := [*finished_jobs, *jobs_elsewhere()]) > 1:
        from trainyard.report.groups import group_runs
        from trainyard.report.runs import find_runs
        from trainyard.report.tables import print_table

        print_table(group_runs(find_runs(jobs)[0]))
