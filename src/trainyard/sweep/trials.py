"""Which trials of a study count, in which order they began, and which is the best."""

import optuna
from optuna.trial import FrozenTrial, TrialState

DISCARDED, REASON = "discarded", "reason"  # attributes of a trial
REPEATED = (
    "repeated "  # beginning of an attribute of the study, which ends with a trial's number: another does it again
)


def started_before(one: FrozenTrial, other: FrozenTrial) -> bool:
    """Whether a trial started before the other. Of two that each seem to be first both are discarded, never kept."""
    if one.number == other.number or one.datetime_start is None or other.datetime_start is None:
        return one.number < other.number
    return one.number < other.number or one.datetime_start < other.datetime_start


def counted_trials(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    """The trials of the study, without those that were discarded, are repeated, or only wait."""
    wanted = states or (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    repeated = {name for name in study.user_attrs if name.startswith(REPEATED)}
    trials = study.get_trials(deepcopy=False, states=wanted)
    return [t for t in trials if DISCARDED not in t.user_attrs and f"{REPEATED}{t.number}" not in repeated]


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """The best trial; None where there is none yet, and with several objectives."""
    return study.best_trial if len(study.directions) == 1 and counted_trials(study, TrialState.COMPLETE) else None
