"""The budget, orphans and duplicates, without a training."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from urllib.parse import unquote

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from trainyard.durability.run_lock import RunLock
from trainyard.sweep import heartbeat as heartbeat_module
from trainyard.sweep import trial_queue as trial_queue_module
from trainyard.sweep.heartbeat import Heartbeat
from trainyard.sweep.outcome import MAX_ATTEMPTS, Outcome
from trainyard.sweep.sampler import ReseededSampler
from trainyard.sweep.space import read_space
from trainyard.sweep.storage import open_storage
from trainyard.sweep.trial_queue import NOBODY, OWNER, TrialQueue
from trainyard.sweep.trials import counted_trials

MACHINES = count()
WIDE, NARROW = ["x=interval(0.0,1.0)"], ["x=choice(1,2,3)", "y=choice(a,b)"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_queue_module, "CLAIM_DELAY", 0.05)
    monkeypatch.setattr(heartbeat_module, "INTERVAL", 0.05)


class Workers:
    """Queues of one study, each as a process of its own would have it."""

    def __init__(self, file: Path, stack: ExitStack) -> None:
        self.file, self.stack = file, stack

    def queue(self, words: list[str], n_trials: int, grace: float = 60) -> TrialQueue:
        study = optuna.create_study(
            study_name="s", storage=open_storage(str(self.file)), load_if_exists=True,
            sampler=ReseededSampler(lambda seed: optuna.samplers.RandomSampler(seed=seed), 0),
        )  # fmt: skip
        heartbeat = Heartbeat(study, str(self.file), grace)
        heartbeat.name = f"machine-{next(MACHINES)} 1 x"  # or they would know each other by this process's number
        self.stack.enter_context(heartbeat)
        return TrialQueue(
            study, read_space({}, words), heartbeat, n_trials, lambda trial: self.file.parent / str(trial.number)
        )


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    with ExitStack() as stack:
        yield Workers(tmp_path / "study.journal", stack)


def work(queue: TrialQueue) -> int:
    done = 0
    while trial := queue.claim():
        queue.finish(trial, Outcome(TrialState.COMPLETE, [0.0]))
        done += 1
    return done


def test_workers_that_ask_at_the_same_time_share_exactly_the_budget(workers: Workers) -> None:
    queues = [workers.queue(WIDE, 10) for _ in range(4)]
    threads = [threading.Thread(target=work, args=(queue,)) for queue in queues]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trials = counted_trials(queues[0].study)
    assert len(trials) == 10 and all(trial.state == TrialState.COMPLETE for trial in trials)
    assert len({trial.params["x"] for trial in trials}) == 10


def test_no_point_is_tried_twice_and_a_finite_space_ends_the_sweep(workers: Workers) -> None:
    queue = workers.queue(NARROW, 50)
    assert work(queue) == 6 and queue.is_exhausted
    assert {(t.params["x"], t.params["y"]) for t in counted_trials(queue.study)} == {
        (x, y) for x in (1, 2, 3) for y in "ab"
    }
    assert work(workers.queue(NARROW, 50)) == 0


def test_an_orphan_is_continued_under_its_own_number_once(workers: Workers) -> None:
    first = workers.queue(WIDE, 3, grace=0.5)
    orphan = first.claim()
    assert orphan is not None
    heirs = [workers.queue(WIDE, 3, grace=0.5) for _ in range(3)]
    assert all(heir.claim_orphan() is None for heir in heirs)  # its owner lives
    first.heartbeat.__exit__()
    found: list[int | None] = []

    def look(heir: TrialQueue) -> None:
        trial = heir.claim_orphan()
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
    first = workers.queue(WIDE, 1)
    trial = first.claim()
    assert trial is not None
    first.release(trial)
    assert first.study.trials[0].user_attrs[OWNER] == NOBODY
    heir = workers.queue(WIDE, 1)
    with RunLock(heir.folder(trial)):
        assert heir.claim() is None
    taken = heir.claim()
    assert taken is not None and taken.number == trial.number


def test_a_trial_whose_values_were_never_drawn_is_taken_out_of_the_count(workers: Workers) -> None:
    queue = workers.queue(WIDE, 1, grace=0.1)
    queue.study.ask()  # killed before its values were there
    for _ in range(40):
        if trial := queue.claim():
            break
        threading.Event().wait(0.05)
    assert trial is not None and trial.number == 1 and len(counted_trials(queue.study)) == 1


def write_resume_point(queue: TrialQueue, trial: FrozenTrial, step: int) -> None:
    folder = queue.folder(trial) / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"resume-{step:09d}.ckpt").touch()


def die_with(queue: TrialQueue) -> tuple[FrozenTrial, int]:
    """Begin with a trial, and leave it as a process that dies does: owned by nobody who lives."""
    trial = queue.claim()
    assert trial is not None
    attempt = queue.begin(trial)
    queue.mark(trial, OWNER, f"{heartbeat_module.machine()} {os.getpid()} of-one-that-died")
    return trial, attempt


def test_attempts_are_counted_in_the_study_until_there_is_progress(workers: Workers) -> None:
    assert [die_with(workers.queue(WIDE, 2))[1] for _ in range(2)] == [1, 2]
    queue = workers.queue(WIDE, 2)
    trial = queue.claim()
    assert trial is not None and queue.begin(trial) == MAX_ATTEMPTS == 3
    queue.release(trial)  # it was asked to stop: this attempt does not count
    trial, attempt = die_with(queue)
    assert attempt == 3
    write_resume_point(queue, trial, 7)
    assert [die_with(workers.queue(WIDE, 2))[1] for _ in range(3)] == [1, 2, 3]
    write_resume_point(queue, trial, 5)  # no progress: another machine's, say
    assert die_with(workers.queue(WIDE, 2))[1] > MAX_ATTEMPTS


def test_a_trial_that_is_stopped_again_and_again_is_left_to_others_but_never_failed(workers: Workers) -> None:
    queue = workers.queue(WIDE, 1)
    for _ in range(3):
        trial = queue.claim()
        assert trial is not None and queue.begin(trial) == 1
        queue.release(trial)
    assert queue.claim() is None and not queue.running()
    heir = workers.queue(WIDE, 1)
    for step in range(5):
        trial = heir.claim()
        assert trial is not None and heir.begin(trial) == 1
        write_resume_point(heir, trial, step)
        heir.release(trial)


def test_the_last_attempt_at_a_trial_is_made_by_a_process_that_runs_no_other(workers: Workers) -> None:
    for _ in range(2):
        die_with(workers.queue(WIDE, 2))
    queue = workers.queue(WIDE, 2)
    new = queue.claim(is_idle=False)
    assert new is not None and new.number == 1
    assert queue.claim(is_idle=False) is None and queue.claim(is_idle=True) is not None


def test_what_is_drawn_for_a_trial_does_not_depend_on_the_process(workers: Workers, tmp_path: Path) -> None:
    work(whole := workers.queue(WIDE, 6))
    other = Workers(tmp_path / "other.journal", workers.stack)
    work(other.queue(WIDE, 2))
    work(again := other.queue(WIDE, 6))
    assert [t.params for t in counted_trials(again.study)] == [t.params for t in counted_trials(whole.study)]


def test_a_trial_that_another_process_finished_is_left_as_it_is(workers: Workers) -> None:
    slow = workers.queue(WIDE, 2)
    trial = slow.claim()
    assert trial is not None
    heir = workers.queue(WIDE, 2)
    heir.mark(trial, OWNER, heir.heartbeat.name)
    slow.finish(trial, Outcome(TrialState.FAIL, reason="it is not its trial any more"))
    heir.finish(trial, Outcome(TrialState.COMPLETE, [1.0]))
    slow.finish(trial, Outcome(TrialState.FAIL, reason="it thinks"))
    slow.release(trial)
    slow.discard(trial, "it thinks")
    assert [(t.state, t.value) for t in counted_trials(slow.study)] == [(TrialState.COMPLETE, 1.0)]


def test_a_process_that_is_gone_is_known_at_once_and_one_elsewhere_by_its_silence(workers: Workers) -> None:
    heartbeat = workers.queue(WIDE, 1, grace=0.5).heartbeat
    ended = subprocess.Popen(["true"])
    ended.wait()
    host = heartbeat_module.machine()
    assert heartbeat.is_dead(f"{host} {ended.pid} x") and heartbeat.is_dead(
        f"{host} {os.getpid()} of-an-earlier-container"
    )
    assert not heartbeat.is_dead(heartbeat.name) and not heartbeat.is_dead(f"{host} {os.getppid()} x")
    assert not heartbeat.is_dead("elsewhere 1 x")
    threading.Event().wait(0.6)
    assert heartbeat.is_dead("elsewhere 1 x")
    living = workers.queue(WIDE, 1).heartbeat
    assert not heartbeat.is_dead(living.name)
    threading.Event().wait(0.6)
    assert not heartbeat.is_dead(living.name)


def beats_seen(watcher: Heartbeat, owner: str) -> int:
    """How many beats of a process were seen, of three."""
    beats: set[int] = set()
    until = time.monotonic() + 10
    while len(beats - {0}) < 3 and time.monotonic() < until:
        beats.add(watcher.last_beat(owner))
        threading.Event().wait(0.02)
    return len(beats - {0})


def test_beats_beside_a_file_leave_the_study_alone_and_no_file_behind(workers: Workers) -> None:
    watcher = workers.queue(WIDE, 1).heartbeat
    before = workers.file.read_bytes()
    with Heartbeat(watcher.study, str(workers.file), 60) as living:
        assert beats_seen(watcher, living.name) == 3
    assert watcher.last_beat(living.name) == 0  # the file is gone
    assert workers.file.read_bytes() == before
    assert [unquote(file.name) for file in workers.file.parent.glob(".heartbeats/*")] == [watcher.name]


def test_beats_in_a_database_are_one_attribute(tmp_path: Path) -> None:
    location = f"sqlite:///{tmp_path}/study.db"
    study = optuna.create_study(study_name="s", storage=open_storage(location))
    living, watcher = Heartbeat(study, location, 60), Heartbeat(study, location, 60)
    living.folder = watcher.folder = None  # as for a database without a file
    with living:
        assert beats_seen(watcher, living.name) == 3
    assert list(study.user_attrs) == [f"beats of {living.name}"] and not list(tmp_path.glob(".heartbeats"))


def test_a_study_of_the_version_whose_beats_were_attributes_is_continued(workers: Workers) -> None:
    first = workers.queue(WIDE, 1, grace=0.3)
    trial = first.claim()
    assert trial is not None
    first.study.set_user_attr("beats of elsewhere 1 y", 12)
    first.mark(trial, OWNER, "elsewhere 1 y")
    heir = workers.queue(WIDE, 1, grace=0.3)
    assert heir.claim() is None
    threading.Event().wait(0.4)
    taken = heir.claim()
    assert taken is not None and taken.number == trial.number
