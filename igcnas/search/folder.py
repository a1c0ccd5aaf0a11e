"""The folder of a study: a plain Optuna storage, the settings that guard a resume, and a folder for each network.

studies/NAME/settings.json       what was searched, on what, how trained
             journal.log         Optuna storage: optuna.load_study and optuna-dashboard open it
             storage.json        in place of a journal: the server that has it (igcnas.search.database)
             journal.snapshot    of a long one, its trials as they were read last; can be deleted
             lock                held by the one controller
             trials/00012/       result.json, weights.safetensors, while it runs checkpoint.pt
             pareto.png, trials.csv, best/
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from igcnas.errors import StudyError, unknown_name
from igcnas.search.database.address import FILE as STORAGE
from igcnas.search.database.address import SETTINGS, Address, Home
from igcnas.search.settings import StudySettings, study_names
from igcnas.system.files import read_back, write_text
from igcnas.system.folders import studies
from igcnas.system.names import shown, stays_inside

if TYPE_CHECKING:
    import optuna

    from igcnas.search.patience import Patience

JOURNAL = "journal.log"
_DIRECTIONS: list[Literal["maximize", "minimize"]] = ["maximize", "minimize"]


def find_study(name: str | Path, root: Path | None = None) -> Path:
    """The folder of a study, given as a path or as a name in `root`; StudyError names those known if there is none.

    root: None for the usual one (igcnas.system.folders.studies).
    """
    root = studies() if root is None else root
    inside = [root / name] if stays_inside(str(name)) else []
    for folder in (Path(name), *inside):
        try:
            if str(name).strip() and (folder / "settings.json").is_file():
                return folder
        except (OSError, ValueError):  # too long, a loop of links, a NUL
            continue
    if (address := Address.given()) is not None and stays_inside(str(name)):
        from igcnas.search.database.fetching import fetch

        return fetch(Home(address=address, study=str(name)), root)
    raise no_such_study(name, root, study_names(root))


def has_records(folder: Path) -> bool:
    """Whether it is the folder of a study that was begun, wherever its records are."""
    return (folder / JOURNAL).is_file() or (folder / STORAGE).is_file()


def is_study(name: str | Path, root: Path) -> bool:
    """Whether it names a study: also where a folder here has its name, that of the pictures for instance."""
    try:
        return bool(find_study(name, root))
    except StudyError:
        return False


def no_such_study(name: str | Path, root: Path, known: Iterable[str]) -> StudyError:
    """That a folder holds no study of this name, and which it holds."""
    place, names = os.path.abspath(root), list(known)
    elsewhere = "give the path of its folder, or name another folder of studies by --studies-dir or IGCNAS_STUDIES"
    if not names:
        return StudyError(f"no study {shown(str(name))}, and none in {place}; {elsewhere}")
    return StudyError(f"{unknown_name('study', str(name), names)} (in {place}; {elsewhere})")


def placed(folder: Path, storage: str | None) -> None:
    """Say where the records of a study shall be that is begun or gone on with in this folder.

    storage: the address that a user gave; None for that of the environment, which only new studies go by.
    """
    home, given = Home.of(folder), Address.given()
    if home is None and not (folder / JOURNAL).exists() and given is not None:
        from igcnas.search.database.fetching import fetch_if_there

        home = Home(address=given, study=folder.resolve().name)
        fetch_if_there(home, folder.parent)
        home.write(folder)
    if storage is None or given is None:
        return
    if home is None:
        raise StudyError(
            f"study {folder.name!r} has its records in its folder, not in {given.text()}; leave --storage out, or "
            f"copy them there: igcnas studies copy {folder.name} {given.text()}"
        )
    if (home.address.place, home.address.database) != (given.place, given.database):
        raise StudyError(
            f"the records are those of {home.words()}, not in {given.text()}; leave --storage out, or copy them to "
            f"'journal', and from there: igcnas studies copy {folder.name} journal"
        )


def trial_folder(folder: Path, number: int) -> Path:
    """Where the files of one network are."""
    return folder / "trials" / f"{number:05d}"


def guard_settings(folder: Path, settings: StudySettings) -> None:
    """Write the settings of a study, which may hold new paths; refuse to resume one that was started with others."""
    path = folder / "settings.json"
    if path.exists():
        begun = StudySettings.read(folder)
        found = begun.differences(settings)
        if found:
            shown = "; ".join(found[:4]) + (f"; and {len(found) - 4} more" if len(found) > 4 else "")
            advice = begun.data.advice() if begun.data.fingerprint != settings.data.fingerprint else ""
            raise StudyError(
                f"study {folder.name!r} was started with other settings ({shown}); "
                f"{advice or 'go back to those, or start another with --study NAME'}"
            )
    text = json.dumps(settings.to_dict(), indent=2) + "\n"
    if read_back(path) != text.encode():
        write_text(path, text)


def _named(metric: str, measure: str) -> str:
    """A metric as those see it who open the study elsewhere."""
    return metric.replace("accuracy", measure.replace(" ", "_")) if metric == "val_accuracy" else metric


def open_study(
    folder: Path, *, create_for: StudySettings | None = None, patience: Patience | None = None
) -> optuna.Study:
    """The Optuna study of a folder, wherever its records are; with settings it is made if it is not there yet.

    patience: how long a server is waited for by the one controller; None for one who only looks.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    home = Home.of(folder)
    if home is not None:
        from igcnas.search.database.serving import Served, load

        if create_for is None:
            return load(home, patience)
        storage: optuna.storages.BaseStorage = Served(home, patience)
        return _made(storage, home.study, create_for, settings=create_for.to_dict())
    from igcnas.search.storage import open_storage

    if create_for is None and not (folder / JOURNAL).exists():
        raise StudyError(f"study {folder.name!r} has no journal yet; run the search first")
    names = optuna.get_all_study_names(storage := open_storage(folder / JOURNAL))
    if create_for is None:
        if not names:
            raise StudyError(f"the journal of study {folder.name!r} holds no study; run the search again")
        return optuna.load_study(study_name=names[0], storage=storage)
    # A folder may have been renamed; its study was not.
    return _made(storage, names[0] if names else folder.name, create_for)


def let_go(study: optuna.Study) -> None:
    """End what a controller holds of a server, if its study is in one."""
    close = getattr(getattr(study._storage, "_backend", None), "close", None)
    if close is not None:
        close()


def _made(
    storage: optuna.storages.BaseStorage, name: str, create_for: StudySettings, settings: dict[str, Any] | None = None
) -> optuna.Study:
    """The study of this name, made if it is not there. settings: to be kept with it for other machines."""
    import optuna

    metrics = [_named(metric, create_for.measure) for metric in create_for.compares.metrics]
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        directions=_DIRECTIONS[: len(metrics)],
        load_if_exists=True,
    )
    if not study.metric_names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # experimental since 3.2
            study.set_metric_names(metrics)
        for name, most in create_for.budget.limits.items():
            study.set_user_attr(f"budget_{name}", most)
        study.set_user_attr("data", create_for.data.name)
    if settings is not None and study.user_attrs.get(SETTINGS) != settings:
        study.set_user_attr(SETTINGS, settings)
    return study
