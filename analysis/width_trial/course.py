"""The course of a trial: the learning rates first, where there are several, then seed by seed all networks.

Each is a campaign in the folder of the trial.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from igcnas.search.campaign import Campaign
from igcnas.statistics.intervals import mean

from .networks import Entrant
from .settings import TrialSettings
from .training import Outcome, WidthTraining

Run = Callable[[Campaign[Outcome], str], list[Outcome]]


def outcomes(
    folder: Path,
    settings: TrialSettings,
    networks: Sequence[Entrant],
    seeds: int,
    run: Run,
    *,
    say: Callable[[str], None],
    note: Callable[[str], None],
) -> list[Outcome]:
    """Those of all networks and seeds.

    run: trains what is missing of a campaign, under this name, and gives all its results. say: told what was chosen.
    note: told of results that are damaged.
    """

    def training(entrant: Entrant, rate: float, repeat: int, *, tuning: bool = False) -> WidthTraining:
        return WidthTraining.of(folder, settings, entrant, rate=rate, repeat=repeat, tuning=tuning)

    rates = {one.name: settings.rates[0] for one in networks}
    if len(settings.rates) > 1:
        tuning = [
            training(one, rate, repeat, tuning=True)
            for repeat in range(settings.tuning_seeds)
            for one in networks
            for rate in settings.rates
        ]
        rates = best_rates(settings, networks, run(Campaign(tuning, note=note), "rates"))
        say(f"rates     {', '.join(f'{name} {rate:g}' for name, rate in rates.items())}")
    trainings = [training(one, rates[one.name], repeat) for repeat in range(seeds) for one in networks]
    return run(Campaign(trainings, note=note), "training")


def best_rates(settings: TrialSettings, networks: Sequence[Entrant], tuning: Sequence[Outcome]) -> dict[str, float]:
    """The rate of the highest mean accuracy of each network; failed trainings have none right. Of equals the first."""

    def score(name: str, rate: float) -> float:
        return mean([outcome.accuracy for outcome in tuning if (outcome.network, outcome.rate) == (name, rate)])

    return {one.name: max(settings.rates, key=lambda rate: score(one.name, rate)) for one in networks}
