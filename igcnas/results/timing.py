"""What can be timed: a network of a study, that of an export, or one of the literature with its first weights.

A network of a study is timed as an export of it would run; its weights only decide which channels learned groups have.
That of an export is timed by the files that are there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from igcnas.export.latency.running import as_exported
from igcnas.export.latency.setting import Setting
from igcnas.export.latency.timing import Timing, timed, timed_export
from igcnas.modules.build import build
from igcnas.modules.first_state import first_state
from igcnas.modules.lowering import Lowered, lower
from igcnas.network.architecture import Architecture
from igcnas.network.cost import count, count_plan
from igcnas.network.exported import FILE, read_exported
from igcnas.network.plan import plan
from igcnas.search.records import TrialRecord
from igcnas.search.study import Study

# By a setting; whether it is timed although that is known.
Time: TypeAlias = Callable[[Setting, bool], Timing]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One network. name: how it was asked for. macs: for one image, as it would run. time: the time of it."""

    name: str
    architecture: Architecture
    macs: int
    time: Time

    @property
    def label(self) -> str:
        """The network in the notation of its papers."""
        return self.architecture.label()


def of_study(study: Study, record: TrialRecord) -> Subject:
    """A network of a study; StudyError where its weights are gone or damaged."""
    from igcnas.search.worker import check_weights
    from igcnas.training.runs.weights import read_state

    check_weights(study.folder_of(record), record.architecture)
    lowered = _lowered(record.architecture, read_state(study.weights_of(record)))
    return _of(lowered, f"network {record.number} of {study.name}", record.architecture)


def of_architecture(architecture: Architecture, *, name: str) -> Subject:
    """A network with its first weights."""
    return _of(_lowered(architecture, first_state(architecture)), name, architecture)


def of_export(folder: Path) -> Subject:
    """The network in the folder of an export."""
    record = read_exported(folder / FILE)
    architecture = record.architecture

    def time(setting: Setting, again: bool) -> Timing:
        return timed_export(folder, architecture.input_shape, setting, again=again)

    macs = record.measured.get("macs", count(architecture).macs)
    return Subject(name=str(folder), architecture=architecture, macs=macs, time=time)


def _of(lowered: Lowered, name: str, architecture: Architecture) -> Subject:
    def time(setting: Setting, again: bool) -> Timing:
        return timed(as_exported(lowered), setting, again=again)

    return Subject(name=name, architecture=architecture, macs=count_plan(lowered.plan).macs, time=time)


def _lowered(architecture: Architecture, state: dict[str, Any]) -> Lowered:
    network = plan(architecture)
    module = build(network)
    module.load_state_dict(state)
    return lower(network, module.eval())
