"""The baselines against those of the search, in words and as a table."""

from __future__ import annotations

from igcnas.results.report.content import Section
from igcnas.results.report.numbers.baselines import BaselineFacts
from igcnas.results.report.words import counted, interval, listed, points
from igcnas.results.table import Column, Table
from igcnas.search.study import Study
from igcnas.units import mega

_SAID = 2  # differences that the summary spells out; the table has all
_TITLE = "Against baselines"
_DEARER = 1.1  # times the cost from which a baseline is called dearer


def baselines_sentence(baselines: tuple[BaselineFacts, ...], study: Study) -> str:
    """What was won against each baseline, for the summary; '' where there is nothing to say."""
    matched = [one for one in baselines if one.rival is not None]
    if not matched:
        return ""
    of = {verdict: [one for one in matched if one.verdict == verdict] for verdict in ("beaten", "open", "ahead")}
    where = f"At equal or fewer {study.axis.equal}" if study.objective.spread else "Within the budget"
    total = counted(len(baselines), "baseline")
    if len(of["beaten"]) == len(baselines):
        won = f"a better network than {_all(len(baselines))}"
    elif of["beaten"]:
        won = f"a better network than {len(of['beaten'])} of the {total}"
    else:
        won = f"no network that is shown to be better than any of the {total}"
    said = _spelled_out(of["beaten"], of["ahead"], of["open"])
    parts = [
        f"{where}, the search has found {won} that {'was' if len(baselines) == 1 else 'were'} trained alike"
        + (f": {_differences(of['beaten'], said, study)}" if of["beaten"] else "")
    ]
    if of["open"]:
        parts.append(f"Not told apart by these trainings: {_differences(of['open'], said, study)}")
    if of["ahead"]:
        parts.append(f"Still better than what the search has found: {_differences(of['ahead'], said, study)}")
    alone = [one for one in baselines if one.rival is None]
    if alone:
        named = _named(alone) if len(alone) + len(said) <= _SAID else counted(len(alone), "further baseline")
        parts.append(f"Nothing as cheap was searched as {named}")
    everyone = f"; all baselines are under “{_TITLE}”" if len(baselines) > len(said) else ""
    return f"{'. '.join(parts)}. In brackets: 95 % intervals, for one pair at a time{everyone}."


def _spelled_out(*kinds: list[BaselineFacts]) -> set[int]:
    """Numbers of the few that the summary names: the dearest of each kind first."""
    ranked = sorted(
        (place, kind, one.number)
        for kind, some in enumerate(kinds)
        for place, one in enumerate(sorted(some, key=_dearest))
    )
    return {number for _, _, number in ranked[:_SAID]}


def _dearest(one: BaselineFacts) -> tuple[float, str]:
    return -one.cost, one.name


def _differences(some: list[BaselineFacts], said: set[int], study: Study) -> str:
    """By how much each differs from the best searched network that costs no more; the dearest first."""
    parts = [_difference(one, study) for one in sorted(some, key=_dearest) if one.number in said]
    rest = sorted(one.rival.gap.difference for one in some if one.rival is not None and one.number not in said)
    if rest:
        span = points(rest[0]) if len(rest) == 1 else f"{points(rest[0])} to {points(rest[-1])}"
        parts.append(f"{len(rest)}{' more' if parts else ''} by {span} points")
    return "; ".join(parts)


def _difference(one: BaselineFacts, study: Study) -> str:
    rival = one.rival
    assert rival is not None
    by = f"network {rival.number} ({rival.accuracy:.2f} %"
    if study.objective.spread and one.cost >= _DEARER * rival.cost:
        by += f", {one.cost / rival.cost:.1f} times cheaper"
    gap = rival.gap
    return (
        f"{by}) against {one.name} of {mega(one.macs)} MFLOPs ({one.accuracy:.2f} %) {points(gap.difference)} points "
        f"({interval(gap.low, gap.high)})"
    )


