"""The settings of one training, in its folder, where they guard a resume."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from igcnas.architecture import Architecture
from igcnas.errors import StudyError
from igcnas.recipes import Recipe
from igcnas.study import flatten

FILE = "settings.json"
_FORMAT = 1
_MAY_CHANGE = ("data.spec", "data.data_dir")
_FIRST_ENGINE = "eager"  # of trainings from before there were two


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDataSettings:
    """Which data, and how they are split; validation is the fraction put aside, None for training on all.

    own_validation: the data's own validation split is put aside instead; False in trainings from before that was done.
    """

    spec: str
    data_dir: str | None
    image_size: int | None
    name: str
    fingerprint: str
    classes: tuple[str, ...]
    streamed: bool
    validation: float | None
    seed: int
    own_validation: bool = False
    skip_bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """All that decides the result of a training. pretrained: hash of the file of first weights."""

    architecture: Architecture
    recipe: Recipe
    data: RunDataSettings
    seed: int
    pretrained: str | None = None
    precision: str = "auto"
    engine: str = "fast"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for settings.json."""
        data = {"format": _FORMAT, "architecture": self.architecture.to_dict(), "recipe": self.recipe.to_dict()}
        data |= {"data": asdict(self.data), "seed": self.seed, "pretrained": self.pretrained}
        plain: dict[str, Any] = json.loads(json.dumps({**data, "precision": self.precision, "engine": self.engine}))
        return plain

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> RunSettings:
        """The settings that `to_dict` described; StudyError if they are not."""
        try:
            if data["format"] != _FORMAT:
                raise StudyError(f"settings of format {data['format']} are of another version of igcnas")
            return RunSettings(
                architecture=Architecture.from_dict(data["architecture"]),
                recipe=Recipe.from_dict(data["recipe"]),
                data=RunDataSettings(**{**data["data"], "classes": tuple(data["data"]["classes"])}),
                seed=data["seed"],
                pretrained=data["pretrained"],
                precision=data["precision"],
                engine=data.get("engine", _FIRST_ENGINE),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise StudyError(f"settings of a training are damaged ({error})") from None

    def differences(self, found: Mapping[str, Any]) -> list[str]:
        """Each setting in which the `found` ones differ from these, as 'name: found -> these'; paths do not count."""
        mine, theirs = (_flat(data) for data in (self.to_dict(), found))
        keys = [key for key in sorted(mine.keys() | theirs.keys()) if mine.get(key) != theirs.get(key)]
        return [f"{key}: {theirs.get(key)} -> {mine.get(key)}" for key in keys if key not in _MAY_CHANGE]


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """One level; the architecture, whose stages would be a hundred lines, as its label."""
    flat = flatten({"engine": _FIRST_ENGINE} | {key: value for key, value in data.items() if key != "architecture"})
    flat = {"data.own_validation": False, "data.skip_bad": False} | flat
    architecture = Architecture.from_dict(data["architecture"])
    return {**flat, "architecture": f"{architecture.label()} (id {architecture.id})"}


def read_settings(folder: Path) -> dict[str, Any]:
    """settings.json of a training's folder; StudyError if it is damaged."""
    try:
        data: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(f"{folder / FILE} cannot be read ({error}); give another --out") from None
    return data


def guard(folder: Path, settings: RunSettings) -> None:
    """Write the settings of a new training; refuse to go on with one of other settings."""
    from igcnas.training.checkpoint import write_whole

    if (folder / FILE).exists():
        found = settings.differences(read_settings(folder))
        if found:
            shown = "; ".join(found[:4]) + (f"; and {len(found) - 4} more" if len(found) > 4 else "")
            raise StudyError(
                f"{folder} holds a training with other settings ({shown}); go back to those, or give another --out"
            )
    write_whole(folder / FILE, (json.dumps(settings.to_dict(), indent=2) + "\n").encode())
