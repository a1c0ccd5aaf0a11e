"""All numbers of a report, before any words: what tests, --json and the page share."""

from __future__ import annotations

from dataclasses import dataclass

from igcnas.results.importance import Report as Importance
from igcnas.results.report.content import NetworkFacts
from igcnas.results.report.numbers.chance import Chance, compare_random
from igcnas.results.report.numbers.history import History, history_of
from igcnas.results.report.numbers.known import KnownNetwork, compare_known
from igcnas.results.report.numbers.matters import importance_of
from igcnas.results.report.numbers.networks import facts_of
from igcnas.results.report.numbers.provenance import Provenance, provenance_of
from igcnas.results.report.numbers.spending import Spending, spending_of
from igcnas.results.report.numbers.trust import Trust, trust_of
from igcnas.results.report.numbers.verdict import State, Verdict, state_of, verdict_of
from igcnas.results.report.source import Source
from igcnas.search.records import Tested, exports_of
from igcnas.search.spared import SparedAudit, audit_spared


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """importance: the analysis, or the reason why there is none; None where it was left out. spared: of pruning.

    tested: exports that were measured on the test split.
    """

    state: State
    verdict: Verdict | None
    networks: tuple[NetworkFacts, ...]
    known: tuple[KnownNetwork, ...]
    chance: Chance
    importance: Importance | str | None
    trust: Trust
    history: History
    spending: Spending
    spared: SparedAudit | None
    provenance: Provenance
    tested: tuple[Tested, ...]


def measure(source: Source, *, importance: bool = True) -> Numbers:
    """Everything that a report says, as numbers."""
    trust = trust_of(source)
    return Numbers(
        state=state_of(source),
        verdict=verdict_of(source),
        networks=facts_of(source),
        known=compare_known(source),
        chance=compare_random(source),
        importance=importance_of(source) if importance else None,
        trust=trust,
        history=history_of(source),
        spending=spending_of(source),
        spared=audit_spared(source.study, source.settings),
        provenance=provenance_of(source, trust),
        tested=exports_of(source.folder),
    )
