"""The page of a session on a GPU: checks, a table of variants and one of networks for each size of images."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

from benchmarks.speed.machine import describe
from benchmarks.speed.outcome import Failure, Outcome
from benchmarks.speed.page import command, number, table
from benchmarks.speed.session_results import HOWS, Found, Results, Size
from benchmarks.speed.variants import EAGER, GRAPH, LOADER
from benchmarks.summary import mean

# Written before any GPU was there: milliseconds of a step of 128 images, of the median random network.
PREDICTED = {
    "8x8": {LOADER: "5", EAGER: "4", GRAPH: "0.6", "1": "0.6", "4": "1.2, 2 times the trials", "8": "2, 2.5 times"},
    "32x32": {LOADER: "12", EAGER: "6", GRAPH: "2", "1": "2", "4": "7, 1.2 times the trials", "8": "14, 1.2 times"},
}
_HEAD = ("how", "n", "cold trial, s", "epoch, s", "step, ms", "predicted", "fixed, s", "trials an hour", "ran")


def page(results: Results, words: Sequence[str] | None) -> str:
    """The whole page in Markdown, of what there is so far."""
    parts = [
        f"# A session on {results.machine.get('gpu', {}).get('name', 'a ' + results.device.upper())}\n",
        command("benchmarks.gpu_session", words),
        describe(results.machine, results.rates),
    ]
    if results.graph != GRAPH:
        parts.append("**No GPU: nothing can be captured, and `graph` is the eager step once more.** Only the form.\n")
    parts += ["## Checks\n", _checks(results)]
    for size in results.sizes:
        parts += [f"## {size.name}\n", _about(size), variants(size), networks(size)]
    parts += ["## Memory of a process that trains one network after another\n", memory(results)]
    if results.notes:
        parts += ["## Not measured\n", "".join(f"- {note}\n" for note in results.notes)]
    return "\n".join(parts)


def _checks(results: Results) -> str:
    rows = [[check.name, check.state, check.found, f"{check.seconds:.0f}"] for check in results.checks]
    return table(["check", "state", "found", "seconds"], rows) if rows else "None ran.\n"


def _about(size: Size) -> str:
    work = size.workload
    return (
        f"{len(work.dataset.train.labels):,} made-up images, {work.epochs} epochs of batches of {work.batch_size}. "
        f"{len(size.known)} networks of the literature and {len(size.random)} random ones; `{LOADER}` trains the "
        "former alone, workers the latter. A cold trial is everything from a description to the accuracy in a warm "
        "process; an epoch, with its validation, is the median after the first; `fixed` is what does not grow with "
        "epochs. Medians over networks, with the smallest and the largest.\n"
    )


def variants(size: Size) -> str:
    """One row a variant, and one a number of workers."""
    predicted = PREDICTED[size.name]
    rows = []
    for name in HOWS:
        found = list(size.cold.get(name, {}).values())
        done = [outcome for outcome in found if isinstance(outcome, Outcome)]
        rate = 3600 * len(done) / sum(o.seconds for o in done) if done else None
        rows.append(_row(name, done, predicted[name], rate, found))
    for workers, fleet in size.fleets.items():
        rate = fleet.per_hour if fleet.finished else None
        expected = predicted.get(workers.split()[0], "-")
        rows.append(_row(f"graph, {workers}", fleet.finished, expected, rate, list(fleet.outcomes)))
    return table([*_HEAD, "failed"], rows)


def _row(label: str, done: list[Outcome], predicted: str, rate: float | None, every: list[Found]) -> list[str]:
    failed = [found for found in every if isinstance(found, Failure)]
    return [
        label,
        str(len(done)),
        _range(done, lambda o: o.seconds),
        _range(done, lambda o: o.steady),
        _range(done, lambda o: o.step_ms),
        predicted,
        _range(done, lambda o: o.fixed),
        number(rate),
        ", ".join(sorted({o.ran for o in done if o.ran})),
        f"{len(failed)}: {failed[0].reason}" if failed else "",
    ]


def networks(size: Size) -> str:
    """One row a network: its times, and whether the captured step trains as the eager one does."""
    rows, losses, points = [], [], []
    for network in size.networks:
        found = {name: size.cold.get(name, {}).get(network.name) for name in HOWS}
        if not any(found.values()):
            continue
        eager, graph = found[EAGER], found[GRAPH]
        parity = ["-"] * 4
        if isinstance(eager, Outcome) and isinstance(graph, Outcome):
            losses.append(graph.losses[-1] - eager.losses[-1])
            points.append(graph.accuracy - eager.accuracy)
            parity = [f"{eager.losses[-1]:.4f}", f"{losses[-1]:+.4f}", f"{eager.accuracy:.1f}", f"{points[-1]:+.1f}"]
        cells = [_cell(one) for one in found.values()]
        times = _times(eager, graph)
        rows.append([network.name, f"{network.macs:,}", *cells, times, *parity])
    head = ["network", "MACs", *(f"{name}, trial s (step ms)" for name in HOWS), "step, times faster"]
    text = table([*head, "loss, eager", "graph", "accuracy, eager, %", "graph"], rows)
    if len(losses) > 1:
        text += (
            f"\nGraph less eager, mean: loss {mean(losses).text(4, sign=True)}, "
            f"accuracy {mean(points).text(2, sign=True)} points.\n"
        )
    return text


def memory(results: Results) -> str:
    """What torch holds on the device between trials."""
    rows = []
    for name, left in results.memory.items():
        if left:
            first, last = left[0] or (math.nan, math.nan), left[-1] or (math.nan, math.nan)
            rows.append([name, str(len(left)), *map(number, (first[0], last[0], first[1], last[1]))])
    head = ["how", "trials", "allocated after the first, MB", "after the last", "reserved after the first, MB"]
    return table([*head, "after the last"], rows) if rows else "Not measured.\n"


def _cell(found: Found | None) -> str:
    if found is None:
        return ""
    return f"{number(found.seconds)} ({number(found.step_ms)})" if isinstance(found, Outcome) else "failed"


def _times(eager: Found | None, graph: Found | None) -> str:
    if isinstance(eager, Outcome) and isinstance(graph, Outcome):
        return number(eager.steady / graph.steady)
    return "-"


def _range(done: list[Outcome], value: Callable[[Outcome], float]) -> str:
    values = [x for o in done if (x := value(o)) == x]
    if not values:
        return "-"
    return f"{number(statistics.median(values))} ({number(min(values))} to {number(max(values))})"
