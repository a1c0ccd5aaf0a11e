"""Seconds that a proposal takes after so many networks: each sampler of igcnas, and plain Optuna beside them.

python -m benchmarks.proposal_cost --out benchmarks/results

The space is `all`, for images of 32x32 up to 100 MMACs, drawing a front. The history is networks of random structure,
as our proposer draws them; an accuracy is made up from the id of the network and its MACs. Each proposal is asked with
one network more in the history, as in a search, after a first ask that reads it all. Plain Optuna has the same
parameters and accuracies in memory, and asks without solving widths and without looking for repeats.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna

from benchmarks.summary import header
from igcnas.network.budget import macs_budget
from igcnas.search.proposals import SAMPLERS, Candidate, Observation, Proposer, SpaceDomain
from igcnas.search.proposals.choices import draw
from igcnas.search.space import load_space

BUDGET, LOWEST = 100_000_000, 10_000_000
IMAGES = 5_000
SHAPE, CLASSES = (3, 32, 32), 10
OPTUNA = "plain Optuna TPE, study.ask"
_TOO_SLOW = 60.0
_MOST_TRIES = 20


def domain() -> SpaceDomain:
    """The default space."""
    return SpaceDomain(space=load_space("all"), input_shape=SHAPE, num_classes=CLASSES, budget=macs_budget(BUDGET))


def proposer(sampler: str) -> Proposer:  # type: ignore[type-arg]
    """As a search makes it."""
    return Proposer(domain(), budget=BUDGET, lowest_target=LOWEST, spread=True, sampler=sampler, seed=0, images=IMAGES)


def accuracy(key: str, macs: int) -> float:
    """A stand-in: better with MACs, and a part that only the id decides."""
    return 60.0 + 4.0 * math.log(macs / 1e6) + 5.0 * int(key[:6], 16) / 16**6


def history(number: int) -> tuple[list[Observation], set[str]]:
    """So many different networks of random structure, at targets spread as in a search; and their keys."""
    spread, solve, draws = proposer("random").target, domain().solve, random.Random(0)
    found: list[Observation] = []
    keys: set[str] = set()
    for _ in range(_MOST_TRIES * number):
        if len(found) == number:
            return found, keys
        parameters, target = draw(domain(), draws).parameters, spread(len(found))
        candidate = solve(parameters, target)
        if candidate is not None and candidate.key not in keys:
            keys.add(candidate.key)
            found.append(_observation(parameters, target, candidate))
    raise SystemExit(f"found no more than {len(found)} networks; take fewer --networks than {number}")


def _observation(parameters: dict, target: int, candidate: Candidate) -> Observation:  # type: ignore[type-arg]
    return Observation(
        parameters=parameters,
        target=target,
        cost=candidate.macs,
        accuracies=(accuracy(candidate.key, candidate.macs),),
        complete=True,
        known=False,
    )


def ours(sampler: str, past: list[Observation], keys: set[str]) -> Iterator[float]:
    """CPU seconds of one proposal after another; the first includes reading the history."""
    asks, observations, seen = proposer(sampler), list(past), set(keys)
    while True:
        start = time.process_time()
        proposal = asks.propose(observations, seen)
        yield time.process_time() - start
        if proposal is None:
            return
        seen.add(proposal.candidate.key)
        observations.append(_observation(proposal.parameters, proposal.target, proposal.candidate))


def plain(past: list[Observation]) -> Iterator[float]:
    """The same for `study.ask` of Optuna's TPE and the choices of the space; it is told after each."""
    space = domain()
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    for network in past:
        recorded = optuna.trial.FixedTrial(dict(network.parameters))
        space.suggest(recorded)
        study.add_trial(
            optuna.trial.create_trial(
                params=dict(network.parameters), distributions=recorded.distributions, value=network.accuracies[-1]
            )
        )
    while True:
        start = time.process_time()
        trial = study.ask()
        parameters = space.suggest(trial)
        yield time.process_time() - start
        study.tell(trial, accuracy(f"{hash(str(parameters)) & 0xFFFFFF:06x}", BUDGET))


def measure(asks: Iterator[float], repeats: int) -> tuple[float, list[float]]:
    """The first ask, and those after it; fewer where each takes long."""
    first = next(asks)
    seconds: list[float] = []
    for value in asks:
        seconds.append(value)
        if len(seconds) == repeats or sum(seconds) > _TOO_SLOW:
            break
    return first, seconds


def row(name: str, number: int, first: float, seconds: list[float]) -> str:
    """Median and quartiles in milliseconds."""
    low, middle, high = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else [seconds[0]] * 3
    return (
        f"| {name} | {number:,} | {len(seconds)} | {1e3 * middle:.1f} | {1e3 * low:.1f} to {1e3 * high:.1f} "
        f"| {1e3 * first:.0f} |"
    )


HEAD = (
    "| sampler | networks before | n | median, ms | quartiles, ms | first ask of a run, ms |\n|---|---|---|---|---|---|"
)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, nargs="+", default=[100, 1_000, 10_000], metavar="N")
    parser.add_argument("--repeats", type=int, default=25, help="proposals of each, in at most a minute (default: 25)")
    parser.add_argument("--samplers", nargs="+", choices=list(SAMPLERS), default=list(SAMPLERS), metavar="NAME")
    parser.add_argument("--out", type=Path, help="folder for proposal-cost.md (default: print it only)")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    lines = [HEAD]
    for number in arguments.networks:
        past, keys = history(number)
        makers: dict[str, Callable[[], Iterator[float]]] = {
            name: lambda name=name, past=past, keys=keys: ours(name, past, keys)  # type: ignore[misc]
            for name in arguments.samplers
        }
        makers[OPTUNA] = lambda past=past: plain(past)  # type: ignore[misc]
        for name, make in makers.items():
            try:
                lines.append(row(name, number, *measure(make(), arguments.repeats)))
            except RecursionError:
                lines.append(f"| {name} | {number:,} | 0 | fails: RecursionError | | |")
            print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    if arguments.out is not None:
        title = "# What a proposal costs\n\n"
        how = f"CPU time, not time on the wall.{(__doc__ or '').split('benchmarks/results')[-1]}\n"
        path = arguments.out / "proposal-cost.md"
        path.write_text(title + header("benchmarks.proposal_cost") + "\n" + how + text, encoding="utf-8")


if __name__ == "__main__":
    main()
