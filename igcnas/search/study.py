"""A study: a folder with plain Optuna storage, the settings that guard a resume, and a folder for each network.

studies/NAME/settings.json       what was searched, on what, how trained
             journal.log         Optuna storage: optuna.load_study and optuna-dashboard open it
             lock                held by the one controller
             trials/00012/       result.json, weights.safetensors, while it runs checkpoint.pt
             pareto.png, trials.csv, best/
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from igcnas.errors import StudyError, unknown_name
from igcnas.search.additions import require_kinds
from igcnas.system import bounds
from igcnas.system.files import read_back, write_text
from igcnas.system.names import shown, stays_inside
from igcnas.system.reading import as_kind, read_json
from igcnas.training.settings import TrainingSettings, flatten, with_first_engine

if TYPE_CHECKING:
    import optuna

    from igcnas.data.dataset import Dataset

# What the front compares accuracy with, by objective; without it all networks are at the budget.
OBJECTIVES: dict[str, str | None] = {
    "front": "macs",
    "accuracy": None,
    "accuracy,params": "params",
    "accuracy,latency": "latency_ms",
}
PRUNERS = ("none", "halving")
_DIRECTIONS: list[Literal["maximize", "minimize"]] = ["maximize", "minimize"]
_FORMAT = 2
_READING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which data: how to load it again, and what it was. The path may change between runs, the content may not.

    own_validation: the data bring their validation split; False in studies from before that was looked at, which let it
    join the training data, and still do. majority: name and share, in percent, of the largest class of the validation
    images; "" where it is not stored. reading: how pixels are read, 1 before orientation and grey by pixels.
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
    majority_class: str = ""
    majority: float = 0.0
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
    ) -> DataSettings:
        """Settings of a loaded data set; paths become absolute."""
        from igcnas.data.examination import largest_class

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
            majority_class=dataset.classes[largest],
            majority=round(100 * share, 2),
            reading=_READING,
        )

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

    min_epochs: the first epoch after which the pruner may end a training; 0 where there is none.
    """

    space: Mapping[str, Any]
    space_path: str
    budget_macs: bounds.Macs
    objective: str
    sampler: str
    baselines: bool
    seed: bounds.Seed
    data: DataSettings
    training: TrainingSettings
    pruner: str = "none"
    min_epochs: bounds.Epoch = 0

    @property
    def spread(self) -> bool:
        """Whether networks lie between a lowest target and the budget, not all at the budget."""
        return OBJECTIVES[self.objective] is not None

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
        settings = as_kind(data, StudySettings, where=str(path), advice=advice)
        as_kind(data["space"], _Space, where=f"{path}, space,", advice=advice)
        named = {"objective": (settings.objective, tuple(OBJECTIVES)), "pruner": (settings.pruner, PRUNERS)}
        for what, (name, choices) in named.items():
            if name not in choices:
                raise StudyError(f"{path} is damaged ({unknown_name(what, name, choices)}); {advice}")
        return settings

    def differences(self, other: StudySettings) -> list[str]:
        """Each setting that differs, as 'name: this -> other'; paths do not count."""
        mine, theirs = flatten(self.to_dict()), flatten(other.to_dict())
        ignored = ["space_path", "data.spec", "data.data_dir"]
        ignored += ["data.classes", "data.majority", "data.majority_class", "data.reading"]  # the fingerprint has them
        keys = [key for key in sorted(mine.keys() | theirs.keys()) if key not in ignored]
        return [f"{key}: {mine.get(key)} -> {theirs.get(key)}" for key in keys if mine.get(key) != theirs.get(key)]


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


def find_study(name: str | Path, root: Path = Path("studies")) -> Path:
    """The folder of a study, given as a path or as a name in `root`; StudyError names those known if there is none."""
    inside = [root / name] if stays_inside(str(name)) else []
    for folder in (Path(name), *inside):
        try:
            if str(name).strip() and (folder / "settings.json").is_file():
                return folder
        except (OSError, ValueError):  # too long, a loop of links, a NUL
            continue
    known = study_names(root)
    if not known:
        raise StudyError(f"no study {shown(str(name))}, and none in {root}; give the path of its folder")
    raise StudyError(f"{unknown_name('study', str(name), known)} (in {root})")


def study_names(root: Path) -> list[str]:
    """Names of the studies under a folder."""
    return sorted(path.parent.name for path in root.glob("*/settings.json"))


def trial_folder(folder: Path, number: int) -> Path:
    """Where the files of one network are."""
    return folder / "trials" / f"{number:05d}"


def guard_settings(folder: Path, settings: StudySettings) -> None:
    """Write the settings of a study, which may hold new paths; refuse to resume one that was started with others."""
    path = folder / "settings.json"
    if path.exists():
        begun = StudySettings.read(folder)
        found = begun.differences(settings)
        if found:
            shown = "; ".join(found[:4]) + (f"; and {len(found) - 4} more" if len(found) > 4 else "")
            advice = begun.data.advice() if begun.data.fingerprint != settings.data.fingerprint else ""
            raise StudyError(
                f"study {folder.name!r} was started with other settings ({shown}); "
                f"{advice or 'go back to those, or start another with --study NAME'}"
            )
    text = json.dumps(settings.to_dict(), indent=2) + "\n"
    if read_back(path) != text.encode():
        write_text(path, text)


def open_study(folder: Path, *, create_for: StudySettings | None = None) -> optuna.Study:
    """The Optuna study of a folder; with settings it is made if it is not there yet."""
    import optuna

    from igcnas.search.storage import open_storage

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if create_for is None:
        if not (folder / "journal.log").exists():
            raise StudyError(f"study {folder.name!r} has no journal yet; run the search first")
        names = optuna.get_all_study_names(storage := open_storage(folder / "journal.log"))
        if not names:
            raise StudyError(f"the journal of study {folder.name!r} holds no study; run the search again")
        return optuna.load_study(study_name=names[0], storage=storage)
    names = optuna.get_all_study_names(storage := open_storage(folder / "journal.log"))
    cost = OBJECTIVES[create_for.objective]
    metrics = ["val_accuracy"] if cost is None else ["val_accuracy", cost]
    study = optuna.create_study(
        study_name=names[0] if names else folder.name,  # a folder may have been renamed; its study was not
        storage=storage,
        directions=_DIRECTIONS[: len(metrics)],
        load_if_exists=True,
    )
    if not study.metric_names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # experimental since 3.2
            study.set_metric_names(metrics)
        study.set_user_attr("budget_macs", create_for.budget_macs)
        study.set_user_attr("data", create_for.data.name)
    return study
