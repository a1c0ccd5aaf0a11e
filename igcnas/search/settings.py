"""The settings of a study: all that decides which networks it proposes, and how it trains them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from igcnas.errors import StudyError, unknown_name
from igcnas.export.latency.setting import Setting
from igcnas.export.latency.table import TimeTable
from igcnas.network.budget import TIME, Budget, budget_of
from igcnas.search.additions import require_kinds
from igcnas.search.costs import Costs
from igcnas.search.objective import OBJECTIVES, Objective, objective_named
from igcnas.search.tuning.record import Tuning
from igcnas.statistics.noise import effective_images
from igcnas.system import bounds
from igcnas.system.reading import as_kind, read_json
from igcnas.training.settings import BALANCED, TrainingSettings, flatten, with_first_engine

if TYPE_CHECKING:
    from igcnas.data.dataset import Dataset

PRUNERS = ("none", "halving")
_FORMAT = 2
_READING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which data: how to load it again, and what it was. The path may change between runs, the content may not.

    own_validation: the data bring their validation split; False in studies from before that was looked at, which let it
    join the training data, and still do. majority: name and share, in percent, of the largest class of the validation
    images; "" where it is not stored. groups: which images stay on one side of a split (data/groups.py). class_images:
    validation images of each class; () where it is not stored. reading: how pixels are read, 1 before orientation and
    grey by pixels.
    """

    spec: str
    data_dir: str | None
    image_size: bounds.Pixels | None
    name: str
    fingerprint: str
    input_shape: tuple[bounds.Channels, bounds.Pixels, bounds.Pixels]
    classes: Annotated[tuple[bounds.Text, ...], Meta(min_length=1, max_length=bounds.CLASSES)]
    validation_images: bounds.Count
    own_validation: bool = False
    skip_bad: bool = False
    groups: str | None = None
    majority_class: str = ""
    majority: float = 0.0
    class_images: tuple[bounds.Count, ...] = ()
    reading: int = 1

    @staticmethod
    def of(
        dataset: Dataset,
        training: TrainingSettings,
        *,
        spec: str,
        data_dir: Path | None,
        image_size: int | None,
        skip_bad: bool = False,
        groups: str | None = None,
    ) -> DataSettings:
        """Settings of a loaded data set; paths become absolute."""
        import numpy as np

        from igcnas.data.examination import largest_class
        from igcnas.data.groups import placed

        kind, separator, place = spec.partition(":")
        _, validation = dataset.split(fraction=training.validation_fraction, seed=training.seed)
        largest, share = largest_class(validation.labels)
        return DataSettings(
            spec=f"{kind}:{Path(place).expanduser().absolute()}" if separator else spec,
            data_dir=None if data_dir is None else str(data_dir.expanduser().absolute()),
            image_size=image_size,
            name=dataset.name,
            fingerprint=dataset.fingerprint(),
            input_shape=dataset.input_shape,
            classes=dataset.classes,
            validation_images=len(validation.labels),
            own_validation=dataset.own_validation > 0,
            skip_bad=skip_bad,
            groups=None if groups is None else placed(groups),
            majority_class=dataset.classes[largest],
            majority=round(100 * share, 2),
            class_images=tuple(np.bincount(validation.labels, minlength=dataset.num_classes).tolist()),
            reading=_READING,
        )

    def trained_on(self, *, validation: float | None, seed: int) -> dict[str, Any]:
        """What a network that is trained on them says of them (`network.exported.TrainedOn`).

        validation: the share that is put aside, None where it is trained on all. No path of this machine is in it.
        """
        from igcnas.data.groups import portable

        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "streamed": False,
            "validation": validation,
            "seed": seed,
            "own_validation": self.own_validation,
            "skip_bad": self.skip_bad,
            "groups": portable(self.groups),
        }

    def load(self) -> Dataset:
        """Read the data set again."""
        from igcnas.data.loading import load_dataset

        data_dir = None if self.data_dir is None else Path(self.data_dir)
        return load_dataset(
            self.spec,
            data_dir=data_dir,
            image_size=self.image_size,
            skip_bad=self.skip_bad,
            own_validation=self.own_validation,
            groups=self.groups,
        )

    def load_same(self, study: str) -> Dataset:
        """Read the data set again; StudyError where its content is another than when this study was made."""
        dataset = self.load()
        if dataset.fingerprint() != self.fingerprint:
            raise StudyError(
                f"the data of study {study!r} has changed since it was searched; {self.advice() or 'restore it'}"
            )
        return dataset

    def advice(self) -> str:
        """What to do where the data differ and the study was made when pictures were read otherwise; else ""."""
        if self.reading >= _READING or not self.spec.startswith(("imagefolder:", "npz:")):
            return ""
        return (
            "they were changed, or it is an older study and igcnas now reads pictures otherwise (turned as EXIF says, "
            "transparency on white, grey by their pixels: docs/data.md); restore them, or search again with another "
            "--study NAME; report, status and plot still open this one"
        )

    @property
    def unbalanced(self) -> bool:
        """Whether the largest class is so large that an accuracy should be read beside it."""
        return self.majority > 120 / max(1, len(self.classes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """What every block family of a space says of itself."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Space:
    """What a report reads of the space of a study; block families have more of their own."""

    name: str
    families: tuple[_Family, ...]
    stages: Annotated[int, Meta(ge=1, le=64)]
    depths: tuple[bounds.Positive, ...]
    growths: tuple[float, ...]
    final_sizes: tuple[bounds.Positive, ...]
    head_ratios: tuple[bounds.Count, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySettings:
    """All that decides which networks a study proposes and how it trains them.

    min_epochs: the first epoch after which the pruner may end a training; 0 where there is none. budget_macs, limits:
    the budget; limits holds all that is limited but MACs, by the names of the limits. tuning: how the recipe was found,
    where it was tuned before the search; None where the user gave it. latency: how networks are timed, where the
    objective compares times or the budget limits them; None in studies from before exported networks were timed, which
    time the torch module on the device that trains, and still do. times: what predicts a time that is limited.
    """

    space: Mapping[str, Any]
    space_path: str
    objective: str
    sampler: str
    baselines: bool
    seed: bounds.Seed
    data: DataSettings
    training: TrainingSettings
    pruner: str = "none"
    min_epochs: bounds.Epoch = 0
    budget_macs: bounds.Macs | None = None
    limits: Mapping[str, bounds.Macs] = field(default_factory=dict)
    tuning: Tuning | None = None
    latency: Setting | None = None
    times: TimeTable | None = None

    @property
    def budget(self) -> Budget:
        """What a network may cost."""
        return budget_of(self.budget_macs, self.limits, self.times)

    @property
    def timed(self) -> bool:
        """Whether its networks are timed: it compares times, or limits them."""
        return self.compares.timed or TIME.name in self.limits

    @property
    def measured_limits(self) -> tuple[str, ...]:
        """What is measured of a trained network for the budget or the objective, beside MACs and parameters."""
        names = dict.fromkeys((*self.budget.limits, self.compares.axis.limit))
        return tuple(name for name in names if name not in (None, "macs", "params", TIME.name))

    @property
    def measure(self) -> str:
        """What its networks are compared by on the validation images, in words."""
        return "balanced accuracy" if self.training.metric == BALANCED else "accuracy"

    @property
    def effective_images(self) -> int:
        """So many images make an accuracy as unsure as that by which networks are compared here.

        All validation images; of a balanced accuracy fewer where classes differ in size (`noise.effective_images`).
        """
        if self.training.metric != BALANCED:
            return self.data.validation_images
        return effective_images(self.data.class_images)

    @property
    def costs(self) -> Costs:
        """What is said of the cost of a network."""
        return Costs(self.budget, self.compares)

    @property
    def compares(self) -> Objective:
        """What its networks are compared by."""
        return objective_named(self.objective)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for settings.json."""
        plain: dict[str, Any] = json.loads(json.dumps({"format": _FORMAT, **asdict(self)}))
        return plain

    @staticmethod
    def read(folder: Path) -> StudySettings:
        """Settings of the study in this folder."""
        path = folder / "settings.json"
        if not path.is_file():
            known = ", ".join(study_names(folder.parent)) or "none"
            raise StudyError(f"no study in {folder}; studies there: {known}")
        advice = "restore it, or use a new --study name"
        data = read_json(path, dict[str, Any], advice=advice)
        _refuse_others(path, data)
        data["training"] = with_first_engine(data.get("training"))
        require_kinds(folder)
        settings = settings_of(data, path, advice=advice)
        as_kind(data["space"], _Space, where=f"{path}, space,", advice=advice)
        named = {"objective": (settings.objective, tuple(OBJECTIVES)), "pruner": (settings.pruner, PRUNERS)}
        for what, (name, choices) in named.items():
            if name not in choices:
                raise StudyError(f"{path} is damaged ({unknown_name(what, name, choices)}); {advice}")
        return settings

    def differences(self, other: StudySettings) -> list[str]:
        """Each setting that differs, as 'name: this -> other'; paths do not count."""
        mine, theirs = flatten(self.to_dict()), flatten(other.to_dict())
        if self.training.recipe is not None or other.training.recipe is not None:
            mine, theirs = (_with_whole_recipe(flat, one.training) for flat, one in ((mine, self), (theirs, other)))
        ignored = ["space_path", "data.spec", "data.data_dir"]
        ignored += [
            "data.classes",
            "data.majority",
            "data.majority_class",
            "data.class_images",
            "data.reading",
        ]  # the fingerprint has them
        if self.data.groups is not None and other.data.groups is not None:
            ignored.append("data.groups")  # a file may lie elsewhere now, and the fingerprint has the groups
        keys = [key for key in sorted(mine.keys() | theirs.keys()) if key not in ignored]
        # What tuning chose is in the training; a study keeps the table that it began with.
        keys = [key for key in keys if key.partition(".")[0] not in ("tuning", "times")]
        return [f"{key}: {mine.get(key)} -> {theirs.get(key)}" for key in keys if mine.get(key) != theirs.get(key)]


def settings_of(data: Any, where: Path, *, advice: str) -> StudySettings:
    """The settings that plain data describe; StudyError where they do not."""
    from igcnas.training.recipes import as_today

    found = as_kind(data, StudySettings, where=str(where), advice=advice)
    return replace(found, training=as_today(found.training, where=str(where), advice=advice))


def _with_whole_recipe(flat: dict[str, Any], training: TrainingSettings) -> dict[str, Any]:
    """Flat settings with every value of the recipe, in place of those that are copies of them."""
    from igcnas.training.recipes import WORDS, recipe_for

    copies = ("momentum", "weight_decay", "gradient_clip", "label_smoothing", "warmup", "grouping", "recipe")
    kept = {name: value for name, value in flat.items() if name.split(".")[:2][-1] not in copies}
    plain = json.loads(json.dumps(recipe_for(training).to_dict()))
    said = ("epochs", "batch_size", "learning_rate", *WORDS)
    return kept | flatten({key: value for key, value in plain.items() if key not in said}, "training.recipe.")


def _refuse_others(path: Path, data: Mapping[str, Any]) -> None:
    """StudyError for settings that are not those of a study of this version; a format says nothing of what has it."""
    if "finalists" in data:
        raise StudyError(f"{path.parent} is a retraining, not a study; name the study that it lies in")
    if "recipe" in data and "architecture" in data:
        raise StudyError(
            f"{path.parent} is one training by igcnas train, not a study; its best weights are best.safetensors there, "
            "and igcnas evaluate tells its accuracy"
        )
    if data.get("format") != _FORMAT:
        raise StudyError(f"{path} was written by another version of igcnas; use a new --study name")


def study_names(root: Path) -> list[str]:
    """Names of the studies under a folder."""
    return sorted(path.parent.name for path in root.glob("*/settings.json"))
