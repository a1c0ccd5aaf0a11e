"""The course of a trial: the learning rates first, where there are several, then seed by seed all networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TextIO

from igcnas.statistics.intervals import mean
from igcnas.system.files import remove

from .networks import Entrant
from .pool import Workplace, trained
from .progress import Progress
from .settings import TrialSettings
from .training import Outcome, Training, read


def outcomes(
    place: Workplace,
    networks: Sequence[Entrant],
    seeds: int,
    *,
    workers: int,
    stop: Callable[[], bool],
    output: TextIO,
) -> list[Outcome]:
    """Those of all networks and seeds; what is missing is trained. Raises Stopped after `stop`."""
    settings = place.settings
    rates = {one.name: settings.rates[0] for one in networks}
    if len(settings.rates) > 1:
        tuning = [
            Training(entrant=one, rate=rate, repeat=repeat, tuning=True)
            for repeat in range(settings.tuning_seeds)
            for one in networks
            for rate in settings.rates
        ]
        found = _done(place, tuning, "rates", workers=workers, stop=stop, output=output)
        rates = best_rates(settings, networks, found)
        shown = ", ".join(f"{name} {rate:g}" for name, rate in rates.items())
        print(f"rates     {shown}", file=output)
    trainings = [
        Training(entrant=one, rate=rates[one.name], repeat=repeat) for repeat in range(seeds) for one in networks
    ]
    return _done(place, trainings, "training", workers=workers, stop=stop, output=output)


def best_rates(settings: TrialSettings, networks: Sequence[Entrant], tuning: Sequence[Outcome]) -> dict[str, float]:
    """The rate of the highest mean accuracy of each network; failed trainings have none right. Of equals the first."""

    def score(name: str, rate: float) -> float:
        return mean([outcome.accuracy for outcome in tuning if (outcome.network, outcome.rate) == (name, rate)])

    return {one.name: max(settings.rates, key=lambda rate: score(one.name, rate)) for one in networks}


def _done(
    place: Workplace,
    trainings: Sequence[Training],
    what: str,
    *,
    workers: int,
    stop: Callable[[], bool],
    output: TextIO,
) -> list[Outcome]:
    found = {training.stem: read(place.folder, training, place.settings) for training in trainings}
    for training in trainings:
        if found[training.stem] is not None:  # of a run that ended between the result and this
            remove(place.folder / f"{training.stem}.pt")
    missing = [training for training in trainings if found[training.stem] is None]
    if missing:
        progress = Progress(output, what, done=len(trainings) - len(missing), total=len(trainings))
        try:
            for training, outcome in trained(place, missing, workers=workers, stop=stop):
                found[training.stem] = outcome
                progress.one(training.stem)
        finally:
            progress.end()
    return [outcome for outcome in found.values() if outcome is not None]
