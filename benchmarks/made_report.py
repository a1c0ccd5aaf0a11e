"""Reports with made-up results of real networks: to test and to time the page that shows them, without any training.

Networks are drawn from a search space at MAC targets; accuracies and curves follow a formula with noise.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from igcnas.network.architecture import Architecture
from igcnas.network.baselines import known_networks
from igcnas.network.budget import macs_budget
from igcnas.network.cost import count
from igcnas.results.report.content import Axis, NetworkFacts, Picture, Report, Section
from igcnas.results.table import Column, Table
from igcnas.search.space import SearchSpace, load_space
from igcnas.statistics.pareto import pareto_front

BUDGET = 200_000
IMAGE, CLASSES = (1, 8, 8), 10


def made(networks: int, *, space: str = "igcv1", seed: int = 0, epochs: int = 15) -> Report:
    """A report of this many networks; those known in the literature come first."""
    draws = random.Random(seed)
    known = [
        (k.name, k.fit.architecture)
        for k in known_networks(IMAGE, CLASSES, macs_budget(BUDGET), lowest_target=BUDGET // 8)
    ]
    named = known[: max(0, networks - 1)]
    searched = [("", each) for each in _drawn(load_space(space), networks - len(named), draws)]
    facts = [_facts(number, name, a, draws, epochs) for number, (name, a) in enumerate([*named, *searched])]
    return report_of(_with_front(facts))


def report_of(networks: Iterable[NetworkFacts]) -> Report:
    """These networks with a section of every kind of content."""
    table = Table(
        caption="Against the baselines",
        columns=(Column.words("network"), Column.numbers("accuracy", unit="%"), Column.numbers("MACs")),
        rows=(("ResNet-20", "95.86", "176,952"), ("1", "98.07", "199,548")),
        note="Means over seeds.",
    )
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="240"><circle cx="320" cy="120" r="99"/></svg>'
    )
    picture = Picture(name="importance", caption="What matters.", alt="A bar for each choice.", svg=drawing)
    return Report(
        title="made-up",
        subtitle="Networks that nobody trained",
        summary=Section(key="summary", title="Summary", paragraphs=("The best network cannot be told.", "All else.")),
        axis=Axis(title="MFLOPs (millions of multiply-accumulates, one image)", unit="MFLOPs", budget=BUDGET / 1e6),
        validation_images=362,
        networks=tuple(networks),
        sections=(
            Section(key="baselines", title="Against the literature", paragraphs=("Paired.",), tables=(table,)),
            Section(
                key="importance", title="What mattered", pictures=(picture,), commands=("igcnas importance made-up",)
            ),
        ),
        written="2026-01-02 03:04 UTC",
        version="0.1.0",
        study="made-up",
    )


def _drawn(space: SearchSpace, networks: int, draws: random.Random) -> list[Architecture]:
    found: list[Architecture] = []
    while len(found) < networks:
        family = draws.choice(space.families)
        parameters = {axis: draws.choice(options) for axis, options in space.axes(family).items()}
        structure = space.decode({"block": family.name} | parameters, IMAGE, CLASSES)
        fit = structure.fit(macs_budget(round(BUDGET * 8 ** -draws.random())))
        if fit is not None:
            found.append(fit.architecture)
    return found


def _facts(number: int, name: str, architecture: Architecture, draws: random.Random, epochs: int) -> NetworkFacts:
    cost = count(architecture)
    pruned = not name and draws.random() < 0.15
    trainings = 1 if pruned else draws.choice((1, 1, 1, 3))
    last = max(1, epochs // 3) if pruned else epochs
    final = 100 - draws.lognormvariate(1.1, 0.5) * (BUDGET / cost.macs) ** 0.6
    curves = tuple(_curve(final, last, epochs, draws) for _ in range(trainings))
    accuracies = tuple(curve[-1][2] for curve in curves)
    mean = sum(accuracies) / trainings
    sd = None if trainings == 1 else (sum((a - mean) ** 2 for a in accuracies) / (trainings - 1)) ** 0.5
    return NetworkFacts(
        number=number,
        state="pruned" if pruned else "complete",
        kind="baseline" if name else "searched",
        name=name,
        label=architecture.label(),
        block=architecture.family,
        architecture=architecture,
        cost=cost.macs / 1e6,
        macs=cost.macs,
        params=cost.params,
        latency_ms=None,
        accuracy=mean,
        accuracies=accuracies,
        sd=sd,
        error=None,
        on_front=False,
        over_budget=cost.macs > BUDGET,
        origin="" if name else draws.choice(("random", "sampler", "changes")),
        seconds=draws.uniform(1, 4),
        curves=curves,
        choices={} if name else {"block": architecture.family, "blocks": str(architecture.depth)},
    )


def _curve(final: float, last: int, epochs: int, draws: random.Random) -> tuple[tuple[int, float, float], ...]:
    points = []
    for epoch in range(1, last + 1):
        done = epoch / epochs
        accuracy = 10 + (final - 10) * min(1.0, done * 1.6) ** 0.5 + draws.gauss(0, 1.5 * (1.05 - done))
        points.append((epoch, 2.3 * 0.25**done + draws.gauss(0, 0.02), min(100.0, max(0.0, accuracy))))
    return tuple(points)


def _with_front(networks: list[NetworkFacts]) -> list[NetworkFacts]:
    import dataclasses

    complete = [n for n in networks if n.state == "complete" and not n.over_budget]
    front = {complete[i].number for i in pareto_front([n.cost for n in complete], [n.accuracy for n in complete])}
    return [
        dataclasses.replace(n, on_front=True, error=0.8 if n.sd is None else n.sd / n.n**0.5)
        if n.number in front
        else n
        for n in networks
    ]
