"""The study as a proposer sees it: first trainings that ended, in the order of their numbers. Repeats are not there."""

from __future__ import annotations

import optuna

from igcnas.proposals import Observation
from igcnas.records import TrialRecord, records


def observations(study: optuna.Study, objective: str) -> list[Observation]:
    """Every network that was trained, pruned or failed; one in training is not known of yet."""
    parameters = {trial.number: trial.params for trial in study.get_trials(deepcopy=False)}
    return [
        _observation(record, parameters[record.number], objective)
        for record in records(study)
        if record.repeat == 0 and record.state != "running"
    ]


def compared_cost(record: TrialRecord, objective: str) -> float:
    """The cost at which a network is judged: that of the front; where only accuracy counts, the same for all.

    Else a network would gain by leaving a part of the budget unused.
    """
    return 1.0 if objective == "accuracy" else record.cost(objective)


def _observation(record: TrialRecord, parameters: dict[str, object], objective: str) -> Observation:
    return Observation(
        parameters=parameters,
        target_macs=record.target_macs,
        cost=compared_cost(record, objective),
        accuracies=() if record.state == "failed" else record.accuracies,
        complete=record.state == "complete",
        known=record.baseline is not None,
    )
