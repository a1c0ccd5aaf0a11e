"""What happens in a search, told to objects of the user.

A callback hears everything in the process that called the search, one event after the other. What it raises ends the
search; nothing that was trained is lost, and the same call goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from igcnas.search.records import TrialRecord
    from igcnas.search.report import Progress
    from igcnas.search.study import Study
    from igcnas.training.reports import EpochReport


class Callback:
    """Derive from it and define what you want to hear. No method need call that of this class."""

    def search_began(self, folder: Path) -> None:
        """The search begins or goes on; folder of the study, which can be opened now."""

    def trial_began(self, trial: TrialRecord) -> None:
        """A network goes into training: trial.number, trial.architecture, trial.macs, trial.params."""

    def epoch_ended(self, trial: TrialRecord, epoch: EpochReport) -> None:
        """One more point of its curve: epoch.epoch from 1, epoch.train_loss, epoch.val_accuracy in percent.

        A training that is taken up after a kill tells its curve again.
        """

    def trial_ended(self, trial: TrialRecord) -> None:
        """It is in the study: trial.state is complete, pruned or failed; trial.val_accuracy in percent."""

    def search_ended(self, study: Study) -> None:
        """The search is over, or was stopped; the study as it is then."""


class Listening:
    """A Progress that tells callbacks what it hears."""

    def __init__(self, progress: Progress, callbacks: Sequence[Callback]) -> None:
        self._progress, self._callbacks = progress, callbacks
        self._training: dict[int, TrialRecord] = {}

    def note(self, text: str) -> None:
        """A line worth reading."""
        self._progress.note(text)

    def started(self, record: TrialRecord) -> None:
        """A network goes into training."""
        self._training[record.number] = record
        self._progress.started(record)
        for callback in self._callbacks:
            callback.trial_began(record)

    def epoch(self, number: int, report: EpochReport) -> None:
        """One more point of a learning curve."""
        self._progress.epoch(number, report)
        for callback in self._callbacks:
            callback.epoch_ended(self._training[number], report)

    def finished(self, record: TrialRecord) -> None:
        """It is in the study."""
        self._training.pop(record.number, None)
        self._progress.finished(record)
        for callback in self._callbacks:
            callback.trial_ended(record)
