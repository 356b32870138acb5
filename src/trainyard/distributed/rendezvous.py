"""The processes of a run find each other, and make sure that they are about to do the same."""

import os
import socket
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import count

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
        ranks, is_agents = self.ranks, os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        place = f"{ranks.address}:{ranks.port}"
        try:
            return dist.TCPStore(
                ranks.address, ranks.port, is_master=ranks.rank == 0 and not is_agents,
                timeout=timedelta(seconds=self.timeout), wait_for_workers=False, multi_tenant=True,
            )  # fmt: skip
        except (dist.DistError, RuntimeError) as error:
            if "EADDRINUSE" in str(error) or "in use" in str(error):
                raise UserError(
                    f"port {ranks.port} of {ranks.address} is in use by another program; set another one: "
                    "MASTER_PORT=... in the environment"
                ) from error
            raise UserError(
                f"rank {ranks.rank} on {socket.gethostname()} does not reach rank 0 at {place} within "
                f"{self.timeout:g} s (hardware.timeout): {str(error).splitlines()[0]}"
            ) from error

    def tell_rank_zero(self, text: str) -> list[str]:
        """Give a text to rank 0, which gets the texts of all processes, in the order of their ranks.

        UserError with the ranks of those that did not come in time.
        """
        self.store.set(f"text/{self.ranks.rank}", text)
        if self.ranks.rank != 0:
            return []
        found, missing = [], []
        for rank in range(self.ranks.world_size):
            wait = self.timeout if not missing else 0.1  # the others have had their time as well
            try:
                self.store.wait([f"text/{rank}"], timedelta(seconds=wait))
                found.append(self.store.get(f"text/{rank}").decode())
            except (dist.DistError, RuntimeError):
                missing.append(rank)
        if missing:
            raise UserError(
                f"{len(found)} of {self.ranks.world_size} processes arrived at {self.ranks.address}:{self.ranks.port} "
                f"within {self.timeout:g} s (hardware.timeout); {named_ranks(missing)} did not"
            )
        return found

    def share(self, text: str = "") -> str:
        """The text of rank 0, in all processes."""
        if self.ranks.rank == 0:
            self.store.set("shared", text)
            return text
        try:
            self.store.wait(["shared"], timedelta(seconds=2 * self.timeout))  # rank 0 may wait for somebody else
            return self.store.get("shared").decode()
        except (dist.DistError, RuntimeError) as error:
            raise LostProcessError(f"rank 0 has not answered rank {self.ranks.rank}") from error


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
