"""How far a study is, and who leads it: numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from igcnas.search.records import Network, TrialRecord, counted, repeats
from igcnas.search.study import Study
from igcnas.statistics.racing import Contender

CLEAR = 0.95  # probability of being the best that settles it; racing repeats networks until it is reached


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far a study is: trainings by their end, as `igcnas status` counts them.

    networks: known and searched, trained or pruned. stopped: trainings that a run left unfinished. in_use: a search
    runs now. over_budget: trained networks that cost more than the budget after training.
    """

    networks: int
    trained: int
    pruned: int
    failed: int
    running: int
    repeats: int
    over_budget: int
    in_use: bool

    @property
    def stopped(self) -> int:
        """Trainings that no run is at work on."""
        return 0 if self.in_use else self.running


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A network that may be the best: what was measured, and what follows from all trainings of the study.

    cost: what the study compares at, in the units of its axis. costs: all that it limits or compares, in words.
    """

    number: int
    name: str
    label: str
    cost: float
    costs: str
    macs: int
    mean: float
    sd: float | None
    n: int
    expected: float
    uncertainty: float
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """first: the network of the highest expected accuracy. others: those that are the best with 1 % or more.

    optimism, typical_optimism, seed_sd, seed_degrees: as in `racing.Standing`, in points.
    """

    first: Candidate
    others: tuple[Candidate, ...]
    contenders: int
    trainings: int
    optimism: float
    typical_optimism: float
    seed_sd: float
    seed_degrees: int = 0

    @property
    def separated(self) -> bool:
        """Whether the study knows which network is the best."""
        return self.first.probability >= CLEAR


def state_of(study: Study) -> State:
    """Counts of a study."""
    every = study.records
    return State(
        networks=counted(every),
        trained=len(study.networks),
        pruned=_count(every, "pruned"),
        failed=_count(every, "failed"),
        running=_count(every, "running"),
        repeats=_count(repeats(every), "complete"),
        over_budget=sum(not one.record.within(study.budget) for one in study.networks),
        in_use=study.in_use,
    )


def _count(every: Sequence[TrialRecord], state: str) -> int:
    return sum(record.state == state for record in every)


def verdict_of(study: Study) -> Verdict | None:
    """Who leads; None where no trained network keeps the budget."""
    standing = study.standing
    if standing is None:
        return None
    race = standing.race
    pairs = zip(standing.runners_up, race.runners_up, strict=True)
    return Verdict(
        first=_candidate(study, standing.first, race.first),
        others=tuple(_candidate(study, network, contender) for network, contender in pairs),
        contenders=race.networks,
        trainings=race.trainings,
        optimism=race.optimism,
        typical_optimism=race.typical_optimism,
        seed_sd=race.seed_sd,
        seed_degrees=race.seed_degrees,
    )


def _candidate(study: Study, network: Network, contender: Contender) -> Candidate:
    record = network.record
    return Candidate(
        number=record.number,
        name=record.baseline or "",
        label=record.architecture.label(),
        cost=study.cost(record),
        costs=study.costs.words(record),
        macs=record.final_macs,
        mean=network.mean,
        sd=network.sd,
        n=network.n,
        expected=contender.expected,
        uncertainty=contender.uncertainty,
        probability=contender.probability,
    )
