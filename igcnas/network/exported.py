"""What the architecture.json of an export says, read back; and what any trained network says of its data.

An architecture.json may also hold an architecture and nothing else, as `Architecture.to_json` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from igcnas.errors import ArchitectureError, IgcnasError
from igcnas.network.architecture import Architecture
from igcnas.system import bounds
from igcnas.system.reading import as_kind, read_json

FILE = "architecture.json"
Channel = Annotated[int, Meta(ge=0, le=bounds.CHANNELS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    """The data that a network was trained on: enough to find its validation images again.

    validation: the share put aside, None where it was trained on all.
    """

    name: str
    fingerprint: str
    validation: bounds.Share | None
    seed: bounds.Seed
    streamed: bool = False
    crop: str = "pad"
    centre: Annotated[float, Meta(gt=0, le=16)] = 0.875


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """How long one call of an exported network took, when it was exported: median and interquartile range.

    runtime: with its version. machine: the processor. quiet: whether no other program had the core; None where nothing
    told.
    """

    runtime: str
    batch: bounds.Positive
    threads: bounds.Positive
    machine: str
    median_ms: bounds.Seconds
    iqr_ms: bounds.Seconds
    quiet: bool | None = None

    def words(self, *, named: bool = True) -> str:
        """The time and all that it depends on; named: the runtime, too."""
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        busy = "; other programs had the core meanwhile" if self.quiet is False else ""
        runtime = f"{self.runtime}, " if named else ""
        return f"{self.median_ms:.3g} ms ({runtime}batch {self.batch}, {threads}, {self.machine}{busy})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """How a picture becomes the input (data/preparation.py)."""

    channels: bounds.Channels
    height: bounds.Pixels
    width: bounds.Pixels
    resize: Literal["cover", "centre"]
    share: Annotated[float, Meta(gt=0, le=16)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Input:
    preparation: _Prepared | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    architecture: dict[str, Any]
    measured: Mapping[str, bounds.Count] = field(default_factory=dict)
    assignments: Mapping[str, Mapping[str, list[Channel]]] = field(default_factory=dict)
    test_accuracy: Mapping[str, bounds.Percent] = field(default_factory=dict)
    test_images: bounds.Positive | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    data: dict[str, Any] | None = None
    classes: tuple[bounds.Text, ...] = ()
    input: _Input = field(default_factory=_Input)
    temperature: bounds.AboveZero | None = None
    times: tuple[Time, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """The record of an export. whole: whether it is one, and not an architecture alone.

    assignments: what training decided of each learned layer, by its path. data: {} where it does not say. classes: ()
    of an architecture alone. preparation: of a picture, by the names of its fields, {} of an export from before that
    was written. temperature: what probabilities divide the logits by, where one was fitted. measured: macs and
    params of the network as it runs. times: how long that took, where it was timed.
    """

    architecture: Architecture
    measured: Mapping[str, int] = field(default_factory=dict)
    whole: bool = False
    assignments: Mapping[str, Mapping[str, list[int]]] = field(default_factory=dict)
    test_accuracy: Mapping[str, float] = field(default_factory=dict)
    test_images: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    preparation: Mapping[str, Any] = field(default_factory=dict)
    temperature: float | None = None
    times: tuple[Time, ...] = ()


def read_exported(path: Path) -> Exported:
    """The record at this path; IgcnasError where it cannot be read or does not fit."""
    advice = "give the architecture.json of an export"
    found = read_json(path, dict[str, Any], error=ArchitectureError, advice=advice)
    if "architecture" not in found:
        return Exported(architecture=_architecture(found, path))
    record = as_kind(found, _Record, where=str(path), error=ArchitectureError, advice=advice)
    if record.data is not None:
        as_kind(record.data, TrainedOn, where=f"{path}, data,", error=ArchitectureError, advice=advice)
    return Exported(
        architecture=_architecture(record.architecture, path),
        measured=record.measured,
        whole=True,
        assignments=record.assignments,
        test_accuracy=record.test_accuracy,
        test_images=record.test_images,
        facts=record.facts,
        data=record.data or {},
        classes=record.classes,
        preparation={} if record.input.preparation is None else asdict(record.input.preparation),
        temperature=record.temperature,
        times=record.times,
    )


def exported_in(folder: Path) -> Exported | None:
    """The record of the export in this folder; None where there is none that can be read."""
    try:
        return read_exported(folder / FILE)
    except IgcnasError:
        return None


def also_in(folder: Path) -> list[str]:
    """Files that other packages added to the export in this folder; none where that cannot be read."""
    try:
        found = read_json(folder / FILE, dict[str, Any], error=ArchitectureError, advice="export again").get("also")
        return list(as_kind(found or {}, dict[str, str], where=FILE, error=ArchitectureError, advice="").values())
    except IgcnasError:
        return []


def _architecture(data: dict[str, Any], path: Path) -> Architecture:
    try:
        return Architecture.from_dict(data)
    except ArchitectureError as error:
        raise ArchitectureError(f"{path}: {error}") from None
