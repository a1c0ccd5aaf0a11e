"""The page of `benchmarks.trial`: cold trials, steady epochs, accuracies beside eager, trials an hour."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from benchmarks.speed.machine import describe
from benchmarks.speed.outcome import Failure, Outcome
from benchmarks.speed.page import command, number, table
from benchmarks.speed.results import Results
from benchmarks.speed.variants import EAGER, LOADER
from benchmarks.summary import Mean, mean


def page(results: Results, words: Sequence[str] | None) -> str:
    """The whole page in Markdown."""
    work = results.workload
    parts = [
        f"# A trial on {results.device}: {work.data.partition(':')[0]}\n",
        command("benchmarks.trial", words),
        describe(results.machine, results.rates),
        f"{work.dataset.name}, {len(work.dataset.train.labels):,} images, {work.epochs} epochs of batches of "
        f"{work.batch_size}, cores {_cores(results.cores)}, seed {work.seed}. Medians over networks, with the smallest "
        "and the largest; `fixed` is what does not grow with epochs; an epoch includes its validation. Ratios are over "
        f"`{LOADER}`, medians of those of each network. Differences of accuracy and of the last epoch's training loss "
        f"are to `{EAGER}` on the same networks, with standard errors.\n",
        "## A cold trial in a warm process\n",
        cold(results),
        "## Accuracy\n",
        accuracies(results),
        "## Trials an hour on the same cores\n",
        throughput(results),
        "## Seconds of a cold trial, by network\n",
        by_network(results),
        "## What the variants are\n",
        "".join(f"- `{variant.name}`: {variant.what}.\n" for variant in results.variants),
    ]
    if results.absent:
        parts.append("Not measured: " + "; ".join(f"{name}: {why}" for name, why in results.absent.items()) + ".\n")
    return "\n".join(parts)


def cold(results: Results) -> str:
    """One row a variant."""
    reference = done(results, LOADER)
    rows = []
    for variant in results.variants:
        found = done(results, variant.name)
        if not found:
            rows.append([variant.name, "0", *["-"] * 8, _failures(results, variant.name)])
            continue
        rows.append(
            [
                variant.name,
                str(len(found)),
                _range(found, lambda o: o.seconds),
                number(_median(found, lambda o: o.fixed)),
                _range(found, lambda o: o.steady),
                number(_median(found, lambda o: o.step_ms)),
                number(_median(found, lambda o: o.memory_mb)),
                number(_median(found, lambda o: o.device_mb)),
                _ratio(reference, found, lambda o: o.seconds),
                _ratio(reference, found, lambda o: o.steady),
                _failures(results, variant.name),
            ]
        )
    return table(
        [
            "variant",
            "n",
            "trial, s",
            "fixed, s",
            "epoch, s",
            "step, ms",
            "memory, MB",
            "device, MB",
            "trial, times faster",
            "epoch, times faster",
            "failed",
        ],
        rows,
    )


def accuracies(results: Results) -> str:
    """Mean accuracy of each variant and its paired difference to eager."""
    eager = done(results, EAGER)
    rows = []
    for variant in results.variants:
        found = done(results, variant.name)
        if not found:
            continue
        common = sorted(found.keys() & eager.keys())
        points = [found[name].accuracy - eager[name].accuracy for name in common]
        losses = [found[name].losses[-1] - eager[name].losses[-1] for name in common]
        rows.append(
            [
                variant.name,
                str(len(found)),
                f"{statistics.fmean(o.accuracy for o in found.values()):.2f}",
                _difference(points, 2) if variant.name != EAGER else "",
                _difference(losses, 4) if variant.name != EAGER else "",
            ]
        )
    return table(["variant", "n", "accuracy, %", "difference, points", "difference of the loss"], rows)


def throughput(results: Results) -> str:
    """One row a fleet, its ratio to the fastest way to run the loader variant, and the prediction."""
    best = max((fleet.per_hour for name, _, fleet in results.fleets if name == LOADER and fleet.finished), default=None)
    as_it_is = next((fleet for name, _, fleet in results.fleets if name == LOADER), None)
    first = as_it_is.per_hour if as_it_is is not None and as_it_is.finished else None
    kind = results.device.partition(":")[0]
    predicted = {variant.name: variant.predicted.get(kind, "-") for variant in results.variants}
    rows = []
    for name, mode, fleet in results.fleets:
        failed = [outcome for outcome in fleet.outcomes if isinstance(outcome, Failure)]
        rate = fleet.per_hour if fleet.finished else None
        rows.append(
            [
                name,
                mode,
                str(len(fleet.finished)),
                number(fleet.seconds),
                number(rate),
                number(rate / first if rate and first else None),
                number(rate / best if rate and best else None),
                predicted[name],
                f"{len(failed)}: {failed[0].reason}" if failed else "",
            ]
        )
    what = "predicted" + (", to the first row" if kind == "cpu" else " epoch of IGCV3-D 1.0")
    text = table(
        [
            "variant",
            "mode",
            "n",
            "s",
            "trials an hour",
            f"to `{LOADER}` as it is",
            f"to the best `{LOADER}`",
            what,
            "failed",
        ],
        rows,
    )
    return text if rows else "Not measured.\n"


def by_network(results: Results) -> str:
    """One row a network, one column a variant."""
    names = [variant.name for variant in results.variants if results.trials.get(variant.name)]
    rows = []
    for network in results.networks:
        found = [results.trials[name].get(network.name) for name in names]
        if any(found):
            cells = [number(o.seconds) if isinstance(o, Outcome) else "failed" if o else "" for o in found]
            rows.append([network.name, f"{network.macs:,}", *cells])
    return table(["network", "MACs", *names], rows)


def done(results: Results, name: str) -> dict[str, Outcome]:
    """Outcomes of a variant by network."""
    return {key: found for key, found in results.trials.get(name, {}).items() if isinstance(found, Outcome)}


def _failures(results: Results, name: str) -> str:
    failed = [found for found in results.trials.get(name, {}).values() if isinstance(found, Failure)]
    return f"{len(failed)}: {failed[0].reason}" if failed else results.absent.get(name, "")


def _values(found: dict[str, Outcome], value: Callable[[Outcome], float | None]) -> list[float]:
    return [x for o in found.values() if (x := value(o)) is not None and x == x]


def _median(found: dict[str, Outcome], value: Callable[[Outcome], float | None]) -> float | None:
    values = _values(found, value)
    return statistics.median(values) if values else None


def _range(found: dict[str, Outcome], value: Callable[[Outcome], float | None]) -> str:
    values = _values(found, value)
    if not values:
        return "-"
    return f"{number(statistics.median(values))} ({number(min(values))} to {number(max(values))})"


def _ratio(over: dict[str, Outcome], found: dict[str, Outcome], value: Callable[[Outcome], float]) -> str:
    ratios = [value(over[name]) / value(found[name]) for name in found if name in over]
    ratios = [ratio for ratio in ratios if ratio == ratio]
    return number(statistics.median(ratios)) if ratios else "-"


def _difference(values: list[float], digits: int) -> str:
    return _text(mean(values), digits) if values else "-"


def _text(found: Mean, digits: int) -> str:
    return found.text(digits, sign=True) if found.n > 1 else f"{found.value:+.{digits}f}"


def _cores(cores: tuple[int, ...]) -> str:
    return f"{len(cores)}"
