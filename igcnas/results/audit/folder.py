"""The folder of an audit: what was drawn, and one file for each long training.

studies/NAME/audit-EPOCHS/settings.json           how it trains, and the sample: it stays when the study grows
                          trainings/00012-0.json  network 12, first seed: its result, written whole and renamed
                          trainings/00012-0.pt    its checkpoint, while it is trained
                          audit.md, audit.csv, audit.png

More seeds are more trainings of the same sample; anything else that is other belongs into another folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from igcnas.errors import StudyError
from igcnas.results.audit.sampling import Member, stratified
from igcnas.search.records import TrialRecord
from igcnas.system import bounds
from igcnas.system.files import make_folder, write_text
from igcnas.system.reading import as_kind, read_json
from igcnas.training.recipes import as_today
from igcnas.training.settings import TrainingSettings, flatten, with_first_engine

_FORMAT = 1
_FILE = "settings.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """What decides the long trainings; `training` has their epochs."""

    networks: bounds.Networks
    bands: bounds.Positive
    training: TrainingSettings
    data_fingerprint: str
    short_epochs: bounds.Epochs

    def differences(self, found: Mapping[str, Any]) -> list[str]:
        """Each setting in which the `found` ones differ, as 'name: found -> this'."""
        mine = flatten(json.loads(json.dumps(asdict(self))))
        theirs = flatten({key: value for key, value in found.items() if key in asdict(self)})
        return [
            f"{key.removeprefix('training.')}: {theirs.get(key)} -> {mine.get(key)}"
            for key in sorted(mine.keys() | theirs.keys())
            if mine.get(key) != theirs.get(key)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The networks of an audit. limits: lowest and highest MACs of each band; ids: of the architectures, by number."""

    members: tuple[Member, ...]
    limits: tuple[tuple[bounds.Count, bounds.Count], ...]
    ids: Mapping[int, str]

    @staticmethod
    def draw(networks: Sequence[TrialRecord], settings: AuditSettings) -> Sample:
        """From the trained networks of a study, by its seed."""
        known = [(r.number, r.final_macs, r.val_accuracy or 0.0) for r in networks]
        members, limits = stratified(known, count=settings.networks, bands=settings.bands, seed=settings.training.seed)
        ids = {record.number: record.architecture.id for record in networks}
        return Sample(members=members, limits=limits, ids={m.number: ids[m.number] for m in members})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written(AuditSettings):
    """settings.json as it is written."""

    sample: Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class LongResult:
    """What a long training gave: accuracy in percent after its last epoch, or why there is none."""

    number: int
    seed: int
    architecture_id: str
    epochs: int
    val_accuracy: float | None = None
    failed: str | None = None
    seconds: float = 0.0
    device: str = "cpu"
    curve: list[float] = field(default_factory=list)


def open_folder(folder: Path, settings: AuditSettings, networks: Sequence[TrialRecord]) -> Sample:
    """The sample of the audit in this folder; drawn now if it is a new one.

    Raises StudyError where the folder holds an audit with other settings, or of networks that the study does not have.
    """
    path = folder / _FILE
    if not path.exists():
        sample = Sample.draw(networks, settings)
        make_folder(folder / "trainings")
        content = {"format": _FORMAT, **asdict(settings), "sample": asdict(sample)}
        write_text(path, (json.dumps(content, indent=2) + "\n"))
        return sample
    found, sample = read_settings(folder)
    if other := settings.differences(asdict(found)):
        shown = "; ".join(other[:4]) + (f"; and {len(other) - 4} more" if len(other) > 4 else "")
        raise StudyError(
            f"{folder} holds an audit with other settings ({shown}); go back to those, or give another --out"
        )
    have = {record.number: record.architecture.id for record in networks}
    for number, name in sample.ids.items():
        if have.get(number) != name:
            raise StudyError(
                f"{folder} is an audit of another study: its network {number} is not there; give another --out"
            )
    return sample


def read_settings(folder: Path) -> tuple[AuditSettings, Sample]:
    """The settings and the sample of the audit in this folder; StudyError where they are damaged."""
    path, advice = folder / _FILE, "restore it, or give another --out"
    data = read_json(path, dict[str, Any], advice=advice)
    if data.get("format") != _FORMAT:
        raise StudyError(f"{path} was written by another version of igcnas; give another --out")
    sample = data.get("sample")
    if isinstance(sample, dict) and isinstance(ids := sample.get("ids"), dict):
        if not all(number.isdecimal() and len(number) <= len(str(bounds.NETWORKS)) for number in ids):
            raise StudyError(f"{path} is damaged (sample.ids: numbers of networks are expected); {advice}")
        sample["ids"] = {int(number): name for number, name in ids.items()}
    data["training"] = with_first_engine(data.get("training"))
    written = as_kind(data, _Written, where=str(path), advice=advice)
    settings = AuditSettings(**{name: getattr(written, name) for name in AuditSettings.__dataclass_fields__})
    settings = replace(settings, training=as_today(settings.training, where=str(path), advice=advice))
    known = set(written.sample.ids)
    if any(m.number not in known or not 0 <= m.band < len(written.sample.limits) for m in written.sample.members):
        raise StudyError(f"{path} is damaged (sample.members: not of its ids and bands); {advice}")
    return settings, written.sample
