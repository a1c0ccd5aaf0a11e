"""The controller: proposes, has networks trained, and tells the study. One process owns a study while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.trial import TrialState

from igcnas.architecture import Architecture
from igcnas.baselines import baselines
from igcnas.cost import count
from igcnas.errors import BudgetError, TrainingError
from igcnas.evaluation import Evaluate, Interrupted, Outcome
from igcnas.proposals import Proposer, Tally
from igcnas.records import TrialRecord, proposal_attributes, record_of, records, trained
from igcnas.settings import TrainingSettings
from igcnas.space import SearchSpace
from igcnas.study import StudySettings, trial_folder
from igcnas.training.trainer import EpochReport

# A network that has killed its run this often is closed; a stop that was asked for does not count.
_MAX_STARTS = 5
_MAX_FAILURES_IN_A_ROW = 10


class Progress(Protocol):
    """What a search tells whoever watches it."""

    def note(self, text: str) -> None:
        """A line worth reading."""

    def started(self, record: TrialRecord) -> None:
        """A network goes into training."""

    def epoch(self, report: EpochReport) -> None:
        """One more point of its learning curve."""

    def finished(self, record: TrialRecord) -> None:
        """It is in the study, complete or failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the budget means in a space: the cheapest and the most expensive network, in MACs."""

    smallest: int
    largest: int


@dataclass(slots=True, kw_only=True)
class Summary:
    """How a run of the search ended, and what the study then holds."""

    trained: int
    failed: int
    interrupted: bool = False
    exhausted: bool = False
    tally: Tally = field(default_factory=Tally)


def check_budget(space: SearchSpace, settings: StudySettings) -> Limits:
    """Refuse a budget below the smallest network of the space, before anything is trained."""
    shape, classes = settings.data.input_shape, len(settings.data.classes)
    limits = Limits(
        smallest=count(space.smallest(shape, classes)).macs,
        largest=count(space.largest(shape, classes)).macs,
    )
    if settings.budget_macs < limits.smallest:
        raise BudgetError(
            f"budget {settings.budget_macs / 1e6:.12g} MFLOPs is below the smallest network of space {space.name!r} "
            f"for {shape[0]}x{shape[1]}x{shape[2]} images, {limits.smallest / 1e6:.12g} MFLOPs; raise --budget-mflops "
            "or take another --space"
        )
    return limits


class Search:
    """One run of a search on an open study. `evaluate` trains; in tests it may be any function."""

    def __init__(
        self,
        study: optuna.Study,
        folder: Path,
        space: SearchSpace,
        settings: StudySettings,
        evaluate: Evaluate,
        progress: Progress,
        *,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.study, self.folder, self.settings = study, folder, settings
        self.evaluate, self.progress, self.stop = evaluate, progress, stop
        self.limits = check_budget(space, settings)
        self.proposer = Proposer(
            space,
            input_shape=settings.data.input_shape,
            num_classes=len(settings.data.classes),
            budget_macs=settings.budget_macs,
            objective=settings.objective,
            sampler=settings.sampler,
            seed=settings.seed,
        )
        fits = baselines(settings.data.input_shape, len(settings.data.classes), settings.budget_macs)
        self._known = {name: fit.architecture for name, fit in fits.items()} if settings.baselines else {}
        self.lowest_target = self.proposer.lowest_target(self.limits.smallest)

    def known_networks(self) -> dict[str, Architecture]:
        """The baselines of this study by name."""
        return self._known

    def samples(self, number: int) -> tuple[Architecture, ...]:
        """Some networks that this search could train, drawn at random: for measuring how long it takes."""
        return self.proposer.samples(number, lowest_target=self.lowest_target)

    def run(self, networks: int) -> Summary:
        """Train until the study holds this many trained networks, earlier runs included."""
        summary = Summary(trained=0, failed=0, tally=self.proposer.tally)
        failures = 0
        try:
            while True:
                if self.stop():
                    raise Interrupted
                trial = self._unfinished() or self._next(networks)
                if trial is None:
                    break
                record = self._train(trial)
                failures = 0 if record.state == "complete" else failures + 1
                if failures == _MAX_FAILURES_IN_A_ROW:
                    raise TrainingError(
                        f"{failures} trainings in a row failed, the last with: {record.reason}; "
                        "nothing is lost: mend the cause and run the same command again"
                    )
        except Interrupted:
            summary.interrupted = True
        every = records(self.study)
        summary.trained = len(trained(every))
        summary.failed = sum(record.state == "failed" for record in every)
        summary.exhausted = not summary.interrupted and summary.trained < networks
        return summary

    def _unfinished(self) -> optuna.Trial | None:
        """Adopt what a killed run left, under its number; close it where it keeps killing its process."""
        for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            starts = frozen.user_attrs.get("starts", 0)
            trial = optuna.Trial(self.study, frozen._trial_id)
            if "architecture" in frozen.user_attrs and starts < _MAX_STARTS:
                self.progress.note(f"taking up network {frozen.number}, which an earlier run left unfinished")
                return trial
            reason = (
                f"the run was killed {starts} times while it trained" if starts else "killed before it had a network"
            )
            trial.set_user_attr("reason", reason)
            self.study.tell(trial, state=TrialState.FAIL)
            self.progress.note(f"network {frozen.number} is closed as failed: {reason}")
        return None

    def _next(self, networks: int) -> optuna.Trial | None:
        """A trial with a new network; None when the study is full or the space is empty."""
        every = records(self.study)
        if len(trained(every)) >= networks:
            return None
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if not waiting and not self._enqueue({record.architecture.id for record in every}):
            return None
        return self.study.ask()

    def _enqueue(self, seen: set[str]) -> bool:
        """Queue the next known network, or a proposal, with all that is needed to train it, in one record."""
        for name, architecture in self.known_networks().items():
            if architecture.id not in seen:
                self._add({}, architecture, self.settings.budget_macs, baseline=name)
                return True
        proposal = self.proposer.propose(self.study, lowest_target=self.lowest_target, seen=seen)
        if proposal is None:
            return False
        self._add(proposal.parameters, proposal.fit.architecture, proposal.target_macs, baseline=None)
        return True

    def _add(
        self, parameters: dict[str, Any], architecture: Architecture, target: int, *, baseline: str | None
    ) -> None:
        cost = count(architecture)
        training: TrainingSettings = self.settings.training
        attributes = proposal_attributes(
            architecture,
            macs=cost.macs,
            params=cost.params,
            target_macs=target,
            baseline=baseline,
            seed=training.network_seed(architecture.id),
            epochs=training.epochs,
        )
        self.study.enqueue_trial(parameters, user_attrs=attributes)

    def _train(self, trial: optuna.Trial) -> TrialRecord:
        starts = trial.user_attrs.get("starts", 0)
        trial.set_user_attr("starts", starts + 1)
        if trial.user_attrs["baseline"] is None:
            self.proposer.suggest(trial, self.lowest_target)  # records the queued values as Optuna's parameters
        record = self._record(trial.number)
        if record.macs > self.settings.budget_macs:  # the promise of this program, held at its last gate
            raise AssertionError(f"network {record.number} of {record.macs} MACs is over the budget")
        self.progress.started(record)
        try:
            outcome = self.evaluate(record.architecture, trial_folder(self.folder, trial.number), self.progress.epoch)
        except Interrupted:
            trial.set_user_attr("starts", starts)
            raise
        self._tell(trial, outcome)
        finished = self._record(trial.number)
        self.progress.finished(finished)
        return finished

    def _tell(self, trial: optuna.Trial, outcome: Outcome) -> None:
        results = outcome.results
        if results is None:
            trial.set_user_attr("reason", outcome.reason)
            self.study.tell(trial, state=TrialState.FAIL)
            return
        for key, value in results.items():
            trial.set_user_attr(key, value)
        trial.set_user_attr("within_budget", results["measured_macs"] <= self.settings.budget_macs)
        values = [results["val_accuracy"], results["measured_macs"]]
        self.study.tell(trial, values[: len(self.study.directions)])

    def _record(self, number: int) -> TrialRecord:
        record = record_of(self.study.get_trials(deepcopy=False)[number])
        assert record is not None
        return record
