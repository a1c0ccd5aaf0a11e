"""What the dashboard says of a network and of a study, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from igcnas import units
from igcnas.network.budget import Budget
from igcnas.search.records import Network, TrialRecord, counted, repeats
from igcnas.search.settings import StudySettings
from igcnas.search.study import Study
from igcnas.search.timing import timed_by
from igcnas.system.harmless import code, markdown

_MOST_EPOCHS = 20  # in the table of a curve; all are among the intermediate values


def network_note(
    record: TrialRecord,
    network: Network | None,
    parameters: Mapping[str, Any],
    settings: StudySettings,
    *,
    pictures: str = "",
) -> str:
    """One training: what the network is, what it costs, how it did. network: with all its trainings, if it has any."""
    rows = [
        ("network", f"`{record.architecture.id}`: {_kind(record)}"),
        ("cost", _cost(record, settings)),
        (settings.measure, _accuracy(record)),
        ("training", _training(record)),
    ]
    if network is not None and network.n > 1:
        rows.insert(3, ("over seeds", f"mean {network.mean:.2f} %, sd {network.sd:.2f}, n = {network.n}"))
    parts = [f"**{markdown(record.architecture.label())}**", _table(("", ""), rows), pictures]
    if parameters:
        chosen = [(code(key), code(str(value))) for key, value in sorted(parameters.items())]
        parts.append(_table(("choice", "value"), chosen))
    if record.curve:
        apart = -(-len(record.curve) // _MOST_EPOCHS)
        some = [point for point in record.curve if point[0] % apart == 0 or point is record.curve[-1]]
        epochs = [(str(epoch), f"{loss:.4f}", f"{accuracy:.2f}") for epoch, loss, accuracy in some]
        parts.append(_table(("epoch", "training loss", f"validation {settings.measure}, %"), epochs))
    return "\n\n".join(filter(None, parts))


def study_note(study: Study) -> str:
    """The study: what was searched on what, the front, who leads and how sure that is."""
    every, settings, leader = study.records, study.settings, study.standing
    training, data = settings.training, settings.data
    lines = [
        f"Space {code(settings.space['name'])} under {settings.budget.words()}, objective "
        f"`{settings.objective}`, sampler {code(settings.sampler)}, pruner `{settings.pruner}`, seed {settings.seed}. "
        f"Data {markdown(data.name)}, {data.validation_images:,} validation images, "
        f"{units.counted(training.epochs, 'epoch')} a training. "
        f"{units.counted(counted(every), 'network')}, {units.counted(len(repeats(every)), 'repeat')}."
    ]
    if leader is not None:
        first, race = leader.first, leader.race.first
        lines.append(
            f"Best: network {first.record.number}, {first.mean:.2f} % (n = {first.n}), with probability "
            f"{race.probability:.2f}; expected {race.expected:.2f} +- {race.uncertainty:.2f} %."
        )
    front = [
        (
            str(one.record.number),
            *(cost.shown(one.record) for cost in study.costs.each),
            f"{one.mean:.2f}",
            "-" if one.sd is None else f"{one.sd:.2f}",
            str(one.n),
            markdown(one.record.baseline or one.record.architecture.label()),
        )
        for one in study.front
    ]
    if front:
        lines += ["**The front**, by the mean over seeds:"]
        lines.append(
            _table(("number", *(cost.unit for cost in study.costs.each), "mean, %", "sd", "n", "network"), front)
        )
    lines.append(
        "This page only looks at the study: nothing can be changed or deleted here. The front below is as of now; "
        "figures of `igcnas importance` and `igcnas audit` are as those commands left them."
    )
    return "\n\n".join(lines)


def _kind(record: TrialRecord) -> str:
    if record.repeat:
        return f"seed {record.repeat + 1} of network {record.repeat_of}"
    return "searched" if record.baseline is None else f"baseline {markdown(record.baseline)}"


def _cost(record: TrialRecord, settings: StudySettings) -> str:
    over = "" if record.within(settings.budget) else ", **over the budget**"
    latency = "" if record.latency_ms is None else f", {record.latency_ms:.3f} ms ({_timed(record, settings)})"
    return (
        f"{record.final_macs / 1e6:.3g} MFLOPs ({record.final_macs:,} MACs, budget {_limits(settings.budget)}){over}, "
        f"{record.final_params:,} parameters{latency}"
    )


def _timed(record: TrialRecord, settings: StudySettings) -> str:
    """By what its time was measured, and whether anything disturbed that."""
    disturbed = ", while other programs had the core" if record.latency_quiet is False else ""
    return markdown(timed_by(settings, [record]) + disturbed)


def _accuracy(record: TrialRecord) -> str:
    if record.state == "failed":
        return f"failed: {markdown(record.reason or 'no reason known')}"
    if record.val_accuracy is None:
        return "in training"
    ended = f" (pruned after epoch {record.pruned_at})" if record.state == "pruned" else ""
    return f"{record.val_accuracy:.2f} %{ended}"


def _training(record: TrialRecord) -> str:
    seconds = "" if record.seconds is None else f", {record.seconds:.1f} s on {markdown(record.device or '')}"
    return f"{units.counted(record.epochs, 'epoch')}{seconds}, seed {record.seed}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def _limits(budget: Budget) -> str:
    return " and ".join(f"{most:,}" if name == "macs" else f"{most:,} {name}" for name, most in budget.limits.items())
