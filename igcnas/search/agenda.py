"""What a search trains next: baselines, then proposals, then repeats, decided anew from the records each time.

With several workers the phases still follow each other. Proposals need not wait for the last baselines, except
where the study prunes: these lay the curve by which others are ended. Repeats wait until every first training has
ended: until then it is not known who may be the best.
"""

from __future__ import annotations

from collections.abc import Container

import optuna

from igcnas.network.architecture import Architecture
from igcnas.network.baselines import Baseline
from igcnas.network.canonical import canonical_id
from igcnas.search.observing import observations
from igcnas.search.proposals import Proposer
from igcnas.search.queue import Queue
from igcnas.search.records import TrialRecord, counted, records
from igcnas.search.repeating import Repeating
from igcnas.search.settings import StudySettings


class Agenda:
    """Finds the next training of a study and enters it there. known: the baselines, in order."""

    def __init__(
        self,
        study: optuna.Study,
        settings: StudySettings,
        queue: Queue,
        proposer: Proposer[Architecture],
        known: tuple[Baseline, ...],
    ) -> None:
        self.study, self.settings, self.queue, self.proposer, self.known = study, settings, queue, proposer, known
        self._exhausted = False

    def next(self, networks: int, racing: Repeating, training: Container[int]) -> optuna.Trial | None:
        """The next training: left or queued by an earlier run, a baseline, a proposal, a repeat.

        None where there is nothing to begin: at the end, or until one of those in training (their numbers) has ended.
        """
        earlier = self.queue.unfinished(training) or self.queue.waiting()
        if earlier is not None:
            return earlier
        every = records(self.study)
        firsts = [record for record in every if record.state == "running" and record.repeat == 0]
        if counted(every) + len(firsts) < networks and not self._exhausted:
            seen = {record.canonical_id for record in every}
            if self._add_known(seen, firsts):
                return self.study.ask()
            if self.settings.pruner != "none" and any(record.baseline is not None for record in firsts):
                return None
            if self._add_proposal(seen, firsts):
                return self.study.ask()
            self._exhausted = True
        repeat = None if firsts else racing.next(every)
        if repeat is None:
            return None
        self.queue.add_repeat(*repeat)
        return self.study.ask()

    def _add_known(self, seen: set[str], firsts: list[TrialRecord]) -> bool:
        """Queue the next baseline; False where there is no other."""
        for known in self.known:
            key = canonical_id(known.fit.architecture)
            if key not in seen:
                self.queue.add(
                    known.fit.architecture,
                    canonical_id=key,
                    target=known.target,
                    baseline=known.name,
                    pending=_numbers(firsts),
                )
                return True
        return False

    def _add_proposal(self, seen: set[str], firsts: list[TrialRecord]) -> bool:
        """Queue a proposal; False where the space holds no other network."""
        proposal = self.proposer.propose(observations(self.study, self.settings.compares), seen)
        if proposal is None:
            return False
        found = proposal.candidate
        self.queue.add(
            found.network,
            canonical_id=found.key,
            target=proposal.target,
            parameters=proposal.parameters,
            origin=proposal.origin,
            pending=_numbers(firsts),
        )
        return True


def _numbers(training: list[TrialRecord]) -> list[int]:
    return [record.number for record in training]
