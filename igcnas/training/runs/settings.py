"""The settings of one training, in its folder, where they guard a resume."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from igcnas.errors import ArchitectureError, StudyError
from igcnas.network.architecture import Architecture
from igcnas.system import bounds
from igcnas.system.reading import as_kind, read_json
from igcnas.training.recipes import WORDS, Recipe
from igcnas.training.recipes.recipe import as_written_now
from igcnas.training.settings import flatten

FILE = "settings.json"
_FORMAT = 2
_READABLE = (1, 2)  # 1: recipes without norm constants, first weights and dropout of channels
_MAY_CHANGE = ("format", "data.spec", "data.data_dir")
_WORDS = tuple(f"recipe.{name}" for name in WORDS)
_FIRST_ENGINE = "eager"  # of trainings from before there were two


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDataSettings:
    """Which data, and how they are split; validation is the fraction put aside, None for training on all.

    own_validation: the data's own validation split is put aside instead; False in trainings from before that was done.
    """

    spec: str
    data_dir: str | None
    image_size: bounds.Pixels | None
    name: str
    fingerprint: str
    classes: tuple[str, ...]
    streamed: bool
    validation: bounds.Share | None
    seed: bounds.Seed
    own_validation: bool = False
    skip_bad: bool = False
    groups: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """settings.json as it is written."""

    format: int
    architecture: dict[str, Any]
    recipe: Recipe
    data: RunDataSettings
    seed: bounds.Seed
    pretrained: str | None
    precision: str
    engine: str = _FIRST_ENGINE


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
    def from_dict(data: Mapping[str, Any], *, where: str = "the settings of a training") -> RunSettings:
        """The settings that `to_dict` described; StudyError, which names `where` they are from, if they are not."""
        advice = "restore the file, or give another --out"
        if data.get("format") not in _READABLE:
            raise StudyError(f"{where}: format {data.get('format')!r} is of another version of igcnas; {advice}")
        now = {**data, "recipe": as_written_now(data.get("recipe"))}
        written = as_kind(now, _Written, where=where, advice=advice)
        try:
            architecture = Architecture.from_dict(written.architecture)
        except ArchitectureError as error:
            raise StudyError(f"{where} is damaged ({error}); {advice}") from None
        return RunSettings(
            architecture=architecture,
            recipe=written.recipe,
            data=written.data,
            seed=written.seed,
            pretrained=written.pretrained,
            precision=written.precision,
            engine=written.engine,
        )

    def differences(self, found: Mapping[str, Any]) -> list[str]:
        """Each setting in which the `found` ones differ from these, as 'name: found -> these'; paths do not count.

        Nor do the words of a recipe.
        """
        mine, theirs = (_flat(data) for data in (self.to_dict(), RunSettings.from_dict(found).to_dict()))
        keys = [key for key in sorted(mine.keys() | theirs.keys()) if mine.get(key) != theirs.get(key)]
        if self.data.groups is not None and theirs["data.groups"] is not None:
            keys = [key for key in keys if key != "data.groups"]  # a file that may lie elsewhere now
        told = [key for key in keys if key not in _MAY_CHANGE and not key.startswith(_WORDS)]
        return [f"{key}: {theirs.get(key)} -> {mine.get(key)}" for key in told]


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """One level; the architecture, whose stages would be a hundred lines, as its label."""
    flat = flatten({"engine": _FIRST_ENGINE} | {key: value for key, value in data.items() if key != "architecture"})
    flat = {"data.own_validation": False, "data.skip_bad": False, "data.groups": None} | flat
    architecture = Architecture.from_dict(data["architecture"])
    return {**flat, "architecture": f"{architecture.label()} (id {architecture.id})"}


def read_settings(folder: Path) -> dict[str, Any]:
    """settings.json of a training's folder; StudyError if it is damaged."""
    data = read_json(folder / FILE, dict[str, Any], advice="restore it, or give another --out")
    RunSettings.from_dict(data, where=str(folder / FILE))
    return data


def as_begun(folder: Path, settings: RunSettings) -> RunSettings:
    """These settings with the recipe that the training in this folder was begun with, where the same one is asked for.

    A recipe of a name is mended from version to version; a training that was begun goes on as it began.
    """
    if not (folder / FILE).exists():
        return settings
    begun, asked = RunSettings.from_dict(read_settings(folder)).recipe, settings.recipe
    asks = ("name", "epochs", "batch_size", "learning_rate")
    same = all(getattr(begun, name) == getattr(asked, name) for name in asks)
    return replace(settings, recipe=begun) if same else settings


def changed_values(begun: Recipe, now: Recipe) -> list[str]:
    """Where the recipe of a training differs from that of its name today, as 'name: begun, not now'."""
    mine, theirs = (flatten(recipe.to_dict()) for recipe in (begun, now))
    names = [name for name in theirs if not name.startswith(WORDS) and mine.get(name) != theirs[name]]
    return [f"{name} {mine.get(name)}, not {theirs[name]}" for name in names]


def guard(folder: Path, settings: RunSettings) -> None:
    """Write the settings of a new training; refuse to go on with one of other settings."""
    from igcnas.system.files import write_text

    if (folder / FILE).exists():
        found = settings.differences(read_settings(folder))
        if found:
            shown = "; ".join(found[:4]) + (f"; and {len(found) - 4} more" if len(found) > 4 else "")
            raise StudyError(
                f"{folder} holds a training with other settings ({shown}); go back to those, or give another --out"
            )
    write_text(folder / FILE, (json.dumps(settings.to_dict(), indent=2) + "\n"))
