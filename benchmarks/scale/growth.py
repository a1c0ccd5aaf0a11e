"""What follows from the model: where the controller binds, what a long study takes, how long many workers wait."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.scale.durations import duration
from benchmarks.scale.model import Seconds, simulate
from benchmarks.scale.results import Cost, Place
from benchmarks.scale.service import TRIALS, WORKERS

_BEYOND = (1_000, 10_000, 100_000, 1_000_000)
_MEANS = (10.0, 60.0, 600.0, 3600.0)
_ENDED, _ROUNDS = 1_000, 5
# Of a journal of 9,027 trainings (benchmarks/results/load.md): seconds of `igcnas status` without a snapshot.
_OPENED, _OPENING = 9_027, 5.1


def growth(found: dict[Place, Cost], begin: Seconds, end: Seconds) -> Iterator[str]:
    """A row for each number of trials and of workers."""
    yield (
        "| trials before | workers | s a trial | most trials a second | workers wait if a training is shorter than, s "
        "| memory, GB | journal, GB | opening it, s |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for trials in _BEYOND:
        for workers in WORKERS:
            service = begin(trials, workers) + end(trials, workers)
            memory = _memory(found, trials, workers)
            journal = trials * found[TRIALS[-2], workers].journal
            star = "" if (trials, workers) in found else "*"
            yield (
                f"| {trials:,} | {workers:,} | {service:.2f}{star} | {1 / service:.2f}{star} "
                f"| {workers * service:,.0f}{star} "
                f"| {memory / 1e3:.2f}{star} | {journal / 1e9:.2f}* | {trials * _OPENING / _OPENED:,.1f}* |"
            )
    yield "\n`*`: extrapolated on straight lines from the rows above; opening from 9,027 trainings."


def _memory(found: dict[Place, Cost], trials: int, workers: int) -> float:
    """MB: as measured, or by what each trial adds between the last two places of one worker."""
    if (trials, workers) in found:
        return found[trials, workers].memory_mb
    first, last = found[TRIALS[-2], 1].memory_mb, found[TRIALS[-1], 1].memory_mb
    slope = (last - first) / (TRIALS[-1] - TRIALS[-2])
    return found[TRIALS[-2], workers].memory_mb + slope * (trials - TRIALS[-2])


def waiting(begin: Seconds, end: Seconds) -> Iterator[str]:
    """Share of the workers' time that is training, after the first trainings of each."""
    yield f"| workers | {' | '.join(f'trainings of {mean:,.0f} s' for mean in _MEANS)} |"
    yield "|---" * (len(_MEANS) + 1) + "|"
    for workers in WORKERS:
        cells = []
        for mean in _MEANS:
            trials = max(200, _ROUNDS * workers)
            found = simulate(begin, end, workers=workers, trials=trials, mean=mean, ended=_ENDED)
            trained = sum(duration(0, _ENDED + number, mean) for number in range(workers, trials)) / (trials - workers)
            share = trained / (trained + found.mean_wait)
            cells.append(f"{100 * share:.0f} %, waits {found.mean_wait:,.1f} s")
        yield f"| {workers:,} | {' | '.join(cells)} |"
    yield f"\nFrom {_ENDED:,} trials on, {_ROUNDS} trainings a worker."
