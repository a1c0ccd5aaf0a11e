"""Which networks are trained again, how and how often. All of it is fixed before the test split is read.

The settings are written before the first training. Later calls must ask for the same, and then train the networks
written there, also where the study has gone on since: a choice of networks, seeds or margin that follows a look at the
test results would make the tests worthless.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from igcnas.errors import IgcnasError, StudyError
from igcnas.network.architecture import Architecture
from igcnas.network.baselines import baselines
from igcnas.network.budget import Budget, budget_of
from igcnas.results.whole import changes, kept_settings
from igcnas.search.records import TrialRecord
from igcnas.search.settings import StudySettings
from igcnas.statistics.intervals import mean
from igcnas.system import bounds
from igcnas.system.reading import as_kind, read_json
from igcnas.training.recipes import as_today
from igcnas.training.settings import TrainingSettings, flatten, network_seed, with_first_engine

FILE = "settings.json"
_FORMAT = 1
_ADVICE = "restore it, or start another with --name NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalist:
    """One network to train again.

    number: of its first trial, None for a published network that the study did not train. val_accuracy: its mean over
    the trainings of the study, in percent, and their number; None and 0 where there are none.
    """

    name: bounds.Name
    published: bool
    number: bounds.Networks | None
    architecture: Architecture
    val_accuracy: bounds.Percent | None
    trainings: bounds.Networks


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainSettings:
    """All that decides the results and what is said of them. top or trials: how the searched networks were chosen."""

    data_name: str
    data_fingerprint: str
    budget_macs: bounds.Macs | None
    training: TrainingSettings
    seeds: bounds.Networks
    top: bounds.Networks | None
    trials: tuple[bounds.Networks, ...] | None
    margin: float
    finalists: tuple[Finalist, ...]
    limits: Mapping[str, bounds.Macs] = field(default_factory=dict)

    @property
    def budget(self) -> Budget:
        """That of the study."""
        return budget_of(self.budget_macs, self.limits)

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise IgcnasError(f"--seeds {self.seeds} must be 1 or more; 5 is usual")
        if not 0 < self.margin < 100:
            raise IgcnasError(f"--margin {self.margin:g} must be points of accuracy between 0 and 100; 0.5 is usual")

    def seed(self, finalist: Finalist, repeat: int) -> int:
        """Seed of one training: none that the search has used, whose luck is part of why it chose the network."""
        return network_seed(self.training.seed, f"retrain/{finalist.architecture.id}", repeat)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for settings.json."""
        finalists = [
            {**asdict(one), "architecture": one.architecture.to_dict()}
            for one in self.finalists  # asdict would leave out the kinds of blocks
        ]
        data = {"format": _FORMAT, **asdict(self), "finalists": finalists}
        plain: dict[str, Any] = json.loads(json.dumps(data))
        return plain

    @staticmethod
    def from_dict(data: Mapping[str, Any], *, where: str = "the settings of a retraining") -> RetrainSettings:
        """The settings that `to_dict` described; StudyError, which names `where` they are from, if they are not."""
        if data.get("format") != _FORMAT:
            raise StudyError(f"{where}: format {data.get('format')!r} is of another version of igcnas; {_ADVICE}")
        plain = {**data, "training": with_first_engine(data.get("training"))}
        written = as_kind(plain, _Written, where=where, advice=_ADVICE)
        fields = {name: getattr(written, name) for name in RetrainSettings.__dataclass_fields__}
        fields["training"] = as_today(written.training, where=where, advice=_ADVICE)
        try:
            fields["finalists"] = tuple(one.finalist() for one in written.finalists)
            return RetrainSettings(**fields)
        except IgcnasError as error:
            raise StudyError(f"{where} is damaged ({error}); {_ADVICE}") from None

    def differences(self, other: RetrainSettings) -> list[str]:
        """Each setting that differs, as 'name: this -> other'; the finalists follow from the rest and the study."""
        mine, theirs = (
            flatten({key: value for key, value in one.to_dict().items() if key != "finalists"}) for one in (self, other)
        )
        return changes(mine, theirs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A finalist as it is written."""

    name: bounds.Name
    published: bool
    number: bounds.Networks | None
    architecture: dict[str, Any]
    val_accuracy: bounds.Percent | None
    trainings: bounds.Networks

    def finalist(self) -> Finalist:
        """With its network."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Finalist(**fields | {"architecture": Architecture.from_dict(self.architecture)})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """settings.json as it is written."""

    data_name: str
    data_fingerprint: str
    budget_macs: bounds.Macs | None
    training: TrainingSettings
    seeds: bounds.Networks
    top: bounds.Networks | None
    trials: tuple[bounds.Networks, ...] | None
    margin: float
    limits: Mapping[str, bounds.Macs] = field(default_factory=dict)
    finalists: Annotated[tuple[_Listed, ...], Meta(min_length=1, max_length=bounds.NETWORKS)]


def choose_finalists(
    records: Sequence[TrialRecord], study: StudySettings, *, top: int | None, trials: Sequence[int] | None
) -> tuple[Finalist, ...]:
    """The searched networks, best first, then every published network that fits the budget.

    Searched are the `top` within the budget by mean validation accuracy (of equal ones the cheapest), or the `trials`
    named by number, in that order. StudyError where there are none, or for a number without a trained network.
    """
    groups: dict[str, list[TrialRecord]] = {}
    for record in records:
        if record.state != "complete" or record.val_accuracy is None:
            continue
        groups.setdefault(record.architecture.id, []).append(record)
    published = baselines(study.data.input_shape, len(study.data.classes), study.budget)
    known = {fit.architecture.id for fit in published.values()}
    if trials is None:
        fitting = [
            group
            for key, group in groups.items()
            if key not in known and group[0].baseline is None and group[0].within(study.budget)
        ]
        fitting.sort(key=lambda group: (-_accuracy(group), group[0].final_macs, group[0].number))
        chosen = fitting[:top]
    else:
        by_number = {record.number: group for group in groups.values() for record in group}
        for number in trials:
            if number not in by_number:
                numbers = ", ".join(map(str, sorted(by_number))) or "none"
                raise StudyError(f"the study holds no trained network of number {number}; trained are {numbers}")
        chosen = list({by_number[number][0].architecture.id: by_number[number] for number in trials}.values())
        chosen = [group for group in chosen if group[0].architecture.id not in known]
    if not chosen:
        raise StudyError("the study holds no trained network of a search within its budget; run the search first")
    finalists = [_finalist(f"trial {group[0].number}", group[0].architecture, group, False) for group in chosen]
    for name, fit in published.items():
        finalists.append(_finalist(name, fit.architecture, groups.get(fit.architecture.id, []), True))
    return tuple(finalists)


def _accuracy(group: Sequence[TrialRecord]) -> float:
    return mean([record.val_accuracy or 0.0 for record in group])


def _finalist(name: str, architecture: Architecture, group: Sequence[TrialRecord], published: bool) -> Finalist:
    return Finalist(
        name=name,
        published=published,
        number=group[0].number if group else None,
        architecture=architecture,
        val_accuracy=_accuracy(group) if group else None,
        trainings=len(group),
    )


def guard(folder: Path, settings: RetrainSettings) -> RetrainSettings:
    """Write the settings of a new retraining; of one that was begun, return those written, finalists and all.

    StudyError where it was begun with other settings.
    """
    return kept_settings(folder / FILE, settings, read_settings)


def read_settings(folder: Path) -> RetrainSettings:
    """The settings in a retraining's folder; StudyError if they are damaged."""
    path = folder / FILE
    return RetrainSettings.from_dict(read_json(path, dict[str, Any], advice=_ADVICE), where=str(path))
