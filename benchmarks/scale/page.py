"""The page of results: what was measured, the model beside real runs, what follows beyond, and the quality."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.scale import actors, quality, service
from benchmarks.scale.growth import growth, waiting
from benchmarks.scale.model import Seconds, simulate
from benchmarks.scale.parts import PARTS
from benchmarks.scale.picture import draw
from benchmarks.scale.results import Cost, Place, costs, kept, regret, regrets, seconds
from benchmarks.summary import header, paired
from igcnas.system.files import write_text

Runs = Sequence[dict[str, Any]]

_HOW = """The runs are those of `service`, `actors` and `quality --runs 10` with the same folder. What it means:
[docs/scale.md](../../docs/scale.md).

One trial is the end of one training and the begin of the next, with 15 epochs. Medians of n trials in a process
a row, on studies that were filled before, with virtual workers. core: milliseconds of a core, by part
(`benchmarks/scale/parts.py`). disk: what waiting for it adds. wall: with the other work of the machine, and its
quartiles. The model takes core and disk.
"""


def write(arguments: argparse.Namespace) -> None:
    """Print the page; write it and the picture where that was asked for."""
    runs = kept(arguments.work / service.CACHE)
    found = costs(runs, sampler="gp")
    begin, end = seconds(found)
    searches = kept(arguments.work / quality.CACHE)
    parts = [
        "# How a search grows\n",
        header("benchmarks.scale"),
        _HOW,
        "## Seconds of the controller for a trial\n",
        *_cost_table(found),
        "\n## Other samplers, and each record written by itself\n",
        *_others(runs),
        "\n## The model beside real runs\n",
        *_checks(kept(arguments.work / actors.CACHE), begin, end),
        "\n## Beyond\n",
        *growth(found, begin, end),
        "\n## How long workers wait, simulated\n",
        *waiting(begin, end),
        "\n## Quality\n",
        *_quality(searches),
    ]
    text = "\n".join(parts) + "\n"
    if arguments.out is not None:
        write_text(arguments.out / "scale.md", text)
    if arguments.pictures is not None:
        draw(found, searches, arguments.pictures / "scale.png")
    print(text)


def _ms(value: float) -> str:
    return f"{1e3 * value:.0f}"


def _cost_table(found: dict[Place, Cost]) -> Iterator[str]:
    shown = [part for part in PARTS if part != "evaluator"]
    yield (
        f"| trials before | workers | {' | '.join(shown)} | core, ms | disk, ms | wall, ms | quartiles | n "
        "| journal, bytes | memory, MB |"
    )
    yield "|---" * (len(shown) + 9) + "|"
    for (trials, workers), cost in sorted(found.items()):
        cells = [_ms(cost.parts[part]) for part in shown]
        cells += [_ms(cost.core), _ms(cost.disk), _ms(cost.wall), f"{_ms(cost.low)} to {_ms(cost.high)}", str(cost.n)]
        yield f"| {trials:,} | {workers:,} | {' | '.join(cells)} | {cost.journal:,.0f} | {cost.memory_mb:.0f} |"


def _others(runs: Runs) -> Iterator[str]:
    yield "| sampler | records | trials before | workers | core, ms | wall, ms | quartiles | of it the end, ms |"
    yield "|---|---|---|---|---|---|---|---|"
    apart, together = costs(runs, sampler="gp", apart=True), costs(runs, sampler="gp")
    kinds = [
        ("gp", "one by one", apart),
        ("gp", "at once", {place: together[place] for place in apart}),
        ("random", "at once", costs(runs, sampler="random")),
    ]
    for sampler, how, found in kinds:
        for (trials, workers), cost in sorted(found.items()):
            row = [_ms(cost.core), _ms(cost.wall), f"{_ms(cost.low)} to {_ms(cost.high)}", _ms(cost.end)]
            yield f"| {sampler} | {how} | {trials:,} | {workers:,} | {' | '.join(row)} |"


def _checks(runs: Runs, begin: Seconds, end: Seconds) -> Iterator[str]:
    yield (
        "| workers | training, s | trials | trials a second, real | model | error | wait of a worker, real, s | model |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for run in runs:
        mean = run["mean"] or 0.0
        model = simulate(begin, end, workers=run["workers"], trials=run["trials"], mean=mean)
        real = run["trials"] / run["seconds"]
        waits = f"{run['mean_wait']:.2f} | {model.mean_wait:.2f}" if run["mean"] else "|"
        yield (
            f"| {run['workers']} | {mean:g}{'' if run['mean'] else ' (virtual)'} | {run['trials']} | {real:.2f} "
            f"| {model.per_second:.2f} | {100 * (model.per_second / real - 1):+.0f} % | {waits} |"
        )


def _quality(searches: Runs) -> Iterator[str]:
    counts = [count for count in quality.COUNTS if any(str(count) in run["regrets"] for run in searches)]
    yield (
        "Mean regret in points of accuracy, with its standard error, over n searches; differences are of the same "
        "seeds.\n"
    )
    yield f"| in training at once | sampler | {' | '.join(f'after {count:,}' for count in counts)} |"
    yield "|---" * (len(counts) + 2) + "|"
    for workers in quality.WORKERS:
        for sampler in quality.SAMPLERS:
            told = [regret(searches, sampler, workers, count) for count in counts]
            cells = ["" if one is None else f"{one.text()}, n {one.n}" for one in told]
            yield f"| {workers:,} | {sampler} | {' | '.join(cells)} |"
        pairs = [[regrets(searches, sampler, workers, count) for sampler in quality.SAMPLERS] for count in counts]
        cells = [paired(ours, theirs).text(sign=True) if ours else "" for ours, theirs in pairs]
        yield f"| {workers:,} | gp minus random | {' | '.join(cells)} |"
