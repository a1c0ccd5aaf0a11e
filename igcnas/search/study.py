"""A study, read once: what every command, the report and the dashboard ask.

All answers are of the same moment: a search that goes on meanwhile changes nothing in a `Study` that was opened.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.errors import StudyError
from igcnas.network.budget import Budget
from igcnas.search.costs import Costs
from igcnas.search.database.address import Home
from igcnas.search.folder import JOURNAL, find_study, open_study, trial_folder
from igcnas.search.objective import CostAxis, Objective
from igcnas.search.records import Network, TrialRecord, champions, networks, records_of, trained
from igcnas.search.settings import StudySettings
from igcnas.search.timing import cost_title, timed_by
from igcnas.statistics.noise import Noise
from igcnas.system.folders import studies

if TYPE_CHECKING:
    from igcnas.data.dataset import Dataset
    from igcnas.search.records.trial import AnyTrial
    from igcnas.search.repeating import Standing


def study_noise(every: Iterable[Network], settings: StudySettings) -> Noise:
    """What the accuracies of these networks of a study may be off."""
    images, of = settings.effective_images, settings.data.validation_images
    return Noise.of(
        (network.accuracies for network in every), images, balanced_over=0 if settings.measure == "accuracy" else of
    )


def _served_now(home: Home) -> bool:
    """Whether a controller, on whatever machine, has this study now."""
    from igcnas.search.database.lock import is_held

    return is_held(home)


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What a study holds at one moment.

    Attributes:
        folder: where it is.
        settings: what was searched, on what, how trained.
        trials: of Optuna, in the order of their numbers.
        records: the same as this program reads them, without those that never had a network.
        in_use: whether a search holds the lock of the study.
    """

    folder: Path
    settings: StudySettings
    trials: Sequence[AnyTrial]
    records: Sequence[TrialRecord]
    in_use: bool = False

    @staticmethod
    def read(folder: Path) -> Study:
        """The study in this folder; StudyError where there is none, or it is damaged."""
        from igcnas.search.playback import UnknownRecordError
        from igcnas.search.snapshot import Reading
        from igcnas.search.storage import is_locked

        settings = StudySettings.read(folder)
        reading = None
        if (home := Home.of(folder)) is None:
            with suppress(UnknownRecordError):
                reading = Reading(folder / JOURNAL)
        trials: Sequence[AnyTrial] = reading.trials if reading else open_study(folder).get_trials(deepcopy=False)
        in_use = is_locked(folder) if home is None else _served_now(home)
        study = Study.of(folder, settings, trials, in_use=in_use)
        if reading is not None:
            reading.keep()
        return study

    @staticmethod
    def named(name: str | Path, root: Path | None = None) -> Study:
        """The study of this path, or of this name in `root`; StudyError names those known where there is none.

        root: None for the folder that IGCNAS_STUDIES names, else studies/.
        """
        return Study.read(find_study(name, root))

    @staticmethod
    def of(folder: Path, settings: StudySettings, trials: Sequence[AnyTrial], *, in_use: bool = False) -> Study:
        """A study whose trials are already read."""
        every = tuple(records_of(trials, where=folder))
        return Study(folder=folder, settings=settings, trials=trials, records=every, in_use=in_use)

    @property
    def name(self) -> str:
        """Of the folder, by which commands know the study."""
        return self.folder.resolve().name

    @property
    def seed(self) -> int:
        """Of proposals and trainings, and of the split into training and validation images."""
        return self.settings.seed

    @property
    def images(self) -> int:
        """Validation images, on which each accuracy is measured."""
        return self.settings.data.validation_images

    @property
    def objective(self) -> Objective:
        """What its networks are compared by."""
        return self.settings.compares

    @property
    def axis(self) -> CostAxis:
        """How the cost of its front is shown."""
        return self.objective.axis

    @property
    def timed_by(self) -> str:
        """Runtime, batch, threads and machine that its milliseconds are of; "" where it compares none."""
        return timed_by(self.settings, self.records)

    @property
    def cost_title(self) -> str:
        """Of the axis of costs in its figures."""
        return cost_title(self.settings, self.records)

    @property
    def costs(self) -> Costs:
        """What is said of the cost of a network."""
        return self.settings.costs

    @property
    def measure(self) -> str:
        """What its networks are compared by: 'accuracy' or 'balanced accuracy'."""
        return self.settings.measure

    @cached_property
    def parameters(self) -> Mapping[int, Mapping[str, Any]]:
        """The searched values of each trial, by its number."""
        return {trial.number: trial.params for trial in self.trials}

    @cached_property
    def times(self) -> Mapping[int, tuple[datetime | None, datetime | None]]:
        """When each training began and ended, by its number; None where it has not."""
        return {trial.number: (trial.datetime_start, trial.datetime_complete) for trial in self.trials}

    @cached_property
    def networks(self) -> Sequence[Network]:
        """Those that were trained to the end, with all their trainings."""
        return networks(self.records)

    @cached_property
    def noise(self) -> Noise:
        """What its accuracies may be off."""
        return study_noise(self.networks, self.settings)

    @cached_property
    def ended(self) -> Mapping[int, float]:
        """When each training that is over ended, by its number, in seconds on the clock of its machine."""
        over = {record.number for record in self.records if record.state != "running"}
        return {
            number: end.timestamp() for number, (_, end) in self.times.items() if end is not None and number in over
        }

    @property
    def in_order(self) -> list[TrialRecord]:
        """The trainings that ended, in the order in which they did."""
        over = [record for record in self.records if record.number in self.ended]
        return sorted(over, key=lambda record: (self.ended[record.number], record.number))

    @property
    def running(self) -> int:
        """Trainings that are queued or go on, or were left by a run that was killed."""
        return sum(record.state == "running" for record in self.records)

    @cached_property
    def standing(self) -> Standing | None:
        """Who leads, and how sure that is; None where no network keeps the budget."""
        from igcnas.search.repeating import standing

        return standing(self.records, budget=self.budget, images=self.settings.effective_images)

    @property
    def leader(self) -> TrialRecord | None:
        """The first training of the network that the study puts first, all seeds considered."""
        return None if self.standing is None else self.standing.first.record

    @cached_property
    def front(self) -> Sequence[Network]:
        """The Pareto front by mean accuracy of the networks that keep the budget, cheapest first."""
        return champions(self.records, self.budget, self.objective)

    @property
    def budget(self) -> Budget:
        """What a network may cost."""
        return self.settings.budget

    def cost(self, record: TrialRecord) -> float:
        """What the front compares at, in the units of its axis; NaN where a latency was not measured."""
        return self.objective.cost(record) / self.axis.size

    def record(self, number: int | None) -> TrialRecord:
        """The training of this number, or, of None, the first one of the leader.

        Raises:
            StudyError: there is none.
        """
        known = {record.number: record for record in self.records}
        found = self.leader if number is None else known.get(number)
        if found is None:
            raise self._without("no trained network" if number is None else f"no network of number {number}")
        return found

    def trained_record(self, number: int | None) -> TrialRecord:
        """The first training, which has weights, of the network of this number, or, of None, of the leader.

        Raises:
            StudyError: there is none that was trained to the end.
        """
        repeat_of = {record.number: record.repeat_of for record in self.records if record.repeat}
        first = number if number is None else repeat_of.get(number, number)
        known = {record.number: record for record in trained(self.records)}
        found = self.leader if first is None else known.get(first)
        if found is None:
            raise self._without("no trained network" if number is None else f"no trained network of number {number}")
        return found

    def _without(self, what: str) -> StudyError:
        return StudyError(
            f"study {self.folder.name!r} holds {what}; run the search first, or see "
            f"igcnas status {shlex.quote(str(self.folder))}"
        )

    def folder_of(self, record: TrialRecord) -> Path:
        """Where the files of a training are."""
        return trial_folder(self.folder, record.number)

    def weights_of(self, record: TrialRecord) -> Path:
        """The file of its weights; there is none unless it was trained to the end."""
        return self.folder_of(record) / "weights.safetensors"

    @cached_property
    def data(self) -> Dataset:
        """Its data set, read again; StudyError where the content has changed since."""
        return self.settings.data.load_same(self.folder.name)

    @property
    def retrainings(self) -> Sequence[Path]:
        """Folders of `igcnas retrain`, by name."""
        return [folder for folder in self._folders if not folder.name.startswith("audit-")]

    @property
    def audits(self) -> Sequence[Path]:
        """Folders of `igcnas audit`, by name."""
        return [folder for folder in self._folders if folder.name.startswith("audit-")]

    @property
    def _folders(self) -> list[Path]:
        return sorted(path.parent for path in self.folder.glob("*/settings.json"))

    @property
    def reference(self) -> str:
        """How commands are told of the study: by its name where they look for names, else by its relative folder.

        An absolute one says where things lie on this machine, and a page is shown to others.
        """
        named = self.folder.parent == studies() or self.folder.is_absolute()
        return self.name if named else str(self.folder)

    def command(self, words: str) -> str:
        """A command of igcnas on this study: `words` with {} for it."""
        return shlex.join(["igcnas", *(word.format(self.reference) for word in words.split())])
