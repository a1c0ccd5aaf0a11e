"""The racing phase: who may be the best is trained again with further seeds, until it is known.

A repeat is a trial without parameters: no sampler ever sees it. Which network is next follows from the accuracies in
the study alone, so that a study that was interrupted here, too, goes on as an uninterrupted one. A repeat that is in
training in another worker counts as if it had ended at the accuracy that is expected of its network: so the next one is
chosen for what it would add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from igcnas.network.budget import Budget
from igcnas.search.records import Network, TrialRecord, networks, repeats
from igcnas.statistics import racing


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeating:
    """seeds: most trainings of a network. allowance: most repeats of the study, earlier runs included."""

    budget: Budget
    images: int
    seeds: int = 1
    allowance: int = 0

    def next(self, every: Sequence[TrialRecord]) -> tuple[TrialRecord, int] | None:
        """The network to train again, and the number of that repeat; None where nothing more is to be learned now.

        A network of which a repeat has failed is not repeated again.
        """
        done = repeats(every)
        contenders = _contenders(every, self.budget)
        failed = {r.repeat_of for r in done if r.state == "failed"}
        named = {name: one for name, one in contenders.items() if one.record.number not in failed}
        if self.seeds < 2 or len(done) >= self.allowance or len(contenders) < 2 or not named:
            return None
        accuracies = {name: one.accuracies for name, one in named.items()}
        training = [r.repeat_of for r in done if r.state == "running"]
        if training:
            expected = racing.expected(accuracies, images=self.images)
            for name, one in named.items():
                accuracies[name] += (expected[name],) * training.count(one.record.number)
        chosen = racing.next_repeat(accuracies, seeds=self.seeds, images=self.images)
        if chosen is None:
            return None
        record = named[chosen].record
        return record, 1 + max((r.repeat for r in done if r.repeat_of == record.number), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who leads a study: the network, how sure that is (`race`), and the others that may be best, in race's order."""

    first: Network
    race: racing.Standing
    runners_up: tuple[Network, ...]


def standing(every: Sequence[TrialRecord], *, budget: Budget, images: int) -> Standing | None:
    """The network of the highest expected accuracy within the budget; None where none was trained.

    Expected: a single high accuracy counts for less than a mean over seeds. Of equal ones the cheapest is first.
    """
    named = _contenders(every, budget)
    if not named:
        return None
    race = racing.standing({name: one.accuracies for name, one in named.items()}, images=images)
    return Standing(
        first=named[race.first.name], race=race, runners_up=tuple(named[one.name] for one in race.runners_up)
    )


def _contenders(every: Sequence[TrialRecord], budget: Budget) -> Mapping[str, Network]:
    """By a name that sorts by cost, then by age: of equal networks `racing` takes the first."""
    return {
        f"{one.record.final_macs:015d}/{one.record.number:09d}": one
        for one in networks(every)
        if one.record.within(budget)
    }
