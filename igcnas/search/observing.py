"""The study as a proposer sees it: first trainings, in the order of their numbers. Repeats are not there.

What was known when a network was proposed can be had again at any time: each record holds which networks were then in
training (`pending`). Proposals and pruning depend on that alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import optuna

from igcnas.network.architecture import Architecture
from igcnas.search.objective import Objective
from igcnas.search.proposals import Observation, Proposal, Proposer
from igcnas.search.records import TrialRecord, records

# By number of a network that has ended: its record, and what a proposer sees of it.
Kept = dict[int, tuple[TrialRecord, Observation]]
# By storage, as `records` keeps what it has read: a search looks at all of them before each training.
_kept: WeakKeyDictionary[optuna.storages.BaseStorage, dict[Objective, Kept]] = WeakKeyDictionary()


def observations(
    study: optuna.Study, objective: Objective, *, known_to: TrialRecord | None = None
) -> list[Observation]:
    """Every network that was trained, pruned or failed, or is in training; or what was known to one when proposed."""
    trials = study.get_trials(deepcopy=False)
    parameters = {trial.number: trial.params for trial in trials}
    kept = _kept.setdefault(study._storage, {}).setdefault(objective, {})
    return observed(records(study), parameters, objective, known_to=known_to, kept=kept)


def observed(
    every: Sequence[TrialRecord],
    parameters: Mapping[int, Mapping[str, Any]],
    objective: Objective,
    *,
    known_to: TrialRecord | None = None,
    kept: Kept | None = None,
) -> list[Observation]:
    """The same of records that are already read. kept: what was found before, which is added to."""
    known = every if known_to is None else known_records(every, known_to)
    before: Kept = {} if kept is None else kept
    found = []
    for record in known:
        if record.repeat == 0:
            same, observation = before.get(record.number, (None, None))
            if same is not record or observation is None:
                observation = _observation(record, parameters[record.number], objective)
                if record.state != "running":
                    before[record.number] = (record, observation)
            found.append(observation)
    return found


def known_records(every: Sequence[TrialRecord], known_to: TrialRecord) -> list[TrialRecord]:
    """The records of lower numbers as they were when this network was proposed: some still in training."""
    return [
        replace(record, state="running") if record.number in known_to.pending else record
        for record in every
        if record.number < known_to.number
    ]


def _observation(record: TrialRecord, parameters: Mapping[str, Any], objective: Objective) -> Observation:
    pending = record.state == "running"
    if pending:  # what came out later is not known yet
        record = replace(record, measured_macs=None, measured_params=None, measured_limits={}, latency_ms=None)
    return Observation(
        parameters=parameters,
        target=record.target,
        cost=objective.judged_cost(record),
        accuracies=() if pending or record.state == "failed" else record.accuracies,
        complete=record.state == "complete",
        known=record.baseline is not None,
        pending=pending,
    )


def replay(
    study: optuna.Study, proposer: Proposer[Architecture], objective: Objective
) -> Iterator[tuple[TrialRecord, Proposal[Architecture] | None]]:
    """Each searched network, and what the proposer proposes from what was known when it was proposed: the same."""
    every = records(study)
    for record in every:
        if record.searched:
            seen = {earlier.canonical_id for earlier in every[: every.index(record)]}
            yield record, proposer.propose(observations(study, objective, known_to=record), seen)
