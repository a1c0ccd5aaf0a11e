"""Which network to train next: the sampler proposes a structure, the budget fixes its width, repeats are passed over.

The proposal for trial number n depends on (seed, n) and on the finished trials, on nothing else: a search that was
interrupted proposes what an uninterrupted one would. (A sampler with a fixed seed repeats its first draws after each
restart; optuna#3255.)
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import optuna

from igcnas.architecture import Architecture
from igcnas.cost import count
from igcnas.errors import BudgetError, unknown_name
from igcnas.space import SearchSpace, Structure
from igcnas.width import Fit

TARGET = "mac_target"
SAMPLERS = ("tpe", "random")
# Proposals that do not fit, or repeat a network, cost nothing; but a small space runs out of new ones.
_SAMPLER_ATTEMPTS = 100
_RANDOM_ATTEMPTS = 2000
_TARGETS = 8
# A front is searched between this share of the budget and the budget.
_LOWEST_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A network to train: Optuna's parameters, the MACs it was solved for, and the solved network."""

    parameters: dict[str, Any]
    target_macs: int
    fit: Fit


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the proposals of this run."""

    asked: int = 0  # structures; each of them is tried at some targets
    misfits: int = 0
    repeats: int = 0


class Proposer:
    """Proposes networks of a space within a budget, for images of a shape."""

    def __init__(
        self,
        space: SearchSpace,
        *,
        input_shape: tuple[int, int, int],
        num_classes: int,
        budget_macs: int,
        objective: str,
        sampler: str,
        seed: int,
    ) -> None:
        if sampler not in SAMPLERS:
            raise BudgetError(unknown_name("sampler", sampler, SAMPLERS))
        self.space, self.input_shape, self.num_classes = space, input_shape, num_classes
        self.budget_macs, self.objective, self.sampler, self.seed = budget_macs, objective, sampler, seed
        self.tally = Tally()

    def lowest_target(self, smallest_macs: int) -> int:
        """Where the front begins: a tenth of the budget, or the smallest network of the space."""
        return max(smallest_macs, int(self.budget_macs * _LOWEST_SHARE))

    def suggest(self, trial: optuna.Trial, lowest_target: int) -> dict[str, Any]:
        """Ask for every parameter of a proposal."""
        parameters = self.space.suggest(trial)
        if self.objective == "front":
            low = min(lowest_target, self.budget_macs)
            parameters[TARGET] = trial.suggest_int(TARGET, low, self.budget_macs, log=True)
        return parameters

    def propose(self, study: optuna.Study, *, lowest_target: int, seen: set[str]) -> Proposal | None:
        """The next network to train, of an id that is not in `seen`; None where the space seems to hold no other."""
        number = len(study.get_trials(deepcopy=False))
        mirror = self._mirror(study)
        for attempt in range(_SAMPLER_ATTEMPTS + _RANDOM_ATTEMPTS):
            mirror.sampler = self._sampler(number, attempt)
            trial = mirror.ask()
            parameters = self.suggest(trial, lowest_target)
            mirror.tell(trial, state=optuna.trial.TrialState.FAIL)  # not a trial: samplers pass over it
            self.tally.asked += 1
            structure = self.space.decode(parameters, self.input_shape, self.num_classes)
            for target in self._targets(structure, parameters, lowest_target, (number, attempt)):
                fit = structure.fit(target)
                if fit is None:
                    self.tally.misfits += 1
                elif fit.architecture.id in seen:
                    self.tally.repeats += 1
                else:
                    searched = {TARGET: target} if TARGET in parameters else {}
                    return Proposal(parameters=parameters | searched, target_macs=target, fit=fit)
        return None

    def samples(self, number: int, *, lowest_target: int) -> tuple[Architecture, ...]:
        """Networks of random structure within the budget, at most `number`; the same for the same seed."""
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=self.seed))
        found: list[Architecture] = []
        for _ in range(_RANDOM_ATTEMPTS):
            if len(found) == number:
                break
            parameters = self.suggest(study.ask(), lowest_target)
            structure = self.space.decode(parameters, self.input_shape, self.num_classes)
            fit = structure.fit(int(parameters.get(TARGET, self.budget_macs)))
            if fit is not None:
                found.append(fit.architecture)
        return tuple(found)

    def _mirror(self, study: optuna.Study) -> optuna.Study:
        """The finished, searched trials in memory, where a proposal may be asked for and dropped without a trace."""
        mirror = optuna.create_study(directions=study.directions)
        finished = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        mirror.add_trials([trial for trial in finished if trial.params])  # known networks have no parameters
        return mirror

    def _targets(
        self, structure: Structure, parameters: dict[str, Any], lowest_target: int, draw: tuple[int, int]
    ) -> Iterator[int]:
        """The target of a proposal; where it draws a front, then some others for the same structure.

        Another target costs microseconds, another proposal of TPE milliseconds, and a structure that does not fit the
        target it was proposed with, or gives a network that is known there, may well give a new one elsewhere.
        """
        yield int(parameters.get(TARGET, self.budget_macs))
        low = max(count(structure.at(1)).macs, lowest_target)
        if TARGET in parameters and low <= self.budget_macs:
            draws = random.Random(self._seed(*draw))
            for _ in range(_TARGETS):
                share = draws.random()  # uniform on a log scale
                yield max(low, int(math.exp((1 - share) * math.log(low) + share * math.log(self.budget_macs))))

    def _seed(self, number: int, attempt: int) -> int:
        digest = hashlib.sha256(f"{self.seed}/{number}/{attempt}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def _sampler(self, number: int, attempt: int) -> optuna.samplers.BaseSampler:
        seed = self._seed(number, attempt)
        if self.sampler == "random" or attempt >= _SAMPLER_ATTEMPTS:
            return optuna.samplers.RandomSampler(seed=seed)
        return optuna.samplers.TPESampler(seed=seed)
