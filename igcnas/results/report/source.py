"""A study as a report reads it: once, and all parts from the same records."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.results.figures import CostAxis, cost_axis
from igcnas.search.records import Network, TrialRecord, networks, records_of
from igcnas.search.study import StudySettings, open_study
from igcnas.statistics.noise import Noise

if TYPE_CHECKING:
    import optuna

    from igcnas.search.repeating import Standing


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """What a study holds at one moment.

    every: all its trainings, in the order of their numbers. parameters: the choices of each trial. times: when each
    training began and ended, None where it has not. in_use: whether a search holds the study's lock now.
    """

    folder: Path
    settings: StudySettings
    study: optuna.Study
    every: Sequence[TrialRecord]
    parameters: Mapping[int, Mapping[str, Any]]
    times: Mapping[int, tuple[datetime | None, datetime | None]]
    in_use: bool

    @staticmethod
    def read(folder: Path) -> Source:
        """The study in this folder."""
        from igcnas.search.storage import is_locked

        settings = StudySettings.read(folder)
        study = open_study(folder)
        trials = study.get_trials(deepcopy=False)
        return Source(
            folder=folder,
            settings=settings,
            study=study,
            every=tuple(records_of(trials, where=folder)),
            parameters={trial.number: trial.params for trial in trials},
            times={trial.number: (trial.datetime_start, trial.datetime_complete) for trial in trials},
            in_use=is_locked(folder),
        )

    @property
    def name(self) -> str:
        """Of the folder, by which commands know the study."""
        return self.folder.resolve().name

    @property
    def images(self) -> int:
        """Those that validated each training."""
        return self.settings.data.validation_images

    @property
    def axis(self) -> CostAxis:
        """The cost axis of the front."""
        return cost_axis(self.settings.objective)

    @cached_property
    def networks(self) -> Sequence[Network]:
        """Those that were trained to the end, with all their trainings."""
        return networks(self.every)

    @cached_property
    def noise(self) -> Noise:
        """What its accuracies may be off."""
        return Noise.of((network.accuracies for network in self.networks), self.images)

    @cached_property
    def standing(self) -> Standing | None:
        """Who leads, and how sure that is; None where no network keeps the budget."""
        from igcnas.search.repeating import standing

        return standing(self.every, budget_macs=self.settings.budget_macs, images=self.images)

    def cost(self, record: TrialRecord) -> float:
        """What the front compares at, in the units of its axis; NaN where a latency was not measured."""
        return record.cost(self.settings.objective) / self.axis.size

    @property
    def reference(self) -> str:
        """How commands are told of the study: by its name where they look for names, else by its relative folder.

        An absolute one says where things lie on this machine, and a page is shown to others.
        """
        named = self.folder.parent == Path("studies") or self.folder.is_absolute()
        return self.name if named else str(self.folder)

    def command(self, words: str) -> str:
        """A command of igcnas on this study: `words` with {} for it."""
        return shlex.join(["igcnas", *(word.format(self.reference) for word in words.split())])
