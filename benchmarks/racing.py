"""Does racing find the best network, and does it know when it has? Simulated networks, and the table of trained ones.

python -m benchmarks.racing                 # minutes; writes benchmarks/results/racing.md

A world is a set of networks with true accuracies and a training that tells them with noise. Each strategy spends the
same number of trainings, `networks` + `further`:

- more networks: one training each of so many networks; the highest is picked;
- all alike: `networks` networks, each trained as often as there is means for; the highest mean is picked;
- top 5: one training of each of `networks`; the rest goes evenly to the five that look best; of them the highest mean;
- racing: the same start; igcnas.statistics.racing says whom to repeat, until it is sure or nothing is left.

`networks` alone, the first seed of each without any repeat, is there for comparison; it costs less. Regret is the true
accuracy of the best of `networks` minus that of the pick; with more networks it may be negative. Found: the pick is
truly the best of all that the strategy has trained. On the table a network has three trainings and its true accuracy is
not known: pick and best are judged by the mean of all three, which the strategies see parts of.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import table
from igcnas.statistics.intervals import mean, t_interval, wilson_interval
from igcnas.statistics.racing import SPLIT_NOTE, next_repeat, standing

OUT = Path(__file__).parent / "results" / "racing.md"
IMAGES = 360
_BINS = (0.0, 0.5, 0.7, 0.9, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """True accuracies in percent, and `draw(network, repeat)`: the accuracy of one training."""

    truth: list[float]
    draw: Callable[[int, int], float]
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one world showed: regrets in percent, whether the stated first was the best, and what was stated of it."""

    regret: dict[str, float]
    found: dict[str, bool]
    stated: float
    stated_at_start: float
    found_at_start: bool
    promised: float
    optimism: float
    repeats: int


def simulated(count: int, *, noise: float, seed: int) -> World:
    """Networks normal on the arcsine scale around 95.6 %, as the table's upper half; noise: of the binomial variance.

    Some images are always right; the others are wrong with one probability, the higher, the fewer they are.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    wrong = np.cos(np.minimum(generator.normal(1.36, 0.04, count), 1.55)) ** 2
    doubtful = np.rint(wrong * IMAGES / (1 - noise * (1 - wrong))).astype(int)
    share = np.minimum(1.0, wrong * IMAGES / np.maximum(1, doubtful))
    truth = [float(100 * (1 - d * q / IMAGES)) for d, q in zip(doubtful, share, strict=True)]

    def draw(network: int, _repeat: int) -> float:
        return float(100 * (1 - generator.binomial(doubtful[network], share[network]) / IMAGES))

    return World(truth=truth, draw=draw, images=IMAGES)


def from_table(data: table.Table, count: int, *, seed: int) -> World:
    """A random part of the table's networks; which of its seeds is the first is drawn, too."""
    generator = np.random.Generator(np.random.PCG64(seed))
    names = sorted(data.rows)
    chosen = [names[place] for place in generator.choice(len(names), count, replace=False)]
    orders = [generator.permutation(table.SEEDS) for _ in chosen]

    def draw(network: int, repeat: int) -> float:
        return data.accuracy(chosen[network], int(orders[network][repeat]))

    return World(truth=[data.mean(name) for name in chosen], draw=draw, images=data.validation_images)


