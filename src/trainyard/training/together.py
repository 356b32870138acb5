"""A training of several processes, in each of them: they meet, agree on the run, train, and part."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
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
    Failure,
    delete_failures,
    kind_of,
    read_failures,
    report_failure,
    summarize_failures,
)
from trainyard.distributed.ranks import Ranks, started_here
from trainyard.distributed.rendezvous import Rendezvous, difference
from trainyard.durability.run_lock import RunLock
from trainyard.durability.signals import Stopped, wanted_exit_code
from trainyard.errors import LostProcessError, UserError
from trainyard.runs.resume import finished_run
from trainyard.training.job import Job
from trainyard.training.train import train

COMMON = 0.5  # seconds in which several processes report one and the same error


def train_as_rank(make_job: Callable[[], Job], ranks: Ranks, timeout: float) -> Path | None:
    """Train as one of several processes; the run directory, in the process of rank 0, which chooses it."""
    meeting = Rendezvous(ranks, timeout)
    job = agree_on_job(make_job, meeting, ranks)
    holds = ranks.rank == 0 and job.owner is None
    with RunLock(job.path) if holds else nullcontext(), report_errors(ranks, job.path, timeout):
        join(meeting, ranks, job.cfg.hardware.accelerator, timeout)
        if not from_rank_zero(lambda: job.owner is None and job.resumes and bool(finished_run(job.path, job.cfg))):
            train(job, ranks)
        dist.barrier()
    dist.destroy_process_group()  # at a good end alone: after an error, others may not come
    return job.path if ranks.rank == 0 else None


def agree_on_job(make_job: Callable[[], Job], meeting: Rendezvous, ranks: Ranks) -> Job:
    """The job, the same in all processes; UserError with what differs."""
    job, facts = try_to(make_job)
    texts = meeting.tell_rank_zero(json.dumps(facts))
    if ranks.rank == 0:
        known = [json.loads(text) for text in texts]
        wrong = next((f"{each['error']}" for each in known if "error" in each), "") or difference(known)
        place = [] if job is None else [job.cfg.run.name, str(job.path)]
        meeting.share(json.dumps({"wrong": wrong, "place": place}))
        if wrong or job is None:
            raise UserError(wrong)
        return job
    answer = json.loads(meeting.share())
    if answer["wrong"] or job is None:
        raise LostProcessError(answer["wrong"])
    name, path = answer["place"]
    return job.at(name, Path(path))


def try_to(make: Callable[[], Job]) -> tuple[Job | None, dict[str, str]]:
    """The job, and what must be equal in all processes; of a refusal its text."""
    facts = {"host": socket.gethostname()}
    try:
        job = make()
    except UserError as error:
        return None, {**facts, "error": str(error)}
    facts |= {f"the version of {name}": version(name) for name in ("trainyard", "torch", "lightning")}
    values = flatten(OmegaConf.to_container(job.cfg))
    return job, facts | {key: str(value) for key, value in values.items() if changes_numbers(key)}


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
    except Exception as error:
        if started_here():
            raise
        if kind_of(error) == LOST and (code := wanted_exit_code()):  # the others have got the signal a little earlier
            raise Stopped(code) from error
        spoken = speak_for_all(error, ranks, path, timeout)
        if spoken is error:
            raise
        raise spoken from error


def speak_for_all(error: Exception, ranks: Ranks, path: Path, timeout: float) -> Exception:
    """What this process raises: its own error, what the lost connection to others means, or nothing that is shown."""
    own = report_failure(error, ranks.rank, path)
    if own.kind == ERROR:
        if ranks.rank == 0:
            sleep(COMMON)
            return error
        if is_told_by_another(own, path):
            return LostProcessError(own.text)
        error.add_note(f"(in rank {ranks.rank} on {own.host})")
        return error
    until = monotonic() + PATIENCE
    while monotonic() < until and not any(failure.kind == ERROR for failure in read_failures(path)):
        sleep(0.1)
    failures = read_failures(path)
    speaker = min((each.rank for each in failures if each.kind in (own.kind, LATE)), default=ranks.rank)
    if any(each.kind == ERROR for each in failures) or speaker != ranks.rank:
        return LostProcessError(own.text)  # that process tells why
    return UserError(summarize_failures(failures, ranks.world_size, timeout)[0])


def is_told_by_another(own: Failure, path: Path) -> bool:
    """Whether a process of a lower rank soon reports the same error. (Rank 0 may remove its report a moment later.)"""
    until = monotonic() + COMMON
    while monotonic() < until:
        if any(each.rank < own.rank and each.text[:80] == own.text[:80] for each in read_failures(path)):
            return True
        sleep(0.02)
    return False
