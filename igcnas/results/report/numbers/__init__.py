"""All numbers of a report, before any words: what tests, --json and the page share."""

from __future__ import annotations

from dataclasses import dataclass

from igcnas.results.importance import Report as Importance
from igcnas.results.report.content import NetworkFacts
from igcnas.results.report.numbers.answers import Answered, answers_of
from igcnas.results.report.numbers.baselines import BaselineFacts, compare_baselines
from igcnas.results.report.numbers.checks import Checks, checks_of
from igcnas.results.report.numbers.history import History, history_of
from igcnas.results.report.numbers.importance import importance_of
from igcnas.results.report.numbers.networks import facts_of
from igcnas.results.report.numbers.provenance import Provenance, provenance_of
from igcnas.results.report.numbers.random_search import RandomSearch, compare_random
from igcnas.results.report.numbers.spending import Spending, spending_of
from igcnas.results.report.numbers.verdict import State, Verdict, state_of, verdict_of
from igcnas.search.records import Tested, exports_of
from igcnas.search.spared import SparedCount, count_spared
from igcnas.search.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """importance: the analysis, or the reason why there is none; None where it was left out. spared: of pruning.

    tested: exports that were measured on the test split. answers: what igcnas evaluate found of the exported networks.
    """

    state: State
    verdict: Verdict | None
    networks: tuple[NetworkFacts, ...]
    baselines: tuple[BaselineFacts, ...]
    random_search: RandomSearch
    importance: Importance | str | None
    checks: Checks
    history: History
    spending: Spending
    spared: SparedCount | None
    provenance: Provenance
    tested: tuple[Tested, ...]
    answers: tuple[Answered, ...] = ()


def measure(study: Study, *, importance: bool = True) -> Numbers:
    """Everything that a report says, as numbers."""
    checks = checks_of(study)
    return Numbers(
        state=state_of(study),
        verdict=verdict_of(study),
        networks=facts_of(study),
        baselines=compare_baselines(study),
        random_search=compare_random(study),
        importance=importance_of(study) if importance else None,
        checks=checks,
        history=history_of(study),
        spending=spending_of(study),
        spared=count_spared(study),
        provenance=provenance_of(study, checks),
        tested=exports_of(study.folder),
        answers=answers_of(study),
    )
