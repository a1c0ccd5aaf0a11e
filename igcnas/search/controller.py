"""The controller: keeps every slot busy, and tells the study. One process owns a study while it runs.

What is trained next is decided from the records, each time a slot is free (`agenda`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import optuna

from igcnas import units
from igcnas.errors import IgcnasError, MachineError, TrainingError
from igcnas.network.architecture import Architecture
from igcnas.network.baselines import Baseline, known_networks
from igcnas.network.plan import plan
from igcnas.search.agenda import Agenda
from igcnas.search.checks import Range, check_budget, check_pruner
from igcnas.search.evaluation import Evaluator, Interrupted, Outcome
from igcnas.search.flight import Flight
from igcnas.search.folder import trial_folder
from igcnas.search.observing import observations
from igcnas.search.proposals import Proposer, SpaceDomain, resolve_sampler
from igcnas.search.pruning import Rule, rule_for
from igcnas.search.queue import Queue
from igcnas.search.records import TrialRecord, counted, records, repeats, trained
from igcnas.search.repeating import Repeating
from igcnas.search.report import Progress, Summary
from igcnas.search.settings import StudySettings
from igcnas.search.space import SearchSpace
from igcnas.search.storage import together
from igcnas.training.reports import EpochReport

_MAX_FAILURES_IN_A_ROW = 10
# Where all networks compete at the budget, each uses at least this share of it.
_FILL = 0.8


class Search:
    """One run of a search on an open study. `evaluator` trains; in tests any function can (`evaluation.InTurn`).

    limits: what `check_budget` found, by whoever asked it before: in a large space that takes half a second.
    """

    def __init__(
        self,
        study: optuna.Study,
        folder: Path,
        space: SearchSpace,
        settings: StudySettings,
        evaluator: Evaluator,
        progress: Progress,
        *,
        stop: Callable[[], bool] = lambda: False,
        limits: Range | None = None,
    ) -> None:
        self.study, self.folder, self.settings = study, folder, settings
        self.evaluator, self.progress, self.stop = evaluator, progress, stop
        self.limits = limits or check_budget(space, settings)
        check_pruner(settings)
        self.lowest_target = self.limits.lowest_target
        shape, classes = settings.data.input_shape, len(settings.data.classes)
        fill = 0.0 if settings.compares.spread else _FILL
        self.domain = SpaceDomain(
            space=space, input_shape=shape, num_classes=classes, budget=settings.budget, fill=fill
        )
        self.proposer = Proposer(
            self.domain,
            budget=settings.budget.most,
            lowest_target=self.lowest_target,
            spread=settings.compares.spread,
            sampler=resolve_sampler(settings.sampler),
            seed=settings.seed,
            images=settings.effective_images,
        )
        self.queue = Queue(study, settings, lambda text: self.progress.note(text))
        lowest = self.lowest_target if settings.compares.spread else None
        known = known_networks(shape, classes, settings.budget, lowest_target=lowest)
        self.agenda = Agenda(study, settings, self.queue, self.proposer, known if settings.baselines else ())

    def known_networks(self) -> tuple[Baseline, ...]:
        """The baselines of this study, in the order in which they are trained."""
        return self.agenda.known

    def samples(self, number: int) -> tuple[Architecture, ...]:
        """Some networks that this search could train, drawn at random: for measuring how long it takes."""
        return tuple(candidate.network for candidate in self.proposer.samples(number))

    def run(self, networks: int, *, seeds: int = 1, repeats: int = 0) -> Summary:
        """Train until the study holds this many networks, earlier runs included, then repeat those that may be best.

        seeds: most trainings of one network. repeats: most further trainings of the study, earlier runs included.
        """
        racing = self._racing(seeds, repeats)
        flights: dict[int, Flight] = {}
        failures, interrupted = 0, False

        def told(number: int, report: EpochReport) -> bool:
            self.progress.epoch(number, report)
            return flights[number].epoch(report)

        try:
            while True:
                self._fill(flights, networks, racing)
                if not flights:
                    break
                number, outcome = self.evaluator.wait(told)
                record = self._end(flights.pop(number), outcome)
                failures = failures + 1 if record.state == "failed" else 0
                if failures == _MAX_FAILURES_IN_A_ROW:
                    raise TrainingError(
                        f"{units.counted(failures, 'training')} in a row failed, the last with: {record.reason}; "
                        "nothing is lost: mend the cause and run the same command again"
                    )
        except (Interrupted, IgcnasError) as error:
            with suppress(MachineError):  # where the journal cannot be written either, they count as begun
                for flight in flights.values():
                    flight.stopped()
            if not isinstance(error, Interrupted):
                raise
            interrupted = True
        return self._summary(networks, interrupted=interrupted)

    def _fill(self, flights: dict[int, Flight], networks: int, racing: Repeating) -> None:
        """Begin trainings until every slot has one, or there is nothing to begin."""
        while len(flights) < self.evaluator.slots:
            if self.stop():
                raise Interrupted
            trial = self.agenda.next(networks, racing, flights)
            if trial is None:
                return
            flights[trial.number] = self._begin(trial)

    def is_complete(self, networks: int, *, seeds: int = 1, repeats: int = 0) -> bool:
        """Whether `run` with the same numbers would train nothing."""
        every = records(self.study)
        racing = self._racing(seeds, repeats)
        open_ = any(record.state == "running" for record in every)
        return not open_ and counted(every) >= networks and racing.next(every) is None

    def _racing(self, seeds: int, repeats: int) -> Repeating:
        images = self.settings.effective_images
        return Repeating(budget=self.settings.budget, images=images, seeds=seeds, allowance=repeats)

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

    def _begin(self, trial: optuna.Trial) -> Flight:
        folder = trial_folder(self.folder, trial.number)
        record = self.queue.record(trial.number)
        if record.searched:
            with together(self.study):
                self.domain.suggest(trial)  # records the queued values as Optuna's parameters
        if not self.settings.budget.keeps(plan(record.architecture)):  # the promise of this program, at its last gate
            raise AssertionError(f"network {record.number} is over the budget of {self.settings.budget.words()}")
        rule = self._rule(record)
        # Last: what the controller does is no start of a training.
        flight = Flight(self.study, self.settings, trial, record, rule, folder / "checkpoint.pt")
        self.progress.started(record)
        self.evaluator.submit(record.number, record.architecture, folder, record.repeat)
        return flight

    def _rule(self, record: TrialRecord) -> Rule | None:
        if self.settings.pruner == "none" or not record.searched:
            return None
        judge = self.proposer.judge(observations(self.study, self.settings.compares, known_to=record))
        return rule_for(record, records(self.study), judge, self.settings)

    def _end(self, flight: Flight, outcome: Outcome) -> TrialRecord:
        flight.tell(outcome)
        finished = self.queue.record(flight.record.number)
        self.progress.finished(finished)
        return finished
