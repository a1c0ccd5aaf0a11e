"""The study as the dashboard sees it: its journal, read as it grows, with notes, curves and names of pictures added.

Nothing is ever written: every attempt raises. A study in a server is read from there. optuna-dashboard keeps a note of
trial 3 in the study's attributes dashboard:3:note_ver and dashboard:3:note_str:0, and the name of an artifact in
artifacts:ID; what is put there is made from the records, anew when there are more.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Container, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from igcnas.errors import StudyError
from igcnas.results.dashboard.notes import network_note, study_note
from igcnas.results.dashboard.pictures import Pictures
from igcnas.search.database.address import Home
from igcnas.search.folder import JOURNAL
from igcnas.search.records import record_of
from igcnas.search.settings import StudySettings
from igcnas.search.storage import JournalBackend
from igcnas.search.study import Study

if TYPE_CHECKING:
    _Storage = JournalStorage
else:
    _Storage = object  # what is added is the same for every storage
_LONG = ("architecture", "curve")  # told in the note


class ReadOnly(BaseJournalBackend):
    """A journal that is never written."""

    def __init__(self, path: Path) -> None:
        self._journal = JournalBackend(path)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The records from this number on."""
        return self._journal.read_logs(log_number_from)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Refused: the dashboard changes nothing."""
        raise StudyError("the dashboard only looks at a study")


def shown_storage(folder: Path, settings: StudySettings, pictures: Pictures) -> BaseStorage:
    """One study for optuna-dashboard, wherever its records are."""
    home = Home.of(folder)
    if home is None:
        return _OfJournal(folder, settings, pictures, ReadOnly(folder / JOURNAL))
    from igcnas.search.database.serving import Served

    return _OfServer(folder, settings, pictures, Served(home))  # whose session cannot write


class _Shown(_Storage):
    """What is added to the storage beside it."""

    def __init__(self, folder: Path, settings: StudySettings, pictures: Pictures, source: Any) -> None:
        super().__init__(source)
        self._folder, self._settings, self._pictures = folder, settings, pictures
        self._making = threading.Lock()
        self._shown: dict[int, tuple[tuple[Any, ...], FrozenTrial]] = {}
        self._notes: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] = {}
        self._of_study: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def get_all_studies(self) -> list[FrozenStudy]:
        """With notes and pictures among the attributes of the study."""
        studies = super().get_all_studies()
        for study in studies:
            study.system_attrs = study.system_attrs | self._added(study._study_id)
        return studies

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """With notes and pictures."""
        return super().get_study_system_attrs(study_id) | self._added(study_id)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """With learning curves as intermediate values and pictures."""
        trials = [self._show(trial) for trial in super().get_all_trials(study_id, deepcopy=False, states=states)]
        return copy.deepcopy(trials) if deepcopy else trials

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """The same for one."""
        return self._show(super().get_trial(trial_id))

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        """With pictures."""
        return dict(self.get_trial(trial_id)._system_attrs)

    def _show(self, trial: FrozenTrial) -> FrozenTrial:
        """A copy with what is added and without what the note tells better."""
        version = _version(trial)
        known = self._shown.get(trial._trial_id)
        if known is not None and known[0] == version:
            return known[1]
        shown = copy.copy(trial)
        record = record_of(trial)
        shown.intermediate_values = {} if record is None else {epoch: percent for epoch, _, percent in record.curve}
        shown._user_attrs = {key: value for key, value in trial.user_attrs.items() if key not in _LONG}
        names = {} if record is None else self._pictures.of_network(trial._trial_id, record)
        shown._system_attrs = trial._system_attrs | _artifacts(names)
        self._shown[trial._trial_id] = (version, shown)
        return shown

    def _added(self, study_id: int) -> dict[str, Any]:
        """Notes of the study and of every trial, and the study's pictures, as the dashboard keeps them."""
        trials = super().get_all_trials(study_id, deepcopy=False)
        with self._making:
            pictures = self._pictures.of_study()
            version = (tuple(pictures), *map(_version, trials))
            if self._of_study[0] != version:
                self._of_study = (version, self._made(study_id, trials, pictures))
            return self._of_study[1]

    def _made(self, study_id: int, trials: list[FrozenTrial], pictures: dict[str, str]) -> dict[str, Any]:
        settings = self._settings
        study = Study.of(self._folder, settings, trials)
        with_seeds = {network.record.number: network for network in study.networks}
        shown = _shown(f"/artifacts/{study_id}", pictures)
        found = _note("", f"{study_note(study)}\n\n{shown}") | _artifacts(pictures)
        for trial in trials:
            record = record_of(trial)
            if record is None:
                continue
            first = record.number if record.repeat_of is None else record.repeat_of
            network = with_seeds.get(first)
            version = (*_version(trial), 0 if network is None else network.n)
            known = self._notes.get(trial._trial_id)
            if known is None or known[0] != version:
                names = self._pictures.of_network(trial._trial_id, record)
                shown = _shown(f"/artifacts/{study_id}/{trial._trial_id}", names)
                note = network_note(record, network, trial.params, settings, pictures=shown)
                known = self._notes[trial._trial_id] = (version, _note(f"{trial._trial_id}:", note))
            found |= known[1]
        return found


class _OfJournal(_Shown, JournalStorage):
    """A journal."""


class _OfServer(_Shown, _CachedStorage):  # type: ignore[misc]  # the checker takes it for a journal, too
    """A server, which is asked for what is new."""


def _version(trial: FrozenTrial) -> tuple[Any, ...]:
    """What decides how a trial is shown: it changes when it ends."""
    return trial.state, "curve" in trial.user_attrs, trial.user_attrs.get("reason")


def _note(of: str, body: str) -> dict[str, Any]:
    return {f"dashboard:{of}note_ver": 1, f"dashboard:{of}note_str:0": body}


def _shown(place: str, names: dict[str, str]) -> str:
    """Pictures in the text of a note."""
    return "\n\n".join(f"![{name}]({place}/{key})" for key, name in names.items())


def _artifacts(names: dict[str, str]) -> dict[str, str]:
    """names: file names by artifact id."""
    types = {"png": "image/png", "svg": "image/svg+xml"}
    return {
        f"artifacts:{key}": json.dumps(
            {"artifact_id": key, "filename": name, "mimetype": types[name.rpartition(".")[2]], "encoding": None}
        )
        for key, name in names.items()
    }
