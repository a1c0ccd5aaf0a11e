"""One training while it goes on: its start, its epochs, and its end in the study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from igcnas.search.evaluation import Outcome
from igcnas.search.pruning import Rule
from igcnas.search.queue import Attempt
from igcnas.search.records import TrialRecord
from igcnas.search.settings import StudySettings
from igcnas.search.storage import together
from igcnas.training.reports import EpochReport


class Flight:
    """A training that was begun. From the moment it is made, a start of this network counts (`Attempt`).

    rule: when it ends early; None for never.
    """

    def __init__(
        self,
        study: optuna.Study,
        settings: StudySettings,
        trial: optuna.Trial,
        record: TrialRecord,
        rule: Rule | None,
        checkpoint: Path,
    ) -> None:
        self.record = record
        self._study, self._settings, self._trial, self._rule = study, settings, trial, rule
        self._attempt = Attempt(trial, checkpoint)

    def epoch(self, report: EpochReport) -> bool:
        """Hear an epoch; whether the training ends after it."""
        self._attempt.epoch(report.epoch)
        return self._rule is not None and self._rule.ends(report.epoch, report.val_accuracy)

    def stopped(self) -> None:
        """The run ends before the training: that is no fault of the network."""
        self._attempt.stopped()

    def tell(self, outcome: Outcome) -> None:
        """Its end, to the study."""
        self._attempt.forgive()
        results, trial = outcome.results, self._trial
        if results is None:
            trial.set_user_attr("reason", outcome.reason)
            self._study.tell(trial, state=TrialState.FAIL)
            return
        accuracies = [accuracy for _, _, accuracy in results["curve"]]
        told = trial.user_attrs
        with together(self._study):
            for key, value in results.items():
                if key not in told or told[key] != value:  # else by an earlier run, killed before it had told all
                    trial.set_user_attr(key, value)
            if outcome.pruned:
                trial.set_user_attr("pruned_at", len(accuracies))
            else:
                trial.set_user_attr("spared_at", None if self._rule is None else self._rule.spared_at(accuracies))
                trial.set_user_attr("within_budget", self._within(results))
        if outcome.pruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, self._settings.compares.values(results))

    def _within(self, results: Mapping[str, Any]) -> bool:
        """Whether the trained network keeps the budget."""
        measured = {"measured_macs": results["measured_macs"], "measured_params": results["measured_params"]}
        ended = replace(
            self.record,
            **measured,
            measured_limits=results.get("measured_limits", {}),
            latency_ms=results.get("latency_ms"),
            latency_iqr_ms=results.get("latency_iqr_ms"),
        )
        return ended.within(self._settings.budget)
