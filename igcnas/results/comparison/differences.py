"""Is one method better than another? Tests between repeated searches, in which a search is one value.

Networks of one search, and seeds of one network, are no repeats of a search: they say nothing of what another search by
the same method would find. Where two methods were run with the same seeds, searches of one seed share their validation
images and are compared in pairs (changes of sign); else all are compared with all. Both are permutation tests of the
mean. p values are corrected for all comparisons together (Holm). Intervals are of the mean difference, by Student's t
of pairs or Welch, and take the values to be normal, which the tests do not; the verdict is by the tests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from igcnas.results.comparison.methods import Method
from igcnas.statistics import permutation
from igcnas.statistics.intervals import holm, mean, t_interval, welch

LEVEL = 0.05
# Of the measures that are tested: what they are called.
MEASURES = {"hypervolume": "hypervolume", "best": "expected accuracy of the best network"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """First method minus second in the mean of one measure, with its 95 % interval.

    n: searches of each; paired: by seed. won: pairs in which the first is higher (of pairs by seed, else of all pairs),
    equal ones as a half; of: how many there are. p_holm: corrected. least: the lowest p that so many searches can give.
    verdict: 'better', 'worse' (the first), 'undecided', or 'too few searches', where no result could have been shown.
    """

    first: str
    second: str
    measure: str
    n: tuple[int, int]
    paired: bool
    difference: float
    low: float
    high: float
    won: float
    of: int
    p: float
    least: float
    p_holm: float = 1.0
    verdict: str = "undecided"


def differences(methods: Sequence[Method], values: Mapping[str, Mapping[str, float]]) -> list[Difference]:
    """Each pair of methods in each measure; values: by measure, then by name of the study."""
    found = [
        _difference(first, second, measure, values[measure])
        for measure in values
        for first, second in combinations(methods, 2)
        if max(len(first.searches), len(second.searches)) > 1
    ]
    if not found:
        return []
    corrected = holm([one.p for one in found])
    hopeless = min(one.least for one in found) * len(found) > LEVEL
    return [
        replace(one, p_holm=p, verdict=_verdict(one, p, hopeless=hopeless))
        for one, p in zip(found, corrected, strict=True)
    ]


def searches_needed(comparisons: int) -> int:
    """How many seeds each method must share with the others, so that so many comparisons could show anything."""
    return next(n for n in range(2, 60) if 2.0 / 2.0**n * comparisons <= LEVEL)


def _verdict(one: Difference, p: float, *, hopeless: bool) -> str:
    if hopeless or one.least > LEVEL:
        return "too few searches"
    if p >= LEVEL:
        return "undecided"
    return "better" if one.difference > 0 else "worse"


def _difference(first: Method, second: Method, measure: str, values: Mapping[str, float]) -> Difference:
    mine = [(search.seed, values[search.name]) for search in first.searches]
    theirs = [(search.seed, values[search.name]) for search in second.searches]
    xs, ys = [value for _, value in mine], [value for _, value in theirs]
    common = {"first": first.name, "second": second.name, "measure": measure, "n": (len(xs), len(ys))}
    if _pairs(mine, theirs):
        by_seed = dict(theirs)
        apart = [value - by_seed[seed] for seed, value in mine]
        low, high = t_interval(apart)
        return Difference(
            **common,  # type: ignore[arg-type]
            paired=True,
            difference=mean(apart),
            low=low,
            high=high,
            won=math.fsum(_win(value) for value in apart),
            of=len(apart),
            p=permutation.paired(apart),
            least=permutation.smallest_paired(len(apart)),
        )
    spread = welch(xs, ys)
    return Difference(
        **common,  # type: ignore[arg-type]
        paired=False,
        difference=spread.difference,
        low=spread.low,
        high=spread.high,
        won=math.fsum(_win(x - y) for x in xs for y in ys),
        of=len(xs) * len(ys),
        p=permutation.unpaired(xs, ys),
        least=permutation.smallest_unpaired(len(xs), len(ys)),
    )


def _pairs(mine: Sequence[tuple[int, float]], theirs: Sequence[tuple[int, float]]) -> bool:
    """Whether the same seeds were used, each once."""
    seeds, others = [seed for seed, _ in mine], [seed for seed, _ in theirs]
    return sorted(seeds) == sorted(others) and len(set(seeds)) == len(seeds) > 1


def _win(difference: float) -> float:
    return 0.5 if difference == 0 else float(difference > 0)
