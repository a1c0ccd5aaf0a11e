"""Where the numbers come from: data, space, settings, seeds, runs with versions, readings of the test split.

What was not recorded is said to be so. The command of a run is the one that was recorded; without any, a command with
the same settings is put together from those of the study.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from igcnas.network.budget import Budget
from igcnas.results.report.numbers.checks import Checks
from igcnas.search.provenance import Run, runs
from igcnas.search.records import Tested, counted, exports_of
from igcnas.search.study import Study
from igcnas.training.recipes import recipe_for
from igcnas.training.recipes.choosing import recipe_options, recipe_words

SEARCH = "search"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """structures: how many the space holds, widths aside; None for block families that igcnas does not know.

    runs: with the name of what each made, 'search' or a folder; none of a study of before. test_readings: times that
    the test split was read, by what did it; an export counts once, though it may have been made again. command: of a
    new study like this. recipe: by which it trains, in words; tuned: how that was found, "" where the user
    gave it.
    """

    space: str
    space_fingerprint: str
    structures: int | None
    data: str
    data_fingerprint: str
    input_shape: tuple[int, int, int]
    classes: int
    validation_images: int
    validation_share: float | None
    budget: Budget
    budget_macs: int | None
    objective: str
    sampler: str
    pruner: str
    seed: int
    training: Mapping[str, Any]
    recipe: str
    tuned: str
    runs: tuple[tuple[str, Run], ...]
    test_readings: Mapping[str, int]
    command: str


def _reading(export: Tested) -> str:
    """What read the test split for an export."""
    if export.folder == "best":
        return "export of the best network"
    return f"{'finish' if export.finished else 'export'} of network {export.number}"


def provenance_of(study: Study, checks: Checks) -> Provenance:
    """Of a study and of what was made to check it."""
    settings = study.settings
    readings = checks.test_readings
    exports = exports_of(study.folder)
    if exports:
        readings = Counter(map(_reading, exports)) | Counter(readings)
    return Provenance(
        space=settings.space["name"],
        space_fingerprint=fingerprint(settings.space),
        structures=structures(settings.space),
        data=settings.data.name,
        data_fingerprint=settings.data.fingerprint,
        input_shape=settings.data.input_shape,
        classes=len(settings.data.classes),
        validation_images=settings.data.validation_images,
        validation_share=None if settings.data.own_validation else settings.training.validation_fraction,
        budget=settings.budget,
        budget_macs=settings.budget_macs,
        objective=settings.objective,
        sampler=settings.sampler,
        pruner=settings.pruner,
        seed=settings.seed,
        training=asdict(settings.training),
        recipe=recipe_words(recipe_for(settings.training)),
        tuned="" if settings.tuning is None else f"{settings.tuning.words()}; at first {settings.tuning.tried_words()}",
        runs=tuple(_recorded(study, checks)),
        test_readings=readings,
        command=command_of(study),
    )


def fingerprint(space: Mapping[str, Any]) -> str:
    """That of `SearchSpace.fingerprint`, from the space as the study keeps it."""
    return hashlib.sha256(json.dumps(space, sort_keys=True).encode()).hexdigest()[:16]


def structures(space: Mapping[str, Any]) -> int | None:
    """Structures that the space offers: combinations of choices, each a network at every width."""
    families = importlib.import_module("igcnas.search.space")
    common = math.prod(len(space[name]) for name in ("growths", "final_sizes", "head_ratios"))
    common *= len(space["depths"]) ** space["stages"]
    total = 0
    for family in space["families"]:
        kind = getattr(families, family["kind"], None)
        if kind is None:
            return None
        fields = {name: tuple(value) if isinstance(value, list) else value for name, value in family.items()}
        del fields["kind"]
        try:
            total += common * math.prod(len(options) for options in kind(**fields).axes().values())
        except (TypeError, ValueError, AttributeError):  # a family of the same name of another version
            return None
    return total


def _recorded(study: Study, checks: Checks) -> Iterator[tuple[str, Run]]:
    """The runs of the search, then those of each audit and retraining, with the name of what they made."""
    yield from ((SEARCH, run) for run in runs(study.folder))
    for folder in (*(one.folder for one in checks.audits), *(one.folder for one in checks.retrainings)):
        yield from ((folder.name, run) for run in runs(folder))


def command_of(study: Study) -> str:
    """A command that searches with the settings of this study; the numbers of networks are what it holds."""
    settings, training = study.settings, study.settings.training
    words = ["igcnas", "search", *settings.budget.options(), "--data", settings.data.spec]
    if settings.data.data_dir is not None:
        words += ["--data-dir", settings.data.data_dir]
    if settings.data.image_size is not None:
        words += ["--image-size", str(settings.data.image_size)]
    if settings.data.groups is not None:
        words += ["--groups", settings.data.groups]
    words += ["--space", settings.space_path, "--objective", settings.objective, "--sampler", settings.sampler]
    words += ["--networks", str(counted(study.records)), "--epochs", str(training.epochs), "--seed", str(settings.seed)]
    if settings.pruner != "none":
        words += ["--pruner", settings.pruner, "--min-epochs", str(settings.min_epochs)]
    if not settings.baselines:
        words.append("--no-baselines")
    words += recipe_options(training)
    return shlex.join([*words, "--engine", training.engine, "--study", study.name, *_place(study.folder)])


def _place(folder: Path) -> list[str]:
    root = folder.parent
    return [] if root == Path("studies") else ["--studies-dir", str(root)]
