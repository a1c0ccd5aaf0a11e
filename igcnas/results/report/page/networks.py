"""What the page says of one network, in the words it shows: each number is put into text here, once."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

from igcnas.results.report.content import NetworkFacts, Report
from igcnas.results.report.page.curves import CurveAxes
from igcnas.results.report.page.pictures import Library
from igcnas.units import counted

# Headings of the table of all networks, and whether their cells are numbers.
COLUMNS = {
    "network": True,
    "block type": False,
    "accuracy, %": True,
    "sd": True,
    "n": True,
    "MACs": True,
    "parameters": True,
    "origin": False,
    "remarks": False,
}
_BASELINE = "baseline"


def best(report: Report) -> NetworkFacts | None:
    """What the verdict puts first; else the most accurate of the front, or of all that were trained to the end."""
    networks = report.networks
    rules: tuple[Callable[[NetworkFacts], bool], ...] = (
        lambda network: network.number == report.first,
        lambda network: network.on_front,
        lambda network: network.state == "complete",
        lambda network: True,
    )
    for rule in rules:
        some = [network for network in networks if rule(network)]
        if some:
            return max(some, key=lambda network: (network.accuracy, -network.cost))
    return None


def title(network: NetworkFacts) -> str:
    """What a network is called."""
    return f"{network.name} (network {network.number})" if network.name else f"Network {network.number}"


def accuracy(network: NetworkFacts) -> str:
    """The accuracy with what is known of its spread."""
    if network.n > 1 and network.sd is not None:
        return f"{network.accuracy:.2f} % (sd {network.sd:.2f}, n = {network.n})"
    after = f"when it was ended, after {_epochs(network)}" if network.state == "pruned" else "one training"
    return f"{network.accuracy:.2f} % ({after})"


def remarks(network: NetworkFacts) -> list[str]:
    """What else there is to know, in a word or two each."""
    found = {
        "on the front": network.on_front,
        _BASELINE: network.kind == "baseline",
        "pruned": network.state == "pruned",
        "over the budget": network.over_budget,
    }
    return [word for word, holds in found.items() if holds]


def tip(network: NetworkFacts) -> list[str]:
    """Lines that appear beside a point: enough to know whether to look closer."""
    lines = [title(network), network.label, accuracy(network), _size(network)]
    return [*lines, "; ".join([*remarks(network), *([network.origin] if network.origin else [])])]


def table(networks: Sequence[NetworkFacts]) -> tuple[list[tuple[str, bool]], list[tuple[NetworkFacts, list[str]]]]:
    """Columns with whether they are numeric, and a row for each network; columns that nobody fills are left out."""
    rows = [_row(network) for network in networks]
    kept = [place for place in range(len(COLUMNS)) if any(row[place] for row in rows)]
    columns = list(COLUMNS.items())
    return [columns[p] for p in kept], [(n, [row[p] for p in kept]) for n, row in zip(networks, rows, strict=True)]


def _row(network: NetworkFacts) -> tuple[str, ...]:
    """Its cells in the table of all networks, in the order of COLUMNS."""
    return (
        str(network.number),
        network.block,
        f"{network.accuracy:.2f}",
        "" if network.sd is None else f"{network.sd:.2f}",
        str(network.n),
        f"{network.macs:,}",
        f"{network.params:,}",
        network.origin,
        ", ".join([*([network.name] if network.name else []), *(r for r in remarks(network) if r != _BASELINE)]),
    )


def shown(network: NetworkFacts, report: Report, axes: CurveAxes | None, library: Library) -> dict[str, Any]:
    """All that its panel shows, as plain data."""
    command = ""
    if network.state == "complete":
        command = f"igcnas export {shlex.quote(report.study or report.title)} --trial {network.number}"
    return {
        "number": network.number,
        "title": title(network),
        "label": network.label,
        "remarks": remarks(network),
        "facts": _facts(network),
        "choices": [[name, value] for name, value in network.choices.items()],
        "strip": library.strip(network.architecture),
        "stages": library.blocks(network.architecture),
        "loss": [axes.loss_path(curve) for curve in network.curves] if axes else [],
        "accuracy": [axes.accuracy_path(curve) for curve in network.curves] if axes else [],
        "command": command,
    }


def _facts(network: NetworkFacts) -> list[list[str]]:
    facts = [["Network", network.architecture.title()], ["Validation accuracy", accuracy(network)]]
    if network.n > 1:
        facts.append(["Each training", ", ".join(f"{a:.2f}" for a in network.accuracies) + " %"])
    facts += [["MACs", f"{network.macs:,}"], ["Parameters", f"{network.params:,}"]]
    facts += [["Time, exported", one] for one in network.times]
    if network.latency_ms is not None:
        facts.append(["Latency", f"{network.latency_ms:.3g} ms ({network.latency_by})"])
    facts.append(["Training time", _seconds(network.seconds)])
    if network.origin:
        facts.append(["Origin", network.origin])
    return facts


def _size(network: NetworkFacts) -> str:
    latency = "" if network.latency_ms is None else f", {network.latency_ms:.3g} ms"
    return f"{network.macs:,} MACs, {network.params:,} parameters{latency}"


def _epochs(network: NetworkFacts) -> str:
    last = max((epoch for curve in network.curves for epoch, _, _ in curve), default=0)
    return counted(last, "epoch") if last else "some epochs"


def _seconds(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
