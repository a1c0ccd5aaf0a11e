"""What the runs of benchmarks/tabular.py say: tables with standard errors, and differences of the same runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.runner import Task
from benchmarks.summary import Mean, mean, paired
from benchmarks.tablespace import BUDGET, TableSpace
from igcnas.search.proposals import resolve_sampler
from igcnas.statistics.pareto import front_hypervolume, hypervolume

OURS = "igcnas "
# What --sampler auto stands for.
AUTO_NAME = OURS + resolve_sampler("auto")
COUNTS = {"accuracy": (25, 50, 100), "front": (50, 100, 200)}
# Of 15 epochs: as many as 25, 50 and 100 networks without a pruner.
EPOCHS = (375, 750, 1500)
# A network at the budget still spans an octave; 80 % is below what nine networks in ten of the lowest level reach.
REFERENCE = {"reference_macs": 2 * BUDGET, "reference_accuracy": 80.0}
Values = dict[int, dict[int, float]]  # by run and count


def page(space: TableSpace, results: Sequence[Task]) -> str:
    """Every part for which there are runs."""
    parts = []
    for kind, title, measure, more in (
        ("accuracy", "One budget", missed, False),
        ("front", "A front", found, True),
    ):
        some = [result for result in results if result["kind"] == kind]
        if some:
            parts.append(f"## {title}\n\n{_INTRODUCTION[kind](space)}\n{_table(space, some, kind, measure, more)}")
    some = [result for result in results if result["kind"] == "pruning"]
    if some:
        parts.append(f"## Pruning\n\n{_PRUNING}\n" + "\n".join(_pruning(space, some)))
    return "\n".join(parts)


def missed(space: TableSpace, result: Task, count: int) -> float:
    """Best mean within the budget minus the best of the networks trained."""
    return best(space) - max(_means(space, result["networks"][:count]))


def regret(space: TableSpace, result: Task, count: int) -> float:
    """Best mean within the budget minus that of the network observed best: what a user takes home."""
    return best(space) - _pick(space, result["run"], result["networks"][:count])


def found(space: TableSpace, result: Task, count: int) -> float:
    """Hypervolume of all networks trained, at their means."""
    networks = result["networks"][:count]
    return hypervolume(_macs(space, networks), _means(space, networks), **REFERENCE)


def taken_home(space: TableSpace, result: Task, count: int) -> float:
    """Hypervolume, at their means, of the networks on the front as it was observed."""
    networks = result["networks"][:count]
    observed = _observed(space, result["run"], networks)
    return front_hypervolume(_macs(space, networks), observed, _means(space, networks), **REFERENCE)


def best(space: TableSpace) -> float:
    """Best mean within the budget."""
    return max(map(space.table.mean, space.parameters))


def _pick(space: TableSpace, run: int, networks: Sequence[str]) -> float:
    observed = _observed(space, run, networks)
    return space.table.mean(networks[max(range(len(networks)), key=lambda i: observed[i])])


def _observed(space: TableSpace, run: int, networks: Sequence[str]) -> list[float]:
    counts: Counter[str] = Counter()
    observed = []
    for network in networks:
        observed.append(space.observed(run, network, counts[network]))
        counts[network] += 1
    return observed


def _macs(space: TableSpace, networks: Sequence[str]) -> list[int]:
    return [space.macs[network] for network in networks]


def _means(space: TableSpace, networks: Sequence[str]) -> list[float]:
    return [space.table.mean(network) for network in networks]


def _values(results: Sequence[Task], counts: Sequence[int], measure: Callable[[Task, int], float]) -> Values:
    """Of runs that have got so far."""
    return {r["run"]: {count: measure(r, count) for count in counts if len(r["networks"]) >= count} for r in results}


def _table(
    space: TableSpace, results: Sequence[Task], kind: str, measure: Callable[[TableSpace, Task, int], float], more: bool
) -> str:
    counts = COUNTS[kind]
    strategies = list(dict.fromkeys(result["strategy"] for result in results))
    by_name = {name: [result for result in results if result["strategy"] == name] for name in strategies}
    values = {name: _values(by_name[name], counts, lambda r, count: measure(space, r, count)) for name in strategies}
    word = "hypervolume" if more else "regret"
    heads = " | ".join(f"{word} at {count}" if count == counts[0] else f"at {count}" for count in counts)
    rule = "---|" * (len(counts) + 6)
    lines = [
        f"| strategy | n | {heads} | as observed, at {counts[-1]} | repeats | asks a training | CPU seconds a run |",
        f"|{rule}",
    ]
    for name in strategies:
        runs = by_name[name]
        cells = [_at(values[name], count).text() for count in counts]
        home = taken_home if more else regret
        observed = _values(runs, counts[-1:], lambda r, count, home=home: home(space, r, count))  # type: ignore[misc]
        cells.append(_at(observed, counts[-1]).text())
        repeats = mean([1 - len(set(run["networks"])) / len(run["networks"]) for run in runs]).value
        asks = mean([run["asks"][-1] / len(run["asks"]) for run in runs]).value
        seconds = mean([run["seconds"] for run in runs]).value
        lines.append(f"| {name} | {len(runs)} | {' | '.join(cells)} | {repeats:.0%} | {asks:.1f} | {seconds:.1f} |")
    return "\n".join([*lines, "", *_differences(values, counts, more)]) + "\n"


def _differences(values: dict[str, Values], counts: Sequence[int], more: bool) -> Iterator[str]:
    """Each strategy minus ours with the default sampler, over the same runs."""
    base = AUTO_NAME
    if base not in values:
        return
    yield f"| minus {base}, same runs | {' | '.join(f'at {count}' for count in counts)} |"
    yield "|---|" + "---|" * len(counts)
    for name, by_run in values.items():
        if name != base:
            cells = []
            for count in counts:
                difference = paired(_column(by_run, count), _column(values[base], count))
                cells.append(difference.text(sign=True) + _verdict(difference, more))
            yield f"| {name} | {' | '.join(cells)} |"


def _verdict(difference: Mean, more: bool) -> str:
    """Beyond two standard errors; more: larger is better."""
    if math.isnan(difference.error) or abs(difference.value) <= 2 * difference.error:
        return ""
    return " better" if (difference.value > 0) == more else " worse"


def _column(by_run: Values, count: int) -> dict[int, float]:
    return {run: found[count] for run, found in by_run.items() if count in found}


def _at(by_run: Values, count: int) -> Mean:
    return mean(list(_column(by_run, count).values()) or [math.nan])


def _pruning(space: TableSpace, results: Sequence[Task]) -> Iterator[str]:
    for objective in dict.fromkeys(result["objective"] for result in results):
        for sampler in dict.fromkeys(result["sampler"] for result in results if result["objective"] == objective):
            some = [r for r in results if (r["objective"], r["sampler"]) == (objective, sampler)]
            yield from _pruning_table(space, some, objective, sampler)


def _pruning_table(space: TableSpace, results: Sequence[Task], objective: str, sampler: str) -> Iterator[str]:
    more = objective == "front"
    by_rule: dict[int | None, Values] = {}
    for result in results:
        by_rule.setdefault(result["min_epochs"], {})[result["run"]] = {
            epochs: _worth(space, result, epochs, more) for epochs in EPOCHS if epochs <= result["epochs"]
        }
    word = "hypervolume" if more else "regret"
    title = "a front" if more else "one budget"
    yield f"### {title}, {sampler}\n"
    heads = " | ".join(f"{word} at {epochs:,} epochs" for epochs in EPOCHS)
    minus = " | ".join(f"minus none at {epochs:,}" for epochs in EPOCHS)
    yield f"| first rung | n | {heads} | {minus} | networks | pruned | wrong: best third | wrong: best |"
    yield "|---|---|" + "---|" * (2 * len(EPOCHS) + 4)
    for rule, by_run in by_rule.items():
        cells = [_at(by_run, epochs).text() for epochs in EPOCHS]
        for epochs in EPOCHS:
            difference = paired(_column(by_run, epochs), _column(by_rule[None], epochs))
            cells.append("" if rule is None else difference.text(sign=True) + _verdict(difference, more))
        runs = [result for result in results if result["min_epochs"] == rule]
        trained = mean([len(run["trained"]) for run in runs]).value
        name = "no pruner" if rule is None else f"epoch {rule}"
        counts = " | ".join(_mistakes(space, runs, more)) if rule is not None else " |  | "
        yield f"| {name} | {len(runs)} | {' | '.join(cells)} | {trained:.0f} | {counts} |"
    yield ""


def _worth(space: TableSpace, result: Task, epochs: int, more: bool) -> float:
    """Of the networks that were trained to the end within so many epochs."""
    used, complete = 0, []
    for training in result["trained"]:
        used += training["epochs"]
        if used > epochs:
            break
        if training["epochs"] == _full(space):
            complete.append(training["key"])
    if more:
        observed = [space.curve(result["run"], key)[-1] for key in complete]
        return front_hypervolume(_macs(space, complete), observed, _means(space, complete), **REFERENCE)
    return best(space) - _pick(space, result["run"], complete)


def _full(space: TableSpace) -> int:
    return len(next(iter(space.table.rows.values())).curves[0])


def _mistakes(space: TableSpace, runs: Sequence[Task], more: bool) -> tuple[str, str, str]:
    """Shares over all runs: pruned of searched; of those the rule ends, how many would have ended well."""
    searched = ended = third = first = 0
    for run in runs:
        some = [training for training in run["trained"] if not training["known"]]
        scores = _final(space, run["run"], [training["key"] for training in some], more)
        order = sorted(scores, reverse=True)
        bar = order[max(0, len(order) // 3 - 1)]
        searched += len(some)
        for training, score in zip(some, scores, strict=True):
            if training["would_end"] is not None:
                ended += 1
                third += score >= bar
        kept = [score for training, score in zip(some, scores, strict=True) if training["would_end"] is None]
        first += max(kept, default=-math.inf) < order[0]
    return (
        f"{ended / max(1, searched):.0%}",
        f"{third / max(1, ended):.1%}",
        f"{first / max(1, len(runs)):.0%} of runs",
    )


def _final(space: TableSpace, run: int, networks: Sequence[str], more: bool) -> list[float]:
    """What each would have been worth: accuracy after the last epoch; on a front, errors beside its level's median."""
    observed = [space.curve(run, key)[-1] for key in networks]
    if not more:
        return observed
    levels = [space.parameters[key]["level"] for key in networks]
    by_level: dict[int, list[float]] = {}
    for level, accuracy in zip(levels, observed, strict=True):
        by_level.setdefault(level, []).append(accuracy)
    middle = {level: sorted(values)[len(values) // 2] for level, values in by_level.items()}
    worst = {level: max(0.5, 100 - middle[level]) for level in middle}
    return [-(100 - accuracy) / worst[level] for level, accuracy in zip(levels, observed, strict=True)]


def _one_budget(space: TableSpace) -> str:
    return (
        f"Budget {BUDGET:,} MACs; the best network within it has a mean of {best(space):.2f} %. Regret in points of "
        'accuracy, of the best network trained, at means over the seeds; "as observed" is of the network that the run '
        "saw as best, which is the luckiest among many near-equal ones; standard error in brackets. Ours solves the "
        "width to the budget; the others choose a level of MACs as well, of which all fit.\n"
    )


def _front(space: TableSpace) -> str:
    every = list(space.parameters)
    most = hypervolume(_macs(space, every), _means(space, every), **REFERENCE)
    return (
        f"Hypervolume above {REFERENCE['reference_accuracy']:g} % and below {REFERENCE['reference_macs']:,} MACs, in "
        f"points of accuracy times octaves of MACs, at means over the seeds; the whole table has {most:.3f}. The first "
        'figures are of all networks trained; "as observed" is of those on the front that the run saw.\n'
    )


_INTRODUCTION: dict[str, Callable[[TableSpace], Any]] = {"accuracy": _one_budget, "front": _front}
_PRUNING = """Equal epochs. Halving by 3 from the first rung on; one in ten of what it ends is finished all the same,
and is paid for. Only networks trained to the end count; hypervolume is of the front as observed. "pruned": share of the
searched networks that the rule ends. "wrong": of these, the share that would have ended in the best third of the run,
and the share of runs in which it ends every network that would have been best (on a front errors are compared with the
median of the same level). The table has the rest of their curves.
"""
