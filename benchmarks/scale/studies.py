"""Studies of many trials, made in seconds: a journal as a search leaves it, without the search.

The networks are of random structure in the space `all`; accuracies are the stand-in's of `benchmarks.report_time`. Each
trial is one record of the journal, where a search writes some twenty; what the controller holds in memory is the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import optuna

from benchmarks.report_time import BUDGET, EPOCHS, Quiet, stand_in
from igcnas.data.loading import load_dataset
from igcnas.network.cost import count
from igcnas.search.controller import Search
from igcnas.search.evaluation import Evaluator
from igcnas.search.folder import guard_settings, open_study
from igcnas.search.proposals import Candidate
from igcnas.search.proposals.choices import draw
from igcnas.search.records import proposal_attributes, records
from igcnas.search.settings import DataSettings, StudySettings
from igcnas.search.space import load_space
from igcnas.training.settings import TrainingSettings

_MOST_TRIES = 50
SPACE = "all"


def settings(sampler: str = "gp") -> StudySettings:
    """Of a search for a front on the digits, without baselines: every trial is a proposal."""
    training = TrainingSettings(epochs=EPOCHS)
    data = DataSettings.of(load_dataset("digits"), training, spec="digits", data_dir=None, image_size=None)
    return StudySettings(
        space=load_space(SPACE).to_dict(),
        space_path=SPACE,
        budget_macs=BUDGET,
        objective="front",
        sampler=sampler,
        baselines=False,
        seed=0,
        data=data,
        training=training,
    )


def search(folder: Path, evaluator: Evaluator, made: StudySettings) -> Search:
    """A controller on the study in this folder, which is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    guard_settings(folder, made)
    return Search(open_study(folder, create_for=made), folder, load_space(SPACE), made, evaluator, Quiet())


def fill(controller: Search, *, ended: int = 0, running: int = 0) -> None:
    """Put so many more trials that have ended into its study, then so many that are in training."""
    for number, (parameters, target, found) in enumerate(_networks(controller, ended + running)):
        network = found.network
        cost = count(network)
        attributes = proposal_attributes(
            network,
            macs=cost.macs,
            params=cost.params,
            target=target,
            baseline=None,
            seed=controller.settings.training.network_seed(network.id),
            epochs=EPOCHS,
            canonical_id=found.key,
            origin="sampler",
        )
        values = None
        if number < ended:
            results = stand_in(network, controller.folder, lambda _report: None).results
            assert results is not None
            attributes |= results | {"spared_at": None, "within_budget": True, "starts": 1}
            values = controller.settings.compares.values(results)
        recorded = optuna.trial.FixedTrial(parameters)
        controller.domain.suggest(recorded)
        trial = optuna.trial.create_trial(
            state=optuna.trial.TrialState.COMPLETE if number < ended else optuna.trial.TrialState.RUNNING,
            params=parameters,
            distributions=recorded.distributions,
            user_attrs=attributes,
            values=values,
        )
        trial.datetime_start = datetime.now()
        controller.study.add_trial(trial)


def _networks(controller: Search, number: int) -> Iterator[tuple[dict[str, object], int, Candidate]]:  # type: ignore[type-arg]
    seen = {record.canonical_id for record in records(controller.study)}
    draws, whole = random.Random(f"fill/{len(seen)}"), len(seen) + number
    for _ in range(_MOST_TRIES * number):
        if len(seen) == whole:
            return
        parameters, target = draw(controller.domain, draws).parameters, controller.proposer.target(len(seen))
        found = controller.domain.solve(parameters, target)
        if found is not None and found.fills and found.key not in seen:
            seen.add(found.key)
            yield parameters, target, found
    if len(seen) == whole:
        return
    raise SystemExit(f"the space has no {number} networks that random structures find; take fewer --trials")
