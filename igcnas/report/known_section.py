"""The known networks against those of the search, in words and as a table."""

from __future__ import annotations

from igcnas.report.content import Section, Table
from igcnas.report.gap import WELCH
from igcnas.report.known import KnownNetwork
from igcnas.report.source import Source
from igcnas.report.words import counted, errors, interval, listed, points
from igcnas.units import mega


def known_sentence(known: tuple[KnownNetwork, ...], source: Source) -> str:
    """The comparison with the most accurate known network, for the summary; '' where there is nothing to say."""
    if not known or known[0].rival is None:
        return ""
    first, rival = known[0], known[0].rival
    gap = rival.gap
    where = f"At equal or fewer {source.axis.equal}" if source.settings.spread else "Within the budget"
    head = f"{where}, the best searched network (network {rival.number}, {rival.accuracy:.2f} %)"
    beside = (
        f"{first.name}, the best of the {counted(len(known), 'known network')} that were trained alike "
        f"({first.accuracy:.2f} %)"
    )
    span = f"the difference is {points(gap.difference)} points, with a 95 % interval of {interval(gap.low, gap.high)}"
    if gap.shown:
        better = "better" if gap.difference > 0 else "worse"
        fewer = "" if rival.fewer_errors is None else f", and makes {errors(rival.fewer_errors)}"
        return f"{head} is {better} than {beside}{fewer}: {span}."
    return f"{head} cannot be told apart from {beside}: {span}."


def known_section(source: Source, known: tuple[KnownNetwork, ...]) -> Section:
    """Words and a table."""
    title, equal = "Against known networks", source.axis.equal
    rivals = f"of as many or fewer {equal}" if source.settings.spread else "within the budget"
    if not known:
        reason = (
            "None of them was trained to the end yet."
            if source.settings.baselines
            else "The search was run with --no-baselines."
        )
        text = f"This study has no known network to compare with. {reason}"
        return Section(key="known", title=title, paragraphs=(text,))
    epochs = source.settings.training.epochs
    rules = {one.rival.gap.rule for one in known if one.rival is not None}
    paragraphs = [
        f"Known networks of the literature were trained in this study by the same short recipe ({epochs} epochs, the "
        "same images, the same engine) at widths that fit the budget. Their published accuracies come from longer "
        f"recipes and are not compared with anything here. Each is set beside the best searched network {rivals}."
    ]
    beaten = [one for one in known if one.rival is not None and one.rival.gap.shown and one.rival.gap.difference > 0]
    lost = [one for one in known if one.rival is not None and one.rival.gap.shown and one.rival.gap.difference < 0]
    open_ = [one for one in known if one.rival is not None and not one.rival.gap.shown]
    alone = [one for one in known if one.rival is None]
    if len(beaten) == len(known):
        paragraphs.append(f"The search has found a better one for {_all(len(known))}.")
    else:
        parts = [
            f"found a better network for {len(beaten)}" if beaten else "",
            f"only worse ones for {_named(lost)}" if lost else "",
            f"none that can be told apart from {_named(open_)}" if open_ else "",
            f"none as cheap as {_named(alone)}" if alone else "",
        ]
        said = listed([part for part in parts if part])
        paragraphs.append(f"Of {counted(len(known), 'known network')}, the search has {said}.")
    paragraphs.append(_how(rules))
    reached = [(one, times) for one in known if (times := one.times) is not None and times > 1]
    if reached:
        most, times = max(reached, key=lambda pair: pair[1])
        paragraphs.append(
            f"The accuracy of {most.name} of {source.axis.show(most.cost * source.axis.size)} is reached with "
            f"{times:.1f} times fewer {equal}, by network {most.reached_by}."
        )
    return Section(
        key="known", title=title, paragraphs=tuple(paragraphs), tables=(_table(known, spread=source.settings.spread),)
    )


def _all(number: int) -> str:
    return "the one known network" if number == 1 else f"each of the {number} known networks"


def _named(some: list[KnownNetwork]) -> str:
    return listed([f"{one.name} ({mega(one.macs)} MFLOPs)" for one in some])


def _how(rules: set[str]) -> str:
    single = (
        "from the standard errors of both accuracies (the binomial one of the validation images, or the spread of a "
        "seed where that is larger; nothing is paired)"
    )
    if rules == {WELCH}:
        how = "Intervals are of the difference of means over seeds, by Welch's test."
    elif WELCH in rules:
        how = f"Intervals are by Welch's test where both networks were trained several times; else {single}."
    else:
        how = f"Intervals are {single}, because no pair was trained several times."
    return (
        f"{how} They hold for one pair at a time, and do not know that the searched network was chosen for its "
        "accuracy, which flatters it: where it was trained again, its further seeds alone are free of that choice."
    )


def _table(known: tuple[KnownNetwork, ...], *, spread: bool) -> Table:
    rows = []
    for one in known:
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
        caption=f"Known networks and the best searched network {'that costs no more' if spread else 'in the budget'}",
        columns=(
            "known (MFLOPs)",
            "% (n)",
            "searched (MFLOPs)",
            "% (n)",
            "difference",
            "95 % interval",
            "further",
            "fewer errors",
            "cheaper",
        ),
        rows=tuple(rows),
        numeric=(False, True, False, True, True, True, True, True, True),
        note="n: trainings. Further: the difference by the further seeds of the searched network alone. Cheaper: the "
        "cost of the known network over that of the cheapest searched network of at least its accuracy; below 1 it "
        "takes more, a dash: none is as accurate.",
    )
