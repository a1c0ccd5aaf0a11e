"""Are the stated probabilities and intervals true? Simulated studies, also unlike the model.

python -m benchmarks.calibration            # writes benchmarks/results/calibration.md

Each world is a study: networks with true accuracies, and trainings that tell them with noise; 360 validation images.
Each network is trained once, then racing says whom to repeat until it is sure or the trainings are spent. For each kind
of world: how probable it was said that the first is the best, before a repeat and at the end, and how often it was;
how often what is called settled (0.95 and more) was so; what the highest accuracy was said to flatter by, and did.

    binomial        as the model has it: noise of the size of the binomial error, normal networks, 40 and 30 repeats
    quiet, loud     noise half and twice that size
    heterogeneous   noise that differs from network to network, by a factor of 1.6 (log-normal)
    heavy tails     noise of Student's t with three degrees of freedom: now and then a training goes wrong
    skewed          true accuracies crowd at the top (exponential downwards), quiet seeds
    close           120 networks that differ by less than two trainings of one do
    few             6 networks and 6 repeats
    two trainings   12 networks, each trained twice at most

The second table: how often the 95 % interval of a difference of two networks (`igcnas.statistics.noise`) holds the
difference of their accuracies on new images. Seeds either flip single answers, so that the binomial error holds what
they do, or move the whole network, so that it comes on top. The images are shared by none, the worst case.
"""

from __future__ import annotations

import argparse
import math
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from igcnas.statistics.intervals import mean, t_interval, wilson_interval
from igcnas.statistics.racing import next_repeat, standing

