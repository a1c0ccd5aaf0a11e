"""What a study found, first: the verdict in words, with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

from igcnas.results.report import words
from igcnas.results.report.content import Section
from igcnas.results.report.numbers.baselines import BaselineFacts
from igcnas.results.report.numbers.random_search import RandomSearch
from igcnas.results.report.numbers.verdict import Candidate, State, Verdict
from igcnas.results.report.sections.baselines import baselines_sentence
from igcnas.results.report.sections.random_search import random_search_sentence
from igcnas.results.table import Column, Table
from igcnas.search.records import Tested
from igcnas.search.study import Study
from igcnas.statistics.noise import seed_words
from igcnas.statistics.racing import SPLIT_NOTE
from igcnas.units import counted, mega

LIKELY = 0.5  # probability of being the best from which the first is called probably so
_SHOWN = 8


def verdict_words(verdict: Verdict | None, state: State) -> str:
    """The first paragraph: who is best, and how sure that is."""
    if verdict is None:
        return (
            f"None of the {words.counted(state.trained, 'trained network')} keeps the budget after training, so the "
            "study has no result."
        )
    first = verdict.first
    spread = (
        "in a single training"
        if first.sd is None
        else f"the mean of {counted(first.n, 'training')} with different seeds (sd {first.sd:.2f})"
    )
    who = f"{first.name}, a baseline" if first.name else f"network {first.number}"
    found = f"It costs {first.costs} and reaches {first.mean:.2f} % validation accuracy, {spread}. It is {first.label}."
    if verdict.contenders == 1:
        return f"Only one network that keeps the budget was trained, {who}, so there is nothing to choose from. {found}"
    sure = f"the best of the {verdict.contenders} trained networks with probability {_probability(first)}"
    others = len(verdict.others)
    rivals = f"{words.counted(others, 'other')} may be the best, too" if others else "no other comes close"
    if verdict.separated:
        return (
            f"The best network is {who}. {found} It is {sure}: this is settled, as far as seeds on these images can "
            "tell."
        )
    if first.probability >= LIKELY:
        return f"The best network is probably {who}. {found} It is {sure}; {rivals}, so this is not settled."
    return (
        f"This study cannot tell which of its networks is the best. Its first choice is {who}, {sure}; {rivals}. "
        f"{found}"
    )


def _probability(candidate: Candidate) -> str:
    return "above 0.99" if candidate.probability > 0.99 else f"{candidate.probability:.2f}"


def summary(
    study: Study,
    verdict: Verdict | None,
    state: State,
    baselines: tuple[BaselineFacts, ...],
    random_search: RandomSearch,
    *,
    checks: str = "",
    exports: Sequence[Tested] = (),
) -> Section:
    """The verdict, then what it rests on. checks: what audits say of the short training, in one sentence."""
    paragraphs = [verdict_words(verdict, state)]
    expected = f"{_expected(verdict)}." if _chosen(verdict) else ""
    beside = [
        expected,
        baselines_sentence(baselines, study),
        random_search_sentence(random_search, study.axis.equal),
        checks,
    ]
    beside.append(export_sentence([one for one in exports if one.finished] or exports[:1]))
    paragraphs.append(" ".join(sentence for sentence in beside if sentence))
    paragraphs.append(_progress(study, verdict, state))
    return Section(
        key="summary",
        title="Summary",
        paragraphs=tuple(paragraph for paragraph in paragraphs if paragraph),
        commands=() if _chosen(verdict) else (study.command("status {}"),),
    )


def export_sentence(exports: Sequence[Tested]) -> str:
    """What exports measured on the test split; '' for none."""
    if not exports:
        return ""
    how = {True: "trained to the end", False: "exported"}
    said = words.listed(
        [f"network {one.number}, {how[one.finished]} in {one.folder}/, {one.words()}" for one in exports]
    )
    times = words.listed([f"network {one.number} takes {one.times[0]}" for one in exports if one.times])
    took = f" Exported, {times}." if times else ""
    return f"On the test split, which chose nothing here: {said}.{took}"


def _chosen(verdict: Verdict | None) -> TypeGuard[Verdict]:
    """Whether there was a choice of networks."""
    return verdict is not None and verdict.contenders > 1


def _expected(verdict: Verdict) -> str:
    first = verdict.first
    return (
        f"What many seeds would average to on these validation images is expected at {first.expected:.2f} ± "
        f"{first.uncertainty:.2f} % (sd)"
    )


def candidates_sections(study: Study, verdict: Verdict | None, state: State) -> tuple[Section, ...]:
    """Who else may be the best, and how far single accuracies are believed; none without a choice."""
    if not _chosen(verdict):
        return ()
    paragraph = (
        f"The highest of so many single trainings flatters: {_flattery(verdict)}; "
        f"{seed_words(verdict.seed_sd, verdict.seed_degrees)}. So those that may be the best were trained again with "
        f"other seeds, as far as the study allowed it. Accuracies are on the {study.images:,} validation images, not "
        f"on the test split; {SPLIT_NOTE}."
    )
    return (
        Section(
            key="candidates",
            title="Which network is the best",
            paragraphs=(paragraph,),
            tables=(_table(verdict),) if verdict.others else (),
            commands=_next(study, state),
        ),
    )


def _flattery(verdict: Verdict) -> str:
    """How far the best single training is above what its network is expected to average to, or below it."""
    over, usual = round(verdict.optimism, 2), verdict.typical_optimism
    if over < 0:
        return (
            f"here it does not, and is {-over:.2f} points below what its network is expected to average to "
            f"({usual:.2f} above would be usual)"
        )
    return f"here it overstates its network by {abs(over):.2f} points ({usual:.2f} would be usual)"


def _progress(study: Study, verdict: Verdict | None, state: State) -> str:
    held = (
        f"The study holds {words.counted(state.networks, 'network')} ({state.trained} trained to the end"
        f"{f', {state.pruned} pruned' if state.pruned else ''}) and "
        f"{words.counted(state.repeats, 'repeat')} with further seeds"
    )
    notes = []
    if state.over_budget:
        notes.append(f"{state.over_budget} came out of training above the budget and cannot win")
    if state.failed:
        notes.append(f"{words.counted(state.failed, 'training')} failed")
    text = held + (f"; {words.listed(notes)}." if notes else ".")
    if state.in_use:
        return f"{text} A search is running now, with {state.running} in training: all numbers are of this moment."
    if state.stopped:
        return (
            f"{text} Its last run was stopped or killed with {words.counted(state.stopped, 'training')} unfinished; "
            "the command that began it goes on from there."
        )
    return f"{text} Nothing is in training."


def _table(verdict: Verdict) -> Table:
    candidates = (verdict.first, *verdict.others)[:_SHOWN]
    left = 1 + len(verdict.others) - len(candidates)
    return Table.of(
        _CANDIDATES,
        candidates,
        caption="Networks that may be the best",
        note="n: trainings. Expected: the accuracy that many seeds would average to, with its standard deviation; a "
        "single high accuracy counts for less than a mean. Probability: that no other network of the study is better "
        "in the mean over many seeds on these images."
        + (f" {words.counted(left, 'network')} more with 1 % or more." if left else ""),
    )


_CANDIDATES = (
    Column.numbers("network", lambda one: one.number),
    Column.numbers("MFLOPs", lambda one: one.macs, mega),
    Column.numbers("mean", lambda one: one.mean, ".2f", unit="%"),
    Column.numbers("sd", lambda one: one.sd, ".2f"),
    Column.numbers("n", lambda one: one.n),
    Column.numbers("expected", lambda one: f"{one.expected:.2f} ± {one.uncertainty:.2f}", unit="%"),
    Column.numbers("probability", lambda one: one.probability, ".2f"),
    Column.words("what it is", lambda one: one.name or one.label),
)


def _next(study: Study, state: State) -> tuple[str, ...]:
    """What to run next."""
    if state.in_use:
        return (study.command("status {}"),)
    return (study.command("retrain {}"), study.command("audit {}"), study.command("export {}"))
