"""The controller: proposes, has networks trained, and tells the study. One process owns a study while it runs.

Three phases, each decided anew from the records before each training: the known networks, the search, the repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import optuna
from optuna.trial import TrialState

from igcnas.architecture import Architecture
from igcnas.baselines import Known, known_networks
from igcnas.canonical import canonical_id
from igcnas.errors import TrainingError
from igcnas.evaluation import Evaluate, Interrupted, Outcome
from igcnas.proposals import Proposer, SpaceDomain, Tally, resolve_sampler
from igcnas.records import TrialRecord, counted, records, repeats, trained
from igcnas.search.limits import check_budget, check_pruner
from igcnas.search.observing import observations
from igcnas.search.pruning import Rule, rule_for
from igcnas.search.queue import Attempt, Queue
from igcnas.search.repeating import Repeating
from igcnas.space import SearchSpace
from igcnas.study import OBJECTIVES, StudySettings, trial_folder
from igcnas.training.trainer import EpochReport

_MAX_FAILURES_IN_A_ROW = 10
# Where all networks compete at the budget, each uses at least this share of it.
_FILL = 0.8


class Progress(Protocol):
    """What a search tells whoever watches it."""

    def note(self, text: str) -> None:
        """A line worth reading."""

    def started(self, record: TrialRecord) -> None:
        """A network goes into training."""

    def epoch(self, report: EpochReport) -> None:
        """One more point of its learning curve."""

    def finished(self, record: TrialRecord) -> None:
        """It is in the study: complete, pruned or failed."""


@dataclass(slots=True, kw_only=True)
class Summary:
    """How a run of the search ended, and what the study then holds.

    trained: networks trained to the end. pruned, failed: others. repeats: further trainings of trained ones.
    """

    trained: int
    failed: int
    pruned: int = 0
    repeats: int = 0
    interrupted: bool = False
    exhausted: bool = False
    tally: Tally = field(default_factory=Tally)


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
        check_pruner(settings)
        self.lowest_target = self.limits.lowest_target(settings.budget_macs)
        shape, classes = settings.data.input_shape, len(settings.data.classes)
        fill = 0.0 if settings.spread else _FILL
        self.domain = SpaceDomain(space=space, input_shape=shape, num_classes=classes, fill=fill)
        self.proposer = Proposer(
            self.domain,
            budget_macs=settings.budget_macs,
            lowest_target=self.lowest_target,
            spread=settings.spread,
            sampler=resolve_sampler(settings.sampler),
            seed=settings.seed,
            images=settings.data.validation_images,
        )
        self.queue = Queue(study, settings, lambda text: self.progress.note(text))
        lowest = self.lowest_target if settings.spread else None
        known = known_networks(shape, classes, settings.budget_macs, lowest_target=lowest)
        self._known = known if settings.baselines else ()
        self._exhausted = False

    def known_networks(self) -> tuple[Known, ...]:
        """The known networks of this study, in the order in which they are trained."""
        return self._known

    def samples(self, number: int) -> tuple[Architecture, ...]:
        """Some networks that this search could train, drawn at random: for measuring how long it takes."""
        return tuple(candidate.network for candidate in self.proposer.samples(number))

    def run(self, networks: int, *, seeds: int = 1, repeats: int = 0) -> Summary:
        """Train until the study holds this many networks, earlier runs included, then repeat those that may be best.

        seeds: most trainings of one network. repeats: most further trainings of the study, earlier runs included.
        """
        racing = self._racing(seeds, repeats)
        failures, interrupted = 0, False
        try:
            while True:
                if self.stop():
                    raise Interrupted
                trial = self.queue.unfinished() or self._next(networks, racing)
                if trial is None:
                    break
                record = self._train(trial)
                failures = failures + 1 if record.state == "failed" else 0
                if failures == _MAX_FAILURES_IN_A_ROW:
                    raise TrainingError(
                        f"{failures} trainings in a row failed, the last with: {record.reason}; "
                        "nothing is lost: mend the cause and run the same command again"
                    )
        except Interrupted:
            interrupted = True
        return self._summary(networks, interrupted=interrupted)

    def is_complete(self, networks: int, *, seeds: int = 1, repeats: int = 0) -> bool:
        """Whether `run` with the same numbers would train nothing."""
        every = records(self.study)
        racing = self._racing(seeds, repeats)
        open_ = any(record.state == "running" for record in every)
        return not open_ and counted(every) >= networks and racing.next(every) is None

    def _racing(self, seeds: int, repeats: int) -> Repeating:
        images = self.settings.data.validation_images
        return Repeating(budget_macs=self.settings.budget_macs, images=images, seeds=seeds, allowance=repeats)

    def _summary(self, networks: int, *, interrupted: bool) -> Summary:
        every = records(self.study)
        return Summary(
            trained=len(trained(every)),
            failed=sum(record.state == "failed" for record in every),
            pruned=sum(record.state == "pruned" for record in every),
            repeats=sum(record.state == "complete" for record in repeats(every)),
            interrupted=interrupted,
            exhausted=not interrupted and counted(every) < networks,
            tally=replace(self.proposer.tally),
        )

    def _next(self, networks: int, racing: Repeating) -> optuna.Trial | None:
        """The next training: queued by an earlier run, a known network, a proposal, a repeat; None at the end."""
        waiting = self.queue.waiting()
        if waiting is not None:
            return waiting
        every = records(self.study)
        searches = counted(every) < networks and not self._exhausted
        if searches and self._enqueue({record.canonical_id for record in every}):
            return self.study.ask()
        self._exhausted = self._exhausted or searches
        repeat = racing.next(every)
        if repeat is None:
            return None
        self.queue.add_repeat(*repeat)
        return self.study.ask()

    def _enqueue(self, seen: set[str]) -> bool:
        """Queue the next known network, or a proposal; False where the space holds no other."""
        for known in self._known:
            key = canonical_id(known.fit.architecture)
            if key not in seen:
                self.queue.add(
                    known.fit.architecture, canonical_id=key, target_macs=known.target_macs, baseline=known.name
                )
                return True
        proposal = self.proposer.propose(observations(self.study, self.settings.objective), seen)
        if proposal is None:
            return False
        found = proposal.candidate
        self.queue.add(
            found.network, canonical_id=found.key, target_macs=proposal.target_macs, parameters=proposal.parameters
        )
        return True

    def _train(self, trial: optuna.Trial) -> TrialRecord:
        folder = trial_folder(self.folder, trial.number)
        record = self.queue.record(trial.number)
        if record.searched:
            self.domain.suggest(trial)  # records the queued values as Optuna's parameters
        if record.macs > self.settings.budget_macs:  # the promise of this program, held at its last gate
            raise AssertionError(f"network {record.number} of {record.macs} MACs is over the budget")
        rule = self._rule(record)
        attempt = Attempt(trial, folder / "checkpoint.pt")  # last: what the controller does is no start of a training

        def on_epoch(report: EpochReport) -> bool:
            self.progress.epoch(report)
            attempt.epoch(report.epoch)
            return rule.ends(report.epoch, report.val_accuracy)

        self.progress.started(record)
        try:
            outcome = self.evaluate(record.architecture, folder, on_epoch, record.repeat)
        except Interrupted:
            attempt.stopped()
            raise
        attempt.forgive()
        self._tell(trial, outcome, rule)
        finished = self.queue.record(trial.number)
        self.progress.finished(finished)
        return finished

    def _rule(self, record: TrialRecord) -> Rule:
        judge = self.proposer.judge(observations(self.study, self.settings.objective))
        return rule_for(record, records(self.study), judge, self.settings)

    def _tell(self, trial: optuna.Trial, outcome: Outcome, rule: Rule) -> None:
        results = outcome.results
        if results is None:
            trial.set_user_attr("reason", outcome.reason)
            self.study.tell(trial, state=TrialState.FAIL)
            return
        told = trial.user_attrs
        for key, value in results.items():
            if key not in told or told[key] != value:  # else by an earlier run, killed before it had told all
                trial.set_user_attr(key, value)
        accuracies = [accuracy for _, _, accuracy in results["curve"]]
        if outcome.pruned:
            trial.set_user_attr("pruned_at", len(accuracies))
            self.study.tell(trial, state=TrialState.PRUNED)
            return
        trial.set_user_attr("spared_at", rule.spared_at(accuracies))
        trial.set_user_attr("within_budget", results["measured_macs"] <= self.settings.budget_macs)
        cost = OBJECTIVES[self.settings.objective]
        measured = {"macs": "measured_macs", "params": "measured_params"}
        values = [results["val_accuracy"]] + ([] if cost is None else [results[measured.get(cost, cost)]])
        self.study.tell(trial, values)
