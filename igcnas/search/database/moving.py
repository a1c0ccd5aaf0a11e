"""The records of a study from its folder to a server and back.

A copy is read back and compared before anything points to it. What was copied stays: a journal under the name
journal.log.copied, a study of a server in the server. A copy that was cut off is begun again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from igcnas.errors import StudyError
from igcnas.search.database.address import FILE, SETTINGS, Address, Home
from igcnas.search.database.serving import Served, load
from igcnas.search.folder import JOURNAL, let_go, open_study
from igcnas.search.patience import Patience
from igcnas.search.settings import StudySettings
from igcnas.search.storage import lock_study, open_storage
from igcnas.system.files import remove, write_whole

COPIED = f"{JOURNAL}.copied"
_HALF = "igcnas_half_copied"


def to_server(folder: Path, address: Address, patience: Patience) -> Home:
    """Have a server keep the records of a study that has them in its folder, under the name of the folder."""
    home = Home(address=address, study=folder.resolve().name)
    if (found := Home.of(folder)) is not None:
        raise StudyError(f"the records are those of {found.words()} already; copy them to 'journal' first")
    with lock_study(folder):
        source = open_study(folder)
        with closing(Served(home, patience)) as storage:
            _copy_to(storage, home, source, StudySettings.read(folder))
        home.write(folder)
        write_whole(folder / COPIED, (folder / JOURNAL).read_bytes())
        remove(folder / JOURNAL)
    return home


def _copy_to(storage: Served, home: Home, source: optuna.Study, settings: StudySettings) -> None:
    if home.study in {study.study_name for study in storage.get_all_studies()}:
        half = optuna.load_study(study_name=home.study, storage=storage)
        if not half.user_attrs.get(_HALF):
            raise StudyError(f"there is a {home.words()}; rename the folder of this one to copy it beside that")
        optuna.delete_study(study_name=home.study, storage=storage)
    target = optuna.create_study(study_name=home.study, storage=storage, directions=source.directions)
    target.set_user_attr(_HALF, True)
    _copy(source, target)
    target.set_user_attr(SETTINGS, settings.to_dict())
    target.set_user_attr(_HALF, False)


def to_journal(folder: Path, patience: Patience) -> None:
    """Have the folder of a study keep its records, which a server has."""
    home = Home.of(folder)
    if home is None:
        raise StudyError(f"study {folder.name!r} has its records in its folder already")
    with lock_study(folder):
        source = load(home, patience)  # holds the lock there, too
        half = folder / f"{JOURNAL}.half"
        remove(half)
        target = optuna.create_study(study_name=home.study, storage=open_storage(half), directions=source.directions)
        _copy(source, target)
        write_whole(folder / JOURNAL, half.read_bytes())
        remove(folder / FILE)
        let_go(source)
    for path in (half, Path(f"{half}.flock")):
        remove(path)


def _copy(source: optuna.Study, target: optuna.Study) -> None:
    """All that a study says, in the same order, which gives its trials the same numbers; read back and compared."""
    for key, value in source._storage.get_study_system_attrs(source._study_id).items():
        target._storage.set_study_system_attr(target._study_id, key, value)
    for key, value in source.user_attrs.items():
        if key not in (SETTINGS, _HALF):
            target.set_user_attr(key, value)
    trials = source.get_trials(deepcopy=False)
    for trial in trials:
        target.add_trial(trial)
    if _said(trials) != _said(target.get_trials(deepcopy=False)):
        raise StudyError(
            f"what was copied of study {source.study_name!r} is not what it says; nothing was changed: please report it"
        )


def _said(trials: Sequence[FrozenTrial]) -> list[tuple[Any, ...]]:
    """All that igcnas reads of them, and Optuna's own attributes."""
    return [
        (
            *(trial.number, trial.state, repr(trial.values), trial.params, trial.distributions),
            *(repr(trial.user_attrs), trial.system_attrs, trial.datetime_start, trial.datetime_complete),
        )
        for trial in trials
    ]
