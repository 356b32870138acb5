"""A training of several processes, in each of them: they meet, agree on the run, train, and part."""

import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from time import monotonic, sleep

import torch
import torch.distributed as dist
from omegaconf import OmegaConf

from trainyard.collectives import from_rank_zero
from trainyard.config_keys import changes_numbers, flatten
from trainyard.distributed.failures import (
    ERROR,
    LATE,
    LOST,
    PATIENCE,
    STOPPED,
    Failure,
    delete_failures,
    kind_of,
    read_failures,
    report_failure,
    report_stop,
    summarize_failures,
)
from trainyard.distributed.ranks import Ranks, started_here
from trainyard.distributed.rendezvous import Rendezvous, difference
from trainyard.durability.run_lock import RunLock
from trainyard.durability.signals import Stopped, wanted_exit_code
from trainyard.errors import LostProcessError, UserError, describe_error
from trainyard.runs.resume import finished_run
from trainyard.training.job import Job
from trainyard.training.train import train

SEEN = 0.5  # seconds in which the others find what rank 0 says: then its store, or a refused run's directory, is gone


def train_as_rank(make_job: Callable[[], Job], ranks: Ranks, timeout: float) -> Path | None:
    """Train as one of several processes; the run directory, in the process of rank 0, which chooses it."""
    meeting = Rendezvous(ranks, timeout)
    with ExitStack() as held:
        job = agree_on_job(make_job, meeting, ranks, held)
        held.enter_context(report_errors(ranks, job.path, timeout))
        join(meeting, ranks, job.cfg.hardware.accelerator, timeout)
        if not from_rank_zero(lambda: job.owner is None and job.resumes and bool(finished_run(job.path, job.cfg))):
            train(job, ranks)
        dist.barrier()
    dist.destroy_process_group()  # at a good end alone: after an error, others may not come
    return job.path if ranks.rank == 0 else None


def agree_on_job(make_job: Callable[[], Job], meeting: Rendezvous, ranks: Ranks, held: ExitStack) -> Job:
    """The job, the same in all processes, with its directory `held` by rank 0; UserError with what differs."""
    made, facts = try_to(make_job)
    job = made if isinstance(made, Job) else None
    try:
        texts = meeting.tell_rank_zero(json.dumps(facts))
    except UserError as error:
        refuse(meeting, str(error))
        raise
    if ranks.rank == 0:
        known = [json.loads(text) for text in texts]
        wrong = first_error(known) or difference(known) or (hold(job, held) if job else "")
        if wrong or job is None:
            refuse(meeting, wrong)
            raise UserError(wrong) from (made if isinstance(made, Exception) else None)
        meeting.share(json.dumps({"wrong": "", "place": [job.cfg.run.name, str(job.path)]}))
        return job
    answer = json.loads(meeting.share())
    if answer["wrong"] or job is None:
        raise LostProcessError(answer["wrong"])
    name, path = answer["place"]
    return job.at(name, Path(path))


def refuse(meeting: Rendezvous, wrong: str) -> None:
    """Tell the other processes why rank 0 does not train, and wait until they know."""
    meeting.share(json.dumps({"wrong": wrong}))
    sleep(SEEN)


def try_to(make: Callable[[], Job]) -> tuple[Job | Exception, dict[str, str]]:
    """The job, and what must be equal in all processes; or why there is none, and the text of that."""
    facts = {"host": socket.gethostname()}
    try:
        job = make()
    except Exception as error:  # not UserError alone: rank 0 would wait for a process that has ended
        return error, {**facts, "error": describe_error(error)}
    facts |= {f"the version of {name}": version(name) for name in ("trainyard", "torch", "lightning")}
    values = flatten(OmegaConf.to_container(job.cfg))
    return job, facts | {key: str(value) for key, value in values.items() if changes_numbers(key)}


def first_error(known: Sequence[Mapping[str, str]]) -> str:
    """The first process's error, with its place unless that is rank 0; empty if there is none."""
    for rank, each in enumerate(known):
        if "error" in each:
            return each["error"] if rank == 0 else f"{each['error']} (in rank {rank} on {each['host']})"
    return ""


def hold(job: Job, held: ExitStack) -> str:
    """Lock the run directory, unless the process that started this one has; why that cannot be, or an empty string."""
    try:
        if job.owner is None:
            held.enter_context(RunLock(job.path))
    except (UserError, OSError) as error:
        return describe_error(error)
    return ""


def join(meeting: Rendezvous, ranks: Ranks, accelerator: str, timeout: float) -> None:
    """Join the process group: gloo for what is in the host's memory, NCCL for what is on GPUs."""
    if accelerator == "gpu":
        torch.cuda.set_device(ranks.local_rank)
    backend = "cpu:gloo,cuda:nccl" if accelerator == "gpu" else "gloo"
    dist.init_process_group(
        backend, store=meeting.store, rank=ranks.rank, world_size=ranks.world_size, timeout=timedelta(seconds=timeout)
    )


@contextmanager
def report_errors(ranks: Ranks, path: Path, timeout: float) -> Iterator[None]:
    """Under torchrun and srun, let one process show an error of any. (Trainyard's own driver shows what it is told.)"""
    if ranks.rank == 0 and not started_here():
        delete_failures(path)
    try:
        yield
    except Stopped as stopped:
        if not started_here():
            report_stop(int(str(stopped.code)), ranks.rank, path)
        raise
    except Exception as error:
        if started_here():
            raise
        failed = any(failure.kind == ERROR for failure in read_failures(path))  # torchrun then ends the others (TERM)
        if kind_of(error) == LOST and (code := wanted_exit_code()) and not failed:
            raise Stopped(code) from error  # the others have got the signal a little earlier
        spoken = speak_for_all(error, ranks, path, timeout)
        if spoken is error:
            raise
        raise spoken from error


def speak_for_all(error: Exception, ranks: Ranks, path: Path, timeout: float) -> Exception:
    """What this process raises: its own error, what the lost connection to others means, or nothing that is shown."""
    own = report_failure(error, ranks.rank, path)

    def is_told(found: list[Failure]) -> bool:
        return any(each.rank < own.rank and each.text[:80] == own.text[:80] for each in found)

    if own.kind == ERROR:
        if ranks.rank == 0:
            wait_for_reports(path, lambda found: len(found) == ranks.world_size)
            sleep(SEEN)
            return error
        if is_told(wait_for_reports(path, is_told)):
            return LostProcessError(own.text)
        error.add_note(f"(in rank {ranks.rank} on {own.host})")
        return error
    failures = wait_for_reports(path, lambda found: any(failure.kind in (ERROR, STOPPED) for failure in found))
    if stops := [int(each.text) for each in failures if each.kind == STOPPED]:
        raise Stopped(max(stops)) from error
    late = [each.rank for each in failures if each.kind == LATE]  # the first to end; of them the others are lost
    speaker = min(late or [each.rank for each in failures], default=ranks.rank)
    if any(each.kind == ERROR for each in failures) or speaker != ranks.rank:
        return LostProcessError(own.text)  # that process tells why
    return UserError(summarize_failures(failures, ranks.world_size, timeout)[0])


def wait_for_reports(path: Path, are_enough: Callable[[list[Failure]], bool]) -> list[Failure]:
    """The reports of the processes, as soon as they are enough, at the latest after PATIENCE seconds."""
    until = monotonic() + PATIENCE
    while not are_enough(found := read_failures(path)) and monotonic() < until:
        sleep(0.05)
    return found
