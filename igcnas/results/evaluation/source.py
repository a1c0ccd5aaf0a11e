"""Where the data of a trained network are: as the settings of its study or training say, which lie around its files.

What is handed over (an export, a checkpoint) says which data it was trained on and not where they lie: that is nobody
else's business. Away from its study a network of data without a path (digits) still knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igcnas.data.loading import DATASETS
from igcnas.errors import StudyError
from igcnas.system import bounds
from igcnas.system.reading import as_kind, read_json

_UP = 4  # folders above the network in which settings are looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """Options that name the data."""

    spec: str
    data_dir: Path | None = None
    image_size: int | None = None
    groups: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Data:
    spec: str
    fingerprint: str
    data_dir: str | None = None
    image_size: bounds.Pixels | None = None
    groups: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    data: _Data


def source_of(path: Path, said: Mapping[str, Any]) -> DataSource | None:
    """The data of the network in a file or folder, of which it says this itself; None where nothing tells."""
    place = path.absolute()
    for folder in (place, *place.parents)[:_UP]:
        found = _settings(folder / "settings.json")
        if found is not None and said.get("fingerprint") in (None, found.fingerprint):
            data_dir = None if found.data_dir is None else Path(found.data_dir)
            return DataSource(spec=found.spec, data_dir=data_dir, image_size=found.image_size, groups=found.groups)
    name = said.get("name")
    return DataSource(spec=name) if isinstance(name, str) and name in DATASETS and ":" not in name else None


def _settings(path: Path) -> _Data | None:
    if not path.is_file():
        return None
    try:
        return as_kind(read_json(path, dict[str, Any], advice=""), _Settings, where=str(path), advice="").data
    except StudyError:
        return None
