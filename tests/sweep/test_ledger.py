"""The budget, orphans and duplicates, without a training."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from trainyard.reliability.folder import RunFolder
from trainyard.sweep import heart as heart_module
from trainyard.sweep import ledger as ledger_module
from trainyard.sweep.heart import Heart
from trainyard.sweep.ledger import NOBODY, OWNER, Ledger, counted
from trainyard.sweep.outcome import Outcome
from trainyard.sweep.sampler import Reseeded
from trainyard.sweep.space import read_space
from trainyard.sweep.storage import open_storage

MACHINES = count()
WIDE, NARROW = ["x=interval(0.0,1.0)"], ["x=choice(1,2,3)", "y=choice(a,b)"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "SETTLE", 0.05)
    monkeypatch.setattr(heart_module, "EVERY", 0.05)


class Workers:
    """Ledgers of one study, each as a process of its own would have it."""

    def __init__(self, file: Path, stack: ExitStack) -> None:
        self.file, self.stack = file, stack

    def ledger(self, words: list[str], n_trials: int, grace: float = 60) -> Ledger:
        study = optuna.create_study(
            study_name="s", storage=open_storage(str(self.file)), load_if_exists=True,
            sampler=Reseeded(lambda seed: optuna.samplers.RandomSampler(seed=seed), 0),
        )  # fmt: skip
        heart = Heart(study, str(self.file), grace)
        heart.name = f"machine-{next(MACHINES)} 1 x"  # or they would know each other by this process's number
        self.stack.enter_context(heart)
        return Ledger(study, read_space({}, words), heart, n_trials, lambda trial: self.file.parent / str(trial.number))


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    with ExitStack() as stack:
        yield Workers(tmp_path / "study.journal", stack)


def work(ledger: Ledger) -> int:
    done = 0
    while trial := ledger.next():
        ledger.finish(trial, Outcome(TrialState.COMPLETE, [0.0]))
        done += 1
    return done


def test_workers_that_ask_at_the_same_time_share_exactly_the_budget(workers: Workers) -> None:
    ledgers = [workers.ledger(WIDE, 10) for _ in range(4)]
    threads = [threading.Thread(target=work, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trials = counted(ledgers[0].study)
    assert len(trials) == 10 and all(trial.state == TrialState.COMPLETE for trial in trials)
    assert len({trial.params["x"] for trial in trials}) == 10


def test_no_point_is_tried_twice_and_a_finite_space_ends_the_sweep(workers: Workers) -> None:
    ledger = workers.ledger(NARROW, 50)
    assert work(ledger) == 6 and ledger.is_exhausted
    assert {(t.params["x"], t.params["y"]) for t in counted(ledger.study)} == {(x, y) for x in (1, 2, 3) for y in "ab"}
    assert work(workers.ledger(NARROW, 50)) == 0


def test_an_orphan_is_gone_on_with_under_its_own_number_once(workers: Workers) -> None:
    first = workers.ledger(WIDE, 3, grace=0.5)
    orphan = first.next()
    assert orphan is not None
    heirs = [workers.ledger(WIDE, 3, grace=0.5) for _ in range(3)]
    assert all(heir.orphan() is None for heir in heirs)  # its owner lives
    first.heart.__exit__()
    found: list[int | None] = []

    def look(heir: Ledger) -> None:
        trial = heir.orphan()
        found.append(trial and trial.number)

    for _ in range(40):
        threads = [threading.Thread(target=look, args=(heir,)) for heir in heirs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if any(number is not None for number in found):
            break
        threading.Event().wait(0.05)
    assert [number for number in found if number is not None] == [orphan.number]


def test_a_released_trial_is_taken_at_once_but_not_while_its_training_still_ends(workers: Workers) -> None:
    first = workers.ledger(WIDE, 1)
    trial = first.next()
    assert trial is not None
    first.release(trial)
    assert first.study.trials[0].user_attrs[OWNER] == NOBODY
    heir = workers.ledger(WIDE, 1)
    with RunFolder(heir.folder(trial)):
        assert heir.next() is None
    taken = heir.next()
    assert taken is not None and taken.number == trial.number


def test_a_trial_whose_values_were_never_drawn_is_taken_out_of_the_count(workers: Workers) -> None:
    ledger = workers.ledger(WIDE, 1, grace=0.1)
    ledger.study.ask()  # killed before its values were there
    for _ in range(40):
        if trial := ledger.next():
            break
        threading.Event().wait(0.05)
    assert trial is not None and trial.number == 1 and len(counted(ledger.study)) == 1


def test_what_is_drawn_for_a_trial_does_not_hang_on_the_process(workers: Workers, tmp_path: Path) -> None:
    work(whole := workers.ledger(WIDE, 6))
    other = Workers(tmp_path / "other.journal", workers.stack)
    work(other.ledger(WIDE, 2))
    work(again := other.ledger(WIDE, 6))
    assert [t.params for t in counted(again.study)] == [t.params for t in counted(whole.study)]


def test_a_trial_that_another_process_finished_is_left_as_it_is(workers: Workers) -> None:
    slow = workers.ledger(WIDE, 2)
    trial = slow.next()
    assert trial is not None
    workers.ledger(WIDE, 2).finish(trial, Outcome(TrialState.COMPLETE, [1.0]))
    slow.finish(trial, Outcome(TrialState.FAIL, reason="it thinks"))
    slow.release(trial)
    slow.discard(trial, "it thinks")
    assert [(t.state, t.value) for t in counted(slow.study)] == [(TrialState.COMPLETE, 1.0)]


def test_a_process_that_is_gone_is_known_at_once_and_one_elsewhere_by_its_silence(workers: Workers) -> None:
    heart = workers.ledger(WIDE, 1, grace=0.5).heart
    ended = subprocess.Popen(["true"])
    ended.wait()
    host = heart_module.machine()
    assert heart.is_dead(f"{host} {ended.pid} x") and heart.is_dead(f"{host} {os.getpid()} of-an-earlier-container")
    assert not heart.is_dead(heart.name) and not heart.is_dead(f"{host} {os.getppid()} x")
    assert not heart.is_dead("elsewhere 1 x") and not heart.is_alive("elsewhere 1 x")
    threading.Event().wait(0.6)
    assert heart.is_dead("elsewhere 1 x")
    living = workers.ledger(WIDE, 1).heart
    assert not heart.is_dead(living.name)
    threading.Event().wait(0.6)
    assert not heart.is_dead(living.name) and heart.is_alive(living.name)
