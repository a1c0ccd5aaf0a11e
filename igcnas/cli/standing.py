"""Who leads a study and how sure that is, and how often pruning was wrong: lines and JSON, for search and status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from igcnas.statistics.noise import seed_words
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.search.costs import Costs
    from igcnas.search.records import Network, Tested
    from igcnas.search.repeating import Standing
    from igcnas.search.spared import SparedCount
    from igcnas.statistics.racing import Contender

_SHOWN = 3


def standing_lines(standing: Standing, costs: Costs, measure: str = "accuracy") -> list[str]:
    """The best network, how sure that is, who else may be better, and how much of the best result was luck."""
    first, race = standing.first, standing.race
    record = first.record
    name = f"{record.baseline}: {record.architecture.label()}" if record.baseline else record.architecture.label()
    found = f"{_accuracy(first, measure)} at {costs.words(record)}"
    lines = [f"best      {found}: {name} (network {record.number})"]
    lines.append(f"          {record.architecture.title()}")
    if race.networks < 2:
        return lines
    lines.append(
        f"          {100 * race.first.probability:.0f} % sure that it is the best of the {race.networks}; on a rerun "
        f"expect {race.first.expected:.2f} +- {race.first.uncertainty:.2f} % (mean over many seeds, sd)"
    )
    others = list(zip(standing.runners_up, race.runners_up, strict=True))
    if others:
        shown = "; ".join(
            f"network {network.record.number} {_accuracy(network)}, {100 * contender.probability:.0f} %"
            for network, contender in others[:_SHOWN]
        )
        more = f"; and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        lines.append(f"          may be better: {shown}{more}")
    lines.append(
        f"luck      expect {luck_words(race.optimism, race.typical_optimism)}; "
        f"{seed_words(race.seed_sd, race.seed_degrees)}"
    )
    return lines


def luck_words(optimism: float, typical: float) -> str:
    """What many seeds would average to, against the best single training; it may also have been unlucky."""
    here, usual = _less(optimism), _less(typical)
    amount, way = usual
    return (
        f"{' points '.join(here)} than the best single training showed "
        f"({amount if way == here[1] else ' '.join(usual)} in a typical search like this)"
    )


def _less(points: float) -> tuple[str, str]:
    """Points as a number without a sign, and which way."""
    rounded = round(points, 2)
    return f"{abs(rounded):.2f}", "more" if rounded < 0 else "less"


def standing_json(standing: Standing | None) -> dict[str, Any] | None:
    """The same as data."""
    if standing is None:
        return None
    race = standing.race
    return {
        "first": _contender_json(standing.first, race.first),
        "runners_up": [
            _contender_json(network, contender)
            for network, contender in zip(standing.runners_up, race.runners_up, strict=True)
        ],
        "optimism": race.optimism,
        "typical_optimism": race.typical_optimism,
        "seed_sd": race.seed_sd,
        "seed_degrees": race.seed_degrees,
        "networks": race.networks,
        "trainings": race.trainings,
    }


def export_lines(exports: Sequence[Tested]) -> list[str]:
    """What exports measured on the test split."""
    how = {True: "trained to the end", False: "as exported"}
    lines = []
    for one in exports:
        lines.append(f"test      {one.words()}: network {one.number}, {how[one.finished]} in {one.folder}/")
        lines += [f"          {time}" for time in one.times]
    return lines


def spared_lines(audit: SparedCount | None) -> list[str]:
    """What pruning did, and how often it was wrong; nothing for a study without."""
    if audit is None:
        return []
    line = f"pruning   {counted(audit.pruned, 'network')} ended early"
    if audit.above_median_interval is None or audit.on_front_interval is None:
        return [f"{line}; none was finished all the same yet, so nothing tells how often that was wrong"]
    above, front = _share(audit.above_median_interval), _share(audit.on_front_interval)
    return [
        f"{line}; of {audit.spared} that were finished all the same, {audit.above_median} ended above the median of "
        f"the others ({above}) and {audit.on_front} on the front ({front}); 95 % intervals"
    ]


def spared_json(audit: SparedCount | None) -> dict[str, Any] | None:
    """The same as data."""
    return None if audit is None else asdict(audit)


def _accuracy(network: Network, measure: str = "accuracy") -> str:
    """Mean, spread and number of the trainings; what is measured where it is no plain accuracy."""
    of = "" if measure == "accuracy" else f" {measure}"
    spread = "" if network.sd is None else f" (sd {network.sd:.2f}, n = {network.n})"
    return f"{network.mean:.2f} %{of}{spread}"


def _contender_json(network: Network, contender: Contender) -> dict[str, Any]:
    facts = asdict(contender)
    del facts["name"]
    return {"number": network.record.number, "id": network.record.architecture.id} | facts


def _share(interval: tuple[float, float]) -> str:
    return f"{100 * interval[0]:.0f} to {100 * interval[1]:.0f} %"
