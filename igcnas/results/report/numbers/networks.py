"""Every network of a study, with all that a report shows of it; and its front as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from igcnas.results.figures import block_type
from igcnas.results.importance.names import label, value_label
from igcnas.results.report.content import NetworkFacts, Section
from igcnas.results.report.words import counted
from igcnas.results.table import Column, Table
from igcnas.search.objective import LATENCY, MACS, PARAMS
from igcnas.search.records import Network, TrialRecord, exports_of, repeats
from igcnas.search.study import Study
from igcnas.search.timing import timed_by
from igcnas.units import mega


def facts_of(study: Study) -> tuple[NetworkFacts, ...]:
    """The networks that were trained or pruned, in the order of their numbers: the points of the figure of the front.

    Those whose latency was not measured, where the front compares it, have no place there and are left out.
    """
    line = {one.record.number: one for one in study.front}
    trainings = _trainings(study.records)
    found = [_complete(study, one, line, trainings.get(one.record.number, [])) for one in study.networks]
    found += [_pruned(study, record) for record in study.records if record.state == "pruned" and record.accuracies]
    times = {one.number: one.times for one in exports_of(study.folder) if not one.finished}
    found = [replace(one, times=times.get(one.number, ())) for one in found if not math.isnan(one.cost)]
    return tuple(sorted(found, key=lambda one: one.number))


def _trainings(every: Sequence[TrialRecord]) -> dict[int, list[TrialRecord]]:
    found: dict[int, list[TrialRecord]] = {}
    for record in sorted(repeats(every), key=lambda record: record.repeat):
        if record.repeat_of is not None and record.state == "complete":
            found.setdefault(record.repeat_of, []).append(record)
    return found


def _complete(study: Study, network: Network, line: dict[int, Network], further: Sequence[TrialRecord]) -> NetworkFacts:
    record = network.record
    on_front = record.number in line
    every = [record, *further]
    return _facts(
        study,
        record,
        accuracies=network.accuracies,
        sd=network.sd,
        error=study.noise.error(network.mean, network.n) if on_front else None,
        on_front=on_front,
        trainings=every,
    )


def _pruned(study: Study, record: TrialRecord) -> NetworkFacts:
    accuracies = record.accuracies[-1:]
    return _facts(study, record, accuracies=accuracies, sd=None, error=None, on_front=False, trainings=[record])


def _facts(
    study: Study,
    record: TrialRecord,
    *,
    accuracies: tuple[float, ...],
    sd: float | None,
    error: float | None,
    on_front: bool,
    trainings: Sequence[TrialRecord],
) -> NetworkFacts:
    parameters = study.parameters[record.number] if record.searched else {}
    return NetworkFacts(
        number=record.number,
        state=record.state,
        kind="searched" if record.searched else "baseline",
        name=record.baseline or "",
        label=record.architecture.label(),
        block=block_type(record),
        architecture=record.architecture,
        cost=study.cost(record),
        macs=record.final_macs,
        params=record.final_params,
        latency_ms=record.latency_ms,
        latency_by=timed_by(study.settings, [record]),
        accuracy=math.fsum(accuracies) / len(accuracies),
        accuracies=accuracies,
        sd=sd,
        error=error,
        on_front=on_front,
        over_budget=not record.within(study.budget),
        origin=record.origin,
        seconds=math.fsum(one.seconds or 0.0 for one in trainings),
        curves=tuple(one.curve for one in trainings),
        choices={label(name): value_label(name, value) for name, value in parameters.items()},
    )


LEGEND = (
    "Short names are block type, block, then blocks and widths by stage: t4 is an expansion of 4, G2-G2 the groups of "
    "expansion and projection, L2M4 two primary partitions of 4 channels, mid16 means 16 channels in the middle. "
    "The panel of a network says its name in words."
)
_FRONT = (
    Column.numbers("network", lambda one: one.number),
    Column.numbers("MFLOPs", lambda one: one.macs, mega),
    Column.numbers("parameters", lambda one: one.params, ","),
    Column.numbers("latency", lambda one: one.latency_ms, ".3f", unit="ms"),
    Column.numbers("accuracy", lambda one: one.accuracy, ".2f", unit="%"),
    Column.numbers("error", lambda one: one.error, ".2f"),
    Column.numbers("n", lambda one: one.n),
    Column.words("what it is", lambda one: one.name or one.label),
)


def front_section(study: Study, networks: Sequence[NetworkFacts]) -> Section:
    """The front as a table: what the interactive figure shows, for readers and printers without it."""
    line = sorted((one for one in networks if one.on_front), key=lambda one: one.cost)
    known = sum(one.kind == "baseline" for one in line)
    belong = f"; {known} of them {'is' if known == 1 else 'are'} known from the literature" if known else ""
    pruned = sum(one.state == "pruned" for one in networks)
    over = sum(one.over_budget for one in networks)
    paragraphs = [
        f"{counted(len(line), 'network')} of {len(networks)} stand on the front: no other is at least as accurate for "
        f"fewer or as many {study.axis.equal}{belong}. Accuracies are means over the trainings of a network. The "
        f"error is the standard error of that mean as an accuracy on new images: {study.noise.words()}. A front of "
        "noisy accuracies is too high: each of its networks was chosen for a high one."
    ]
    if pruned:
        paragraphs.append(
            f"{counted(pruned, 'network was', 'networks were')} pruned; the figure has them where their training ended."
        )
    if over:
        paragraphs.append(
            f"{counted(over, 'network')} came out of training above the budget, which learned groups can bring about, "
            "and cannot be on the front."
        )
    measured = any(one.latency_ms is not None for one in line)
    if study.timed_by:
        disturbed = sum(one.latency_quiet is False for one in study.records)
        busy = f" {counted(disturbed, 'network was', 'networks were')} timed while other programs had the core."
        paragraphs.append(f"Latency is the median of single calls: {study.timed_by}." + (busy if disturbed else ""))
    columns = [column for column in _FRONT if column.heading != "latency" or measured]
    if study.axis not in (MACS, PARAMS, LATENCY):
        columns.insert(3, Column.numbers(study.axis.equal, lambda one: one.cost, ".3g", unit=study.axis.unit))
    table = Table.of(
        columns,
        line,
        caption="The front, cheapest first",
        note=f"n: trainings with different seeds. {LEGEND}",
    )
    return Section(
        key="networks",
        title="The front as a table",
        paragraphs=tuple(paragraphs),
        tables=(table,) if line else (),
        commands=(study.command("plot {}"), study.command("export {} --trial NUMBER")),
    )
