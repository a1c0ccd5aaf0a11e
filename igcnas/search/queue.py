"""What enters a study, and what a killed run left in it.

A training enters the journal in one record, with all that is needed to run it, before it runs. What is found RUNNING
was left by a killed run (the study's lock keeps every other controller out) and is taken up under its number.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from igcnas.network.architecture import Architecture
from igcnas.network.budget import TIME
from igcnas.network.cost import count
from igcnas.network.plan import plan
from igcnas.search.records import TrialRecord, proposal_attributes, record_of
from igcnas.search.settings import StudySettings

# A training that kills its run this often without getting any further is closed.
_MAX_STARTS = 5


class Queue:
    """The waiting and the unfinished trainings of a study. note: told whoever watches."""

    def __init__(self, study: optuna.Study, settings: StudySettings, note: Callable[[str], None]) -> None:
        self.study, self.settings, self.note = study, settings, note

    def unfinished(self, training: Container[int]) -> optuna.Trial | None:
        """Adopt what a killed run left, under its number; close it where it keeps killing its process.

        training: numbers of those that this run has begun.
        """
        for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if frozen.number in training:
                continue
            starts = frozen.user_attrs.get("starts", 0)
            trial = optuna.Trial(self.study, frozen._trial_id)
            if "architecture" in frozen.user_attrs and starts < _MAX_STARTS:
                self.note(f"taking up network {frozen.number}, which an earlier run left unfinished")
                return trial
            reason = (
                f"the run was killed {starts} times while it trained" if starts else "killed before it had a network"
            )
            trial.set_user_attr("reason", reason)
            self.study.tell(trial, state=TrialState.FAIL)
            self.note(f"network {frozen.number} is closed as failed: {reason}")
        return None

    def waiting(self) -> optuna.Trial | None:
        """The first training that is queued and was not begun."""
        if self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            return self.study.ask()
        return None

    def add(
        self,
        architecture: Architecture,
        *,
        canonical_id: str,
        target: int,
        parameters: Mapping[str, Any] | None = None,
        baseline: str | None = None,
        origin: str = "",
        pending: Sequence[int] = (),
    ) -> None:
        """Queue the first training of a network; a known one, which has a name, has no parameters.

        origin: as in `proposals.Proposal`. pending: the networks that are in training now.
        """
        cost = count(architecture)
        training = self.settings.training
        attributes = proposal_attributes(
            architecture,
            macs=cost.macs,
            params=cost.params,
            target=target,
            target_of=self.settings.budget.first.name,
            baseline=baseline,
            seed=training.network_seed(architecture.id),
            epochs=training.epochs,
            canonical_id=canonical_id,
            origin=origin,
            pending=pending,
            planned_limits=self._predicted(architecture),
        )
        self.study.enqueue_trial(dict(parameters or {}), user_attrs=attributes)

    def _predicted(self, architecture: Architecture) -> dict[str, int]:
        """What the study predicts of this network by what it holds itself: its time, where that is limited."""
        budget = self.settings.budget
        return {TIME.name: budget.limit(TIME.name).of(plan(architecture))} if TIME.name in budget.limits else {}

    def add_repeat(self, first: TrialRecord, repeat: int) -> None:
        """Queue a further training of a network; repeat is counted from 1."""
        attributes = proposal_attributes(
            first.architecture,
            macs=first.macs,
            params=first.params,
            target=first.target,
            target_of=first.target_of,
            baseline=first.baseline,
            seed=self.settings.training.network_seed(first.architecture.id, repeat),
            epochs=first.epochs,
            canonical_id=first.canonical_id,
            repeat=repeat,
            repeat_of=first.number,
            planned_limits=first.planned_limits,
        )
        self.study.enqueue_trial({}, user_attrs=attributes)

    def record(self, number: int) -> TrialRecord:
        """The record of a trial that has a network."""
        record = record_of(self.study.get_trials(deepcopy=False)[number])
        assert record is not None
        return record


class Attempt:
    """One more start of a training, counted in the study. Earlier starts count no more where it has got further since.

    Further is a checkpoint that was not there at the last start, or an epoch more than any before; a stop that was
    asked for does not count either.
    """

    def __init__(self, trial: optuna.Trial, checkpoint: Path) -> None:
        self._trial = trial
        self._before = int(trial.user_attrs.get("starts", 0))
        self._reached = int(trial.user_attrs.get("reached", 0))
        written = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
        if written is not None and written != trial.user_attrs.get("checkpoint"):
            self._before = 0
            trial.set_user_attr("checkpoint", written)
        trial.set_user_attr("starts", self._before + 1)

    def epoch(self, epoch: int) -> None:
        """An epoch is done, counted from 1; a training that is taken up tells the earlier ones again."""
        if epoch <= self._reached:
            return
        self._reached = epoch
        self.forgive()  # first: a kill between the two must not count
        self._trial.set_user_attr("reached", epoch)

    def forgive(self) -> None:
        """It has got further, or ended: earlier starts count no more."""
        if self._before:
            self._before = 0
            self._trial.set_user_attr("starts", 1)

    def stopped(self) -> None:
        """The user stopped it: that is no fault of the network."""
        self._trial.set_user_attr("starts", self._before)