def play(world: World, *, networks: int, seeds: int) -> Run:
    """Every strategy in one world, which has as many networks as there are trainings to spend."""
    total = len(world.truth)
    best = max(world.truth[:networks])
    firsts = [world.draw(network, 0) for network in range(total)]
    picks = {"no repeats": int(np.argmax(firsts[:networks])), "more networks": int(np.argmax(firsts))}
    # Those that come first get what is left over.
    alike = {n: 1 + (total - networks) // networks + (n < (total - networks) % networks) for n in range(networks)}
    picks["all alike"] = _highest_mean(world, firsts, {n: min(seeds, times) for n, times in alike.items()})
    five = sorted(range(networks), key=lambda network: -firsts[network])[:5]
    each = min(seeds, 1 + (total - networks) // len(five))
    picks["top 5"] = _highest_mean(world, firsts, dict.fromkeys(five, each))
    trained = {f"{network:04d}": [firsts[network]] for network in range(networks)}
    start = standing(trained, images=world.images)
    spent = networks
    while spent < total:
        name = next_repeat(trained, seeds=seeds, images=world.images)
        if name is None:
            break
        trained[name].append(world.draw(int(name), len(trained[name])))
        spent += 1
    end = standing(trained, images=world.images)
    picks["racing"] = int(end.first.name)
    highest = picks["no repeats"]
    return Run(
        regret={name: best - world.truth[pick] for name, pick in picks.items()},
        found={
            name: world.truth[pick] >= (max(world.truth) if name == "more networks" else best)
            for name, pick in picks.items()
        },
        stated=end.first.probability,
        stated_at_start=start.first.probability,
        found_at_start=world.truth[int(start.first.name)] >= best,
        promised=start.typical_optimism,
        optimism=firsts[highest] - world.truth[highest],
        repeats=spent - networks,
    )


def _highest_mean(world: World, firsts: list[float], times: dict[int, int]) -> int:
    means = {n: mean([firsts[n], *(world.draw(n, repeat) for repeat in range(1, k))]) for n, k in times.items()}
    return max(means, key=lambda network: means[network])


def lines(title: str, runs: list[Run]) -> Iterator[str]:
    """The tables of one kind of world."""
    yield f"## {title}"
    yield ""
    yield f"{len(runs)} worlds; racing used {mean([run.repeats for run in runs]):.1f} further trainings on average."
    yield ""
    yield "| strategy | regret, points (95 % interval) | best of its networks found (95 % interval) |"
    yield "|---|---|---|"
    for name in runs[0].regret:
        regrets = [run.regret[name] for run in runs]
        low, high = t_interval(regrets)
        found = sum(run.found[name] for run in runs)
        few, many = wilson_interval(found, len(runs))
        share = f"{found / len(runs):.0%} ({few:.0%} to {many:.0%})"
        yield f"| {name} | {mean(regrets):+.3f} ({low:+.3f} to {high:+.3f}) | {share} |"
    yield ""
    yield "| racing stated a probability of | worlds | mean stated | first was the best (95 % interval) |"
    yield "|---|---|---|---|"
    yield _stated("any, before a repeat", [(run.stated_at_start, run.found_at_start) for run in runs])
    ends = [(run.stated, run.found["racing"]) for run in runs]
    yield _stated("any, at the end", ends)
    for low, high in itertools.pairwise(_BINS):
        inside = [(p, found) for p, found in ends if low <= p < high or p == high == 1.0]
        if inside:
            yield _stated(f"{low:.1f} to {high:.1f}", inside)
    yield ""
    promised, real = mean([run.promised for run in runs]), [run.optimism for run in runs]
    low, high = t_interval(real)
    yield (
        f"The highest single training lay {mean(real):.3f} points above the true accuracy of its network "
        f"({low:.3f} to {high:.3f}); the model said {promised:.3f}."
    )
    yield ""


def _stated(label: str, pairs: list[tuple[float, bool]]) -> str:
    found = sum(hit for _, hit in pairs)
    low, high = wilson_interval(found, len(pairs))
    share = f"{found / len(pairs):.2f} ({low:.2f} to {high:.2f})"
    return f"| {label} | {len(pairs)} | {mean([p for p, _ in pairs]):.2f} | {share} |"


def main() -> None:
    """Play and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=300, help="worlds of each kind (default: %(default)s)")
    parser.add_argument("--networks", type=int, default=40, help="networks of a search (default: %(default)s)")
    parser.add_argument("--further", type=int, default=30, help="further trainings (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=7, help="most trainings of a network (default: %(default)s)")
    parser.add_argument("--table", type=Path, default=table.PATH, help="the trained networks (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="the page (default: %(default)s)")
    arguments = parser.parse_args()
    total = arguments.networks + arguments.further
    text = [
        "# Racing: which network is really the best?",
        "",
        f"`python -m benchmarks.racing --worlds {arguments.worlds} --networks {arguments.networks} "
        f"--further {arguments.further} --seeds {arguments.seeds}`; each strategy spends {total} trainings.",
        f"Kinds of worlds and strategies: benchmarks/racing.py. Note: {SPLIT_NOTE}.",
        "",
    ]
    for noise in (1.0, 0.3):
        worlds = (simulated(total, noise=noise, seed=seed) for seed in range(arguments.worlds))
        runs = [play(world, networks=arguments.networks, seeds=arguments.seeds) for world in worlds]
        text += lines(f"Simulated; noise of a seed {math.sqrt(noise):.2f} times the binomial error", runs)
    if arguments.table.is_file():
        data = table.read(arguments.table)
        worlds = (from_table(data, total, seed=seed) for seed in range(arguments.worlds))
        runs = [play(world, networks=arguments.networks, seeds=table.SEEDS) for world in worlds]
        text += lines(f"Networks trained on digits, {table.SEEDS} seeds each ({len(data.rows)} in the table)", runs)
    else:
        print(f"{arguments.table} is not there: simulated worlds only")
    print("\n".join(text))
    arguments.out.write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
