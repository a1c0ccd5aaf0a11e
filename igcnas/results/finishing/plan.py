"""Which networks are finished, by which recipe, and who teaches whom: fixed before anything is trained.

The settings are written first. Later calls must ask for the same, and then finish the networks written there, also
where the study has gone on since.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from igcnas.errors import IgcnasError, StudyError
from igcnas.network.architecture import Architecture
from igcnas.results.whole import changes, kept_settings
from igcnas.search.records import Network, TrialRecord
from igcnas.search.study import Study
from igcnas.system import bounds
from igcnas.system.reading import as_kind, read_json
from igcnas.training.recipes import WORDS, Recipe, recipe_for
from igcnas.training.settings import TrainingSettings, flatten, network_seed, with_first_engine
from igcnas.units import counted

FILE = "finish.json"
FOLDER = "finish-"  # in the folder of a study, followed by the number of epochs
_LONGER = "igcnas finish: the recipe of the study, longer"
FINAL = "final"  # there, too: the finished network
_FORMAT = 1
_ADVICE = "restore it, or start another with --name NAME"
# Epochs where none are asked for, and from how many training images on there are fewer.
_EPOCHS, _FEWER_EPOCHS, _MANY_IMAGES = 150, 100, 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A network that is trained.

    Attributes:
        name: of it, which no other has; 'trial 12' for a network of the study.
        number: of its first training in the study; None for one that is not of the study.
        asked: whether it was asked for; else it is trained to teach.
        teacher: the name of the member that teaches it; None where nobody does.
        val_accuracy: mean over its trainings in the study, in percent.
    """

    name: bounds.Name
    number: bounds.Networks | None
    architecture: Architecture
    asked: bool
    teacher: bounds.Name | None
    val_accuracy: bounds.Percent | None

    @property
    def title(self) -> str:
        """What it is called where it is shown: networks are counted as everywhere, and asked for by --trial."""
        if self.number is not None:
            return f"network {self.number} (--trial {self.number})"
        return self.name.replace("trial", "network", 1)

    @property
    def stem(self) -> str:
        """Of its files."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.name.lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishSettings:
    """All that decides the results. chosen: how the networks were asked for, in words. training: of the study."""

    data_name: str
    data_fingerprint: str
    chosen: bounds.Name
    taught: bounds.Name
    recipe: Recipe
    training: TrainingSettings
    seeds: bounds.Networks
    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise IgcnasError(f"--seeds {self.seeds} must be 1 or more; 3 tell the spread")

    @property
    def asked(self) -> list[Member]:
        """Those that are handed over, in order."""
        return [member for member in self.members if member.asked]

    def member(self, name: str) -> Member:
        """The one of this name."""
        return next(member for member in self.members if member.name == name)

    @property
    def recipe_words(self) -> str:
        """The recipe and its epochs; by its own name, that of the study too."""
        own = recipe_for(self.training).name
        name = f"that of the study ({own})" if self.recipe.source == _LONGER else self.recipe.name
        return f"{name}, {counted(self.recipe.epochs, 'epoch')}"

    def seed(self, member: Member, repeat: int) -> int:
        """Seed of one training: none that the search has used."""
        return network_seed(self.training.seed, f"finish/{member.architecture.id}", repeat)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for finish.json."""
        members = [{**asdict(one), "architecture": one.architecture.to_dict()} for one in self.members]
        data = {"format": _FORMAT, **asdict(self), "recipe": self.recipe.to_dict(), "members": members}
        plain: dict[str, Any] = json.loads(json.dumps(data))
        return plain

    @staticmethod
    def read(folder: Path) -> FinishSettings:
        """Of the finish in this folder; StudyError where they are damaged or of another version."""
        path = folder / FILE
        data = read_json(path, dict[str, Any], advice=_ADVICE)
        if data.get("format") != _FORMAT or "members" not in data:
            raise StudyError(f"{path} is not of a finish of this version of igcnas; {_ADVICE}")
        plain = {**data, "training": with_first_engine(data.get("training"))}
        written = as_kind(plain, _Written, where=str(path), advice=_ADVICE)
        fields = {name: getattr(written, name) for name in FinishSettings.__dataclass_fields__}
        try:
            fields["members"] = tuple(one.member() for one in written.members)
            return FinishSettings(**fields)
        except IgcnasError as error:
            raise StudyError(f"{path} is damaged ({error}); {_ADVICE}") from None

    def differences(self, other: FinishSettings) -> list[str]:
        """Each setting that differs, as 'name: this -> other'; the members follow from the rest and the study."""
        return changes(_compared(self), _compared(other))


def _compared(settings: FinishSettings) -> dict[str, Any]:
    words = tuple(f"recipe.{name}" for name in WORDS)
    plain = {key: value for key, value in settings.to_dict().items() if key != "members"}
    return {key: value for key, value in flatten(plain).items() if not key.startswith(words)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A member as it is written."""

    name: bounds.Name
    number: bounds.Networks | None
    architecture: dict[str, Any]
    asked: bool
    teacher: bounds.Name | None
    val_accuracy: bounds.Percent | None

    def member(self) -> Member:
        """With its network."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Member(**fields | {"architecture": Architecture.from_dict(self.architecture)})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """finish.json as it is written."""

    data_name: str
    data_fingerprint: str
    chosen: bounds.Name
    taught: bounds.Name
    recipe: Recipe
    training: TrainingSettings
    seeds: bounds.Networks
    members: Annotated[tuple[_Listed, ...], Meta(min_length=1, max_length=bounds.NETWORKS)]


def usual_epochs(images: int) -> int:
    """Of a long training on so many images (training and validation together)."""
    return _FEWER_EPOCHS if many_images(images) else _EPOCHS


def many_images(images: int) -> bool:
    """Whether so many (training and validation together) are as many as the long defaults were measured with."""
    return images >= _MANY_IMAGES


def long_recipe(training: TrainingSettings, *, epochs: int) -> Recipe:
    """How a study trained its networks, for so many epochs."""
    return dataclasses.replace(
        recipe_for(dataclasses.replace(training, epochs=epochs)),
        name="long",
        source=_LONGER,
    )


def some_of_the_front(study: Study, count: int) -> list[Network]:
    """So many networks of the front, the most accurate first; the others at even distances along it."""
    front = list(study.front)[::-1]
    if count >= len(front):
        return front
    if count == 1:
        return front[:1]
    return [front[round(place * (len(front) - 1) / (count - 1))] for place in range(count)]


def network_of(study: Study, record: TrialRecord) -> Network:
    """All trainings of the network of a record."""
    return next(one for one in study.networks if one.record.number == record.number)


def guard(folder: Path, settings: FinishSettings) -> FinishSettings:
    """Write the settings of a new finish; of one that was begun, return those written, members and all.

    Raises:
        StudyError: it was begun with other settings.
    """
    return kept_settings(folder / FILE, settings, FinishSettings.read)


def members_of(asked: Sequence[Network], teachers: Mapping[int, Member]) -> tuple[Member, ...]:
    """Those that are asked for, and whoever teaches them and is not.

    teachers: by the number of the network that is taught.
    """
    found = {
        one.record.number: Member(
            name=f"trial {one.record.number}",
            number=one.record.number,
            architecture=one.record.architecture,
            asked=True,
            teacher=teachers[one.record.number].name if one.record.number in teachers else None,
            val_accuracy=one.mean,
        )
        for one in asked
    }
    names = {member.name for member in found.values()}
    further = {teacher.name: teacher for teacher in teachers.values() if teacher.name not in names}
    return (*found.values(), *further.values())
