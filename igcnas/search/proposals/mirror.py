"""What is known of a study, in memory, as a sampler should see it: scores instead of accuracies, no baselines.

A sampler can be asked here and its answer dropped without a trace in the real study. And since values in Optuna never
change once told, it is here, not in the study, that accuracies become scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from igcnas.search.proposals.domain import Domain, Observation
from igcnas.search.proposals.reference import Judge

TARGET = "mac_target"
# NSGAIISampler reads the generation of a trial from here; a test holds this name against Optuna's.
GENERATION = "NSGAIISampler:generation"
POPULATION = 20
# Dropped asks stay in memory until they are as many as this and half of the networks.
_DROPPED = 200


class Mirror:
    """Tells an in-memory study what the observations say. `targets`: the MAC target is a choice, from low to high.

    study: the Optuna study; read it only. generations: full populations of networks trained to the end. Networks in
    training are running trials there, until the next update: TPE takes them for bad ones (its constant liar), so that
    it does not propose what is like them.
    """

    def __init__(self, domain: Domain[Any], *, targets: tuple[int, int] | None) -> None:
        self._domain, self._targets = domain, targets
        self._told: list[Observation] = []
        self._judge: Judge | None = None
        self._dropped = 0
        self._running: list[int] = []
        self.generations = 0
        self.study = self._empty()

    def ask(self, sampler: optuna.samplers.BaseSampler) -> dict[str, Any]:
        """The choices that this sampler proposes; the ask itself is forgotten."""
        self.study.sampler = sampler
        trial = self.study.ask()
        parameters = self._suggest(trial)
        self.study.tell(trial, state=TrialState.FAIL)  # not a trial: samplers pass over it
        self._dropped += 1
        return parameters

    def update(self, searched: Sequence[Observation], judge: Judge) -> None:
        """Tell what is new; begin anew where more has changed than that networks were added."""
        pending = [network for network in searched if network.pending]
        searched = [network for network in searched if network.accuracies]
        known = len(self._told)
        stale = judge != self._judge or searched[:known] != self._told
        if stale or self._dropped > _DROPPED + known // 2:
            self.study, self._told, self._dropped, self._running, known = self._empty(), [], 0, [], 0
        for number in self._running:
            self.study.tell(number, state=TrialState.FAIL)
        self._dropped += len(self._running)
        complete = sum(network.complete for network in self._told)
        for network in searched[known:]:
            self.study.add_trial(self._trial(network, judge, generation=complete // POPULATION))
            complete += network.complete
        self._running = [self._run(network) for network in pending]
        self._told, self._judge = searched, judge
        self.generations = complete // POPULATION

    def _empty(self) -> optuna.Study:
        directions = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE][: 1 if self._targets is None else 2]
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            return optuna.create_study(directions=directions)
        finally:
            optuna.logging.set_verbosity(verbosity)

    def _run(self, network: Observation) -> int:
        """Enter a network in training; the number of its trial."""
        parameters, distributions = self._choices(network)
        running = optuna.trial.create_trial(state=TrialState.RUNNING, params=parameters, distributions=distributions)
        self.study.add_trial(running)
        return len(self.study.get_trials(deepcopy=False)) - 1

    def _choices(self, network: Observation) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        """What was chosen, and among what."""
        parameters = dict(network.parameters)
        recorded = optuna.trial.FixedTrial(parameters)
        self._domain.suggest(recorded)
        distributions = dict(recorded.distributions)
        if self._targets is not None:
            parameters[TARGET] = network.target
            distributions[TARGET] = IntDistribution(*self._targets, log=True)
        return parameters, distributions

    def _suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, Any]:
        parameters = self._domain.suggest(trial)
        if self._targets is not None:
            parameters[TARGET] = trial.suggest_int(TARGET, *self._targets, log=True)
        return parameters

    def _trial(self, network: Observation, judge: Judge, *, generation: int) -> FrozenTrial:
        parameters, distributions = self._choices(network)
        if self._targets is not None:
            values = [network.accuracies[-1], network.cost]
        else:
            values = [judge.score(network.accuracies[-1], network.cost)]
        scores = {
            epoch: judge.score(accuracy, network.cost, epoch=epoch)
            for epoch, accuracy in enumerate(network.accuracies, start=1)
        }
        return optuna.trial.create_trial(
            state=TrialState.COMPLETE if network.complete else TrialState.PRUNED,
            params=parameters,
            distributions=distributions,
            values=values if network.complete else None,
            intermediate_values=scores if not network.complete and self._targets is None else {},
            system_attrs={GENERATION: generation},
        )
