"""The study as a proposer sees it: first trainings, in the order of their numbers. Repeats are not there.

What was known when a network was proposed can be had again at any time: each record holds which networks were then in
training (`pending`). Proposals and pruning depend on that alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import optuna

from igcnas.network.architecture import Architecture
from igcnas.search.proposals import Observation, Proposal, Proposer
from igcnas.search.records import TrialRecord, records


def observations(study: optuna.Study, objective: str, *, known_to: TrialRecord | None = None) -> list[Observation]:
    """Every network that was trained, pruned or failed, or is in training; or what was known to one when proposed."""
    parameters = {trial.number: trial.params for trial in study.get_trials(deepcopy=False)}
    every = records(study) if known_to is None else known_records(records(study), known_to)
    return [_observation(record, parameters[record.number], objective) for record in every if record.repeat == 0]


def known_records(every: list[TrialRecord], known_to: TrialRecord) -> list[TrialRecord]:
    """The records of lower numbers as they were when this network was proposed: some still in training."""
    return [
        replace(record, state="running") if record.number in known_to.pending else record
        for record in every
        if record.number < known_to.number
    ]


def compared_cost(record: TrialRecord, objective: str) -> float:
    """The cost at which a network is judged: that of the front; where only accuracy counts, the same for all.

    Else a network would gain by leaving a part of the budget unused.
    """
    return 1.0 if objective == "accuracy" else record.cost(objective)


def _observation(record: TrialRecord, parameters: dict[str, object], objective: str) -> Observation:
    pending = record.state == "running"
    if pending:  # what came out later is not known yet
        record = replace(record, measured_macs=None, measured_params=None, latency_ms=None)
    return Observation(
        parameters=parameters,
        target_macs=record.target_macs,
        cost=compared_cost(record, objective),
        accuracies=() if pending or record.state == "failed" else record.accuracies,
        complete=record.state == "complete",
        known=record.baseline is not None,
        pending=pending,
    )


def replay(
    study: optuna.Study, proposer: Proposer[Architecture], objective: str
) -> Iterator[tuple[TrialRecord, Proposal[Architecture] | None]]:
    """Each searched network, and what the proposer proposes from what was known when it was proposed: the same."""
    every = records(study)
    for record in every:
        if record.searched:
            seen = {earlier.canonical_id for earlier in every[: every.index(record)]}
            yield record, proposer.propose(observations(study, objective, known_to=record), seen)
