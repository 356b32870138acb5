"""Processes meet again after some of them were started again."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest
import torch.distributed as dist

from trainyard.distributed import rendezvous
from trainyard.distributed.ranks import Ranks
from trainyard.distributed.rendezvous import Rendezvous


def test_a_process_that_comes_back_waits_for_the_newest_rank_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """In torchrun's store, which keeps what was left there; its agents count restarts differently."""
    agent = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    monkeypatch.setattr(rendezvous, "_uses", itertools.repeat(0))  # each attempt is of new processes

    def meet(rank: int, restarts: int, word: str, late: float) -> tuple[list[str], str, dist.Store]:
        sleep(late)
        with pytest.MonkeyPatch.context() as environ:
            environ.setenv("TORCHELASTIC_RESTART_COUNT", str(restarts))
            meeting = Rendezvous(Ranks(rank, 2, 0, 1, "127.0.0.1", agent.port, "torchrun"), 20)
        texts = meeting.tell_rank_zero(word)
        return texts, meeting.share(f"answer to {' and '.join(texts)}" if rank == 0 else ""), meeting.store

    with ThreadPoolExecutor() as pool:
        for restarts in range(2):
            first = pool.submit(meet, 0, restarts, f"a{restarts}", 0.5 * restarts)
            second = pool.submit(meet, 1, 0, f"b{restarts}", 0)
            (texts, answer, store), (_, heard, other) = first.result(), second.result()
            assert texts == [f"a{restarts}", f"b{restarts}"]
            assert answer == heard == f"answer to a{restarts} and b{restarts}"
            assert not other.check(["seen"])
            store.set("seen", "1")
            assert other.get("seen") == b"1"
