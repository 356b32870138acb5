"""The processes of a run find each other, and make sure that they are about to do the same."""

import atexit
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import count
from threading import Thread
from time import monotonic, sleep

import torch.distributed as dist

from trainyard.distributed.ranks import Ranks
from trainyard.errors import LostProcessError, UserError, exit_at_once

_uses = count()  # of the store by this process: jobs of -m meet there one after the other


class Rendezvous:
    """A key-value store that all processes of a run reach; that of rank 0, or of torchrun.

    The latter still has what processes left there before they were started again, and machines may differ in how often
    they were (TORCHELASTIC_RESTART_COUNT). So rank 0 names the attempt, and each other process waits for an answer to
    its own text. UserError if the port is taken, or if some processes do not arrive within `timeout` seconds.
    """

    def __init__(self, ranks: Ranks, timeout: float) -> None:
        self.ranks, self.timeout, self.text = ranks, timeout, ""
        self.all_attempts = dist.PrefixStore(f"trainyard/{next(_uses)}", self.connect())
        self.token, self.attempt = secrets.token_hex(8), ""
        self.arrived = [self.token]
        if ranks.rank == 0:
            self.all_attempts.set("attempt", self.token)
            self.attempt = self.token

    @property
    def store(self) -> dist.Store:
        """Of this attempt alone."""
        return dist.PrefixStore(self.attempt, self.all_attempts)

    def connect(self) -> dist.Store:
        """The store, that of torchrun's agent where there is one."""
        ranks, found = self.ranks, []
        thread = Thread(target=lambda: found.append(self.open_store()), daemon=True)  # another program may never answer
        thread.start()
        thread.join(self.timeout + 1)
        if thread.is_alive():
            atexit.register(end_with, thread)
        match found[:1]:
            case [dist.Store() as store]:
                return store
            case [Exception() as error] if "EADDRINUSE" in str(error):
                raise UserError(
                    f"port {ranks.port} of {ranks.address} is in use by another program; set another one: "
                    "MASTER_PORT=... in the environment"
                ) from error
        reason = str(found[0]).splitlines()[0] if found else "what listens there does not answer"
        raise UserError(
            f"rank {ranks.rank} on {socket.gethostname()} does not reach rank 0 at {ranks.address}:{ranks.port} within "
            f"{self.timeout:g} s (hardware.timeout): {reason}"
        )

    def open_store(self) -> dist.Store | Exception:
        """The store, or why there is none."""
        ranks, is_agents = self.ranks, os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        try:
            return dist.TCPStore(
                ranks.address, ranks.port, is_master=ranks.rank == 0 and not is_agents,
                timeout=timedelta(seconds=self.timeout), wait_for_workers=False, multi_tenant=True,
            )  # fmt: skip
        except RuntimeError as error:
            return error

    def tell_rank_zero(self, text: str) -> list[str]:
        """Give a text to rank 0, which gets the texts of all processes, in the order of their ranks.

        UserError with the ranks of those that did not come in time.
        """
        self.text = f"{self.token} {text}"
        if self.ranks.rank != 0:
            return []
        until, others = monotonic() + self.timeout, range(1, self.ranks.world_size)
        missing = [rank for rank in others if not self.has(f"text/{rank}", until)]
        told = [self.store.get(f"text/{rank}").decode().split(" ", 1) for rank in others if rank not in missing]
        self.arrived = [token for token, _ in told]
        if missing:
            raise UserError(
                f"{self.ranks.world_size - len(missing)} of {self.ranks.world_size} processes arrived at "
                f"{self.ranks.address}:{self.ranks.port} within {self.timeout:g} s (hardware.timeout); "
                f"{named_ranks(missing)} did not"
            )
        return [text, *(other for _, other in told)]

    def share(self, text: str = "") -> str:
        """The text of rank 0, in all processes."""
        if self.ranks.rank == 0:
            self.store.set("shared", f"{' '.join(self.arrived)}\n{text}")
            return text
        until = monotonic() + 2 * self.timeout  # rank 0 may wait for somebody else
        try:
            while monotonic() < until:
                self.join_attempt()
                if self.attempt and self.store.check(["shared"]):
                    arrived, _, answer = self.store.get("shared").decode().partition("\n")
                    if self.token in arrived.split():
                        return answer
                sleep(0.05)
        except RuntimeError as error:
            gone = f"rank 0 at {self.ranks.address}:{self.ranks.port} has gone before the training began"
            raise (UserError if self.ranks.rank == 1 else LostProcessError)(f"{gone}, as when it is killed") from error
        raise LostProcessError(f"rank 0 has not answered rank {self.ranks.rank}")

    def join_attempt(self) -> None:
        """Tell the text to the newest rank 0 that there is."""
        if not self.all_attempts.check(["attempt"]):
            return
        newest = self.all_attempts.get("attempt").decode()
        if newest != self.attempt:
            self.attempt = newest
            self.store.set(f"text/{self.ranks.rank}", self.text)

    def has(self, key: str, until: float) -> bool:
        """Whether the store has a key, at the latest at that moment. (Its own `wait` prints warnings.)"""
        while not (found := self.store.check([key])) and monotonic() < until:
            sleep(0.05)
        return found


def end_with(thread: Thread) -> None:
    """End this process at once if the thread still waits for an answer: Python would abort it (code 134)."""
    if thread.is_alive():
        exit_at_once(1)


def named_ranks(ranks: Sequence[int]) -> str:
    """Ranks in words."""
    return f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {', '.join(map(str, ranks))}"


def difference(facts: Sequence[Mapping[str, str]]) -> str:
    """What differs between what the processes are about to do, in a sentence; empty if nothing does.

    Of each process: `host`, then keys and their values.
    """
    first = facts[0]
    for rank, other in enumerate(facts):
        for key in {**first, **other}:
            if key != "host" and first.get(key) != other.get(key):
                return (
                    f"{key} is {first.get(key)} in rank 0 on {first['host']} and {other.get(key)} in rank {rank} on "
                    f"{other['host']}; start the same command with the same code on all machines"
                )
    return ""