OUT = Path(__file__).parent / "results" / "calibration.md"
IMAGES = 360
SETTLED = 0.95
_BINOMIAL = 0.5 / math.sqrt(IMAGES)
Draw = Callable[[np.random.Generator, int], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A kind of study. noise: sizes of the noise of networks, of the binomial one. tails: its degrees of freedom."""

    networks: int = 40
    further: int = 30
    seeds: int = 7
    truth: Draw = lambda chance, count: chance.normal(1.36, 0.04, count)
    noise: Draw = lambda _, count: np.ones(count)
    tails: float = math.inf


def _skewed(chance: np.random.Generator, count: int) -> np.ndarray:
    return 1.42 - chance.exponential(0.04, count)


WORLDS = {
    "binomial": World(),
    "quiet": World(noise=lambda _, count: np.full(count, 0.5)),
    "loud": World(noise=lambda _, count: np.full(count, 2.0)),
    "heterogeneous": World(noise=lambda chance, count: np.exp(chance.normal(0, 0.47, count))),
    "heavy tails": World(tails=3.0),
    "skewed": World(truth=_skewed, noise=lambda _, count: np.full(count, 0.5)),
    "close": World(networks=120, truth=lambda chance, count: chance.normal(1.36, 0.015, count)),
    "few": World(networks=6, further=6),
    "two trainings": World(networks=12, further=12, seeds=2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One world: probabilities stated and whether they came true, before a repeat and at the end."""

    start: tuple[float, bool]
    end: tuple[float, bool]
    promised: float
    optimism: float
    within: bool
    repeats: int


def play(world: World, *, seed: int, further: int) -> Run:
    """One study, with so many repeats at the most."""
    chance = np.random.Generator(np.random.PCG64(seed))
    theta = np.minimum(world.truth(chance, world.networks), math.pi / 2 - 0.01)
    noise = world.noise(chance, world.networks) * _BINOMIAL

    def train(network: int) -> float:
        error = chance.normal() if math.isinf(world.tails) else chance.standard_t(world.tails) / math.sqrt(3)
        z = min(max(theta[network] + error * noise[network], 0.0), math.pi / 2)
        return 100 * round(IMAGES * math.sin(z) ** 2) / IMAGES

    truth = 100 * np.sin(theta) ** 2
    trained = {f"{network:04d}": [train(network)] for network in range(world.networks)}
    start = standing(trained, images=IMAGES)
    highest = max(trained, key=lambda name: trained[name][0])
    optimism = trained[highest][0] - float(truth[int(highest)])
    spent = 0
    while spent < further and (name := next_repeat(trained, seeds=world.seeds, images=IMAGES)) is not None:
        trained[name].append(train(int(name)))
        spent += 1
    end = standing(trained, images=IMAGES)
    first = int(end.first.name)
    return Run(
        start=(start.first.probability, int(start.first.name) == int(theta.argmax())),
        end=(end.first.probability, first == int(theta.argmax())),
        promised=start.typical_optimism,
        optimism=optimism,
        within=abs(end.first.expected - truth[first]) <= 1.96 * end.first.uncertainty,
        repeats=spent,
    )


def row(name: str, world: World, *, worlds: int, played: int) -> str:
    """One kind of world as a line of the table; `played` of the worlds are raced to the end."""
    starts = [play(world, seed=seed, further=0) for seed in range(worlds)]
    runs = [play(world, seed=seed, further=world.further) for seed in range(played)]
    settled = [run.end for run in runs if run.end[0] >= SETTLED]
    real = [run.optimism for run in starts]
    low, high = t_interval(real)
    cells = [
        name,
        f"{len(starts)}, {len(runs)}",
        f"{mean([run.repeats for run in runs]):.1f}",
        _stated([run.start for run in starts]),
        _stated([run.end for run in runs]),
        f"{len(settled)}: {_stated(settled)}" if settled else "none",
        _share([run.within for run in runs]),
        f"{mean([run.promised for run in starts]):.2f}, {mean(real):.2f} ({low:.2f} to {high:.2f})",
    ]
    return "| " + " | ".join(cells) + " |"


def _stated(pairs: list[tuple[float, bool]]) -> str:
    return f"{mean([p for p, _ in pairs]):.2f}, {_share([hit for _, hit in pairs])}"


def _share(hits: list[bool]) -> str:
    low, high = wilson_interval(sum(hits), len(hits))
    return f"{sum(hits) / len(hits):.2f} ({low:.2f} to {high:.2f})"


def covered(*, whole: bool, size: float, repeated: int, n: tuple[int, int], studies: int) -> tuple[int, int]:
    """How often the interval of a difference holds the true one; size: sd of a seed over the binomial error.

    Of ten networks `repeated` have three trainings each: they tell the spread of a seed. Two more are compared.
    """
    from igcnas.statistics.noise import Noise

    hits = 0
    for seed in range(studies):
        chance = np.random.Generator(np.random.PCG64(seed))
        truth = chance.uniform(0.8, 0.97, repeated + 2)
        binomial = np.sqrt(truth * (1 - truth) / IMAGES)
        images = binomial * (1.0 if whole else math.sqrt(max(0.0, 1 - size**2)))
        on_split = truth + chance.normal(size=len(truth)) * images
        counts = [*([3] * repeated), *n]
        trained = [
            [100 * min(1.0, round(IMAGES * (place + size * one * chance.normal())) / IMAGES) for _ in range(count)]
            for place, one, count in zip(on_split, binomial, counts, strict=True)
        ]
        found = Noise.of(trained, IMAGES).difference(trained[-2], trained[-1])
        hits += found.low <= 100 * (truth[-2] - truth[-1]) <= found.high
    return hits, studies


def coverage(studies: int) -> Iterator[str]:
    """The second table."""
    yield "| what seeds do | sd of a seed, of the binomial one | trained thrice | trainings of the two | holds |"
    yield "|---|---|---|---|---|"
    for whole, size in ((False, 0.3), (False, 0.9), (True, 0.5), (True, 1.0), (True, 2.0)):
        for repeated, n in ((0, (1, 1)), (1, (1, 1)), (8, (1, 1)), (8, (5, 1)), (8, (5, 5))):
            hits, of = covered(whole=whole, size=size, repeated=repeated, n=n, studies=studies)
            low, high = wilson_interval(hits, of)
            what = "move the whole network" if whole else "flip answers"
            share = f"{hits / of:.3f} ({low:.3f} to {high:.3f})"
            yield f"| {what} | {size} | {repeated} | {n[0]} and {n[1]} | {share} |"


def _kinds(kinds: list[str]) -> str:
    """The option, where some were left out."""
    return "" if kinds == list(WORLDS) else " --kinds " + " ".join(map(shlex.quote, kinds))


def main() -> None:
    """Play and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=300, help="of each kind (default: %(default)s)")
    parser.add_argument("--played", type=int, default=100, help="of these, raced to the end (default: %(default)s)")
    parser.add_argument("--kinds", nargs="+", choices=list(WORLDS), default=list(WORLDS), help="default: all")
    parser.add_argument("--studies", type=int, default=2000, help="of a row of the second table (default: %(default)s)")
    parser.add_argument("--no-coverage", action="store_true", help="without the second table")
    parser.add_argument("--out", type=Path, default=OUT, help="the page (default: %(default)s)")
    arguments = parser.parse_args()
    text = [
        "# Are the stated probabilities and intervals true?",
        "",
        f"`python -m benchmarks.calibration{_kinds(arguments.kinds)} --worlds {arguments.worlds} --played "
        f"{arguments.played} --studies {arguments.studies}`. Kinds of worlds: benchmarks/calibration.py. Stated "
        f"probabilities, then what came true, "
        "in brackets its 95 % interval.",
        "",
        "| world | worlds, raced | repeats | before: stated, true | at the end: stated, true | settled: stated, true | "
        "true accuracy within 1.96 sd | optimism: said, found |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in arguments.kinds:
        world = WORLDS[name]
        text.append(row(name, world, worlds=arguments.worlds, played=arguments.played))
        print(text[-1], flush=True)
    if not arguments.no_coverage:
        text += ["", "## Intervals of a difference on new images", "", *coverage(arguments.studies)]
        print("\n".join(text[-25:]))
    arguments.out.write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
