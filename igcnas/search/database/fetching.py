"""The folder of a study that another machine began: its records and settings are in a server, its weights there."""

from __future__ import annotations

import json
from pathlib import Path

from igcnas.errors import StudyError, unknown_name
from igcnas.search.database.address import SETTINGS, Home
from igcnas.search.database.serving import load, studies_of
from igcnas.system.files import make_folder, write_text


def fetch(home: Home, root: Path) -> Path:
    """Make it."""
    names = studies_of(home.address)
    if home.study not in names:
        raise StudyError(f"{unknown_name('study', home.study, names)} (in {home.address.text()})")
    settings = load(home).user_attrs.get(SETTINGS)
    if not isinstance(settings, dict):
        raise StudyError(f"{home.words()} is none of igcnas, or half copied; see igcnas studies list")
    folder = root / home.study
    make_folder(folder, advice="give another --studies-dir")
    home.write(folder)
    write_text(folder / "settings.json", json.dumps(settings, indent=2) + "\n")
    return folder


def fetch_if_there(home: Home, root: Path) -> None:
    """The same for a study that may be new to its server, and its server to studies."""
    try:
        there = home.study in studies_of(home.address)
    except StudyError:  # an empty database
        there = False
    if there:
        fetch(home, root)