def baselines_section(study: Study, baselines: tuple[BaselineFacts, ...]) -> Section:
    """Words and a table."""
    title, equal = _TITLE, study.axis.equal
    rivals = f"of as many or fewer {equal}" if study.objective.spread else "within the budget"
    if not baselines:
        reason = (
            "None of them was trained to the end yet."
            if study.settings.baselines
            else "The search was run with --no-baselines."
        )
        text = f"This study has no baseline to compare with. {reason}"
        return Section(key="baselines", title=title, paragraphs=(text,))
    epochs = study.settings.training.epochs
    paragraphs = [
        f"Baselines of the literature were trained in this study by the same short recipe "
        f"({counted(epochs, 'epoch')}, the "
        "same images, the same engine) at widths that fit the budget. Their published accuracies come from longer "
        f"recipes and are not compared with anything here. Each is set beside the best searched network {rivals}."
    ]
    beaten, lost, open_, alone = (
        [one for one in baselines if one.verdict == verdict] for verdict in ("beaten", "ahead", "open", "alone")
    )
    if len(beaten) == len(baselines):
        paragraphs.append(f"The search has found a better one for {_all(len(baselines))}.")
    else:
        parts = [
            f"found a better network for {len(beaten)}" if beaten else "",
            f"only worse ones for {_named(lost)}" if lost else "",
            f"none that can be told apart from {_named(open_)}" if open_ else "",
            f"none as cheap as {_named(alone)}" if alone else "",
        ]
        said = listed([part for part in parts if part])
        paragraphs.append(f"Of {counted(len(baselines), 'baseline')}, the search has {said}.")
    paragraphs.append(_how(study))
    reached = [(one, times) for one in baselines if (times := one.times) is not None and times > 1]
    if reached:
        most, times = max(reached, key=lambda pair: pair[1])
        paragraphs.append(
            f"The accuracy of {most.name} of {study.axis.show(most.cost * study.axis.size)} is reached with "
            f"{times:.1f} times fewer {equal}, by network {most.reached_by}."
        )
    return Section(
        key="baselines",
        title=title,
        paragraphs=tuple(paragraphs),
        tables=(_table(baselines, spread=study.objective.spread),),
    )


def _all(number: int) -> str:
    return "the one baseline" if number == 1 else f"each of the {number} baselines"


def _named(some: list[BaselineFacts]) -> str:
    return listed([f"{one.name} ({mega(one.macs)} MFLOPs)" for one in some])


def _how(study: Study) -> str:
    return (
        "Intervals are from the standard errors of both accuracies as accuracies on new images, all made alike: "
        f"{study.noise.words()}. Networks share the images, which makes intervals too wide rather than too narrow. "
        "They hold for one pair at a time, and do not know that the searched network was chosen for its accuracy, "
        "which flatters it: where it was trained again, its further seeds alone are free of that choice."
    )


def _table(baselines: tuple[BaselineFacts, ...], *, spread: bool) -> Table:
    rows = []
    for one in baselines:
        rival = one.rival
        cells = [f"{one.name} ({mega(one.macs)})", f"{one.accuracy:.2f} ({one.n})"]
        if rival is None:
            cells += ["none as cheap", "", "", "", "", ""]
        else:
            cells += [
                f"{rival.number} ({mega(rival.macs)})",
                f"{rival.accuracy:.2f} ({rival.n})",
                points(rival.gap.difference),
                interval(rival.gap.low, rival.gap.high),
                "-" if rival.further is None else points(rival.further),
                "-" if rival.fewer_errors is None else f"{rival.fewer_errors:.0f} %",
            ]
        cells.append("-" if one.times is None else f"{one.times:.2f}")
        rows.append(tuple(cells))
    return Table(
        caption=f"Baselines and the best searched network {'that costs no more' if spread else 'in the budget'}",
        columns=(
            Column.words("baseline (MFLOPs)"),
            Column.numbers("% (n)"),
            Column.words("searched (MFLOPs)"),
            *map(Column.numbers, ("% (n)", "difference", "95 % interval", "further", "fewer errors", "cheaper")),
        ),
        rows=tuple(rows),
        note="n: trainings. Further: the difference by the further seeds of the searched network alone. Cheaper: the "
        "cost of the baseline over that of the cheapest searched network of at least its accuracy; below 1 it "
        "takes more, a dash: none is as accurate.",
    )
