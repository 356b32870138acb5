"""The processes of a run find each other, and make sure that they are about to do the same."""

import os
import socket
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import count
from threading import Thread
from time import monotonic, sleep

import torch.distributed as dist

from trainyard.distributed.ranks import Ranks
from trainyard.errors import LostProcessError, UserError

_uses = count()  # of the store by this process: jobs of -m meet there one after the other


class Rendezvous:
    """A key-value store that all processes of a run reach; that of rank 0, or of torchrun.

    UserError if the port is taken, or if some processes do not arrive within `timeout` seconds.
    """

    def __init__(self, ranks: Ranks, timeout: float) -> None:
        self.ranks, self.timeout = ranks, timeout
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        self.store = dist.PrefixStore(f"trainyard/{attempt}/{next(_uses)}", self.connect())

    def connect(self) -> dist.Store:
        """The store, that of torchrun's agent where there is one."""
        ranks, found = self.ranks, []
        thread = Thread(target=lambda: found.append(self.open_store()), daemon=True)  # another program may never answer
        thread.start()
        thread.join(self.timeout + 1)
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
        self.store.set(f"text/{self.ranks.rank}", text)
        if self.ranks.rank != 0:
            return []
        until = monotonic() + self.timeout
        missing = [rank for rank in range(self.ranks.world_size) if not self.has(f"text/{rank}", until)]
        if missing:
            raise UserError(
                f"{self.ranks.world_size - len(missing)} of {self.ranks.world_size} processes arrived at "
                f"{self.ranks.address}:{self.ranks.port} within {self.timeout:g} s (hardware.timeout); "
                f"{named_ranks(missing)} did not"
            )
        return [self.store.get(f"text/{rank}").decode() for rank in range(self.ranks.world_size)]

    def share(self, text: str = "") -> str:
        """The text of rank 0, in all processes."""
        if self.ranks.rank == 0:
            self.store.set("shared", text)
            return text
        try:
            if self.has("shared", monotonic() + 2 * self.timeout):  # rank 0 may wait for somebody else
                return self.store.get("shared").decode()
        except RuntimeError as error:
            raise LostProcessError(f"rank 0 has gone: {error}") from error
        raise LostProcessError(f"rank 0 has not answered rank {self.ranks.rank}")

    def has(self, key: str, until: float) -> bool:
        """Whether the store has a key, at the latest at that moment. (Its own `wait` prints warnings.)"""
        while not (found := self.store.check([key])) and monotonic() < until:
            sleep(0.05)
        return found


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
