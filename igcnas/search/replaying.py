"""The proposals of a study once more, from its records alone: each with what was known when it was made."""

from __future__ import annotations

from collections.abc import Iterator

import optuna

from igcnas.architecture import Architecture
from igcnas.proposals import Proposal, Proposer
from igcnas.records import TrialRecord, records
from igcnas.search.observing import observations


def replay(
    study: optuna.Study, proposer: Proposer[Architecture], objective: str
) -> Iterator[tuple[TrialRecord, Proposal[Architecture] | None]]:
    """Each searched network, and what the proposer proposes from what was known when it was proposed: the same."""
    every = records(study)
    for record in every:
        if record.searched:
            seen = {earlier.canonical_id for earlier in every[: every.index(record)]}
            yield record, proposer.propose(observations(study, objective, known_to=record), seen)
