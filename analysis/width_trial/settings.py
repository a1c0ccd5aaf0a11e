"""What a trial trains and by which rule it is judged; all of it is fixed before the first training.

The settings are written to the folder of the trial, and a later command with others is refused: a factor `near` that is
chosen after a look at the results would make the verdict worthless. More seeds may be asked for later; each number that
was asked for is kept in `seeds.json` and printed, since adding seeds until a verdict comes is a choice by results, too.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from igcnas.errors import IgcnasError, StudyError, unknown_name
from igcnas.results.whole import changes, kept_settings
from igcnas.system import bounds
from igcnas.system.files import write_text
from igcnas.system.reading import as_kind, read_json
from igcnas.training.settings import TrainingSettings, flatten, network_seed, with_first_engine

from .networks import Entrant, Skeleton, entrants

FILE = "settings.json"
SEEDS_FILE = "seeds.json"
SPLITS = ("repeated", "given")
_FORMAT = 1
_ADVICE = "restore the file, or start another trial with --out DIR"
_RATIO = re.compile(r"[1-9][0-9]{0,8}(/[1-9][0-9]{0,8})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSettings:
    """Everything that decides the results and what is said of them.

    splits: 'repeated', a new stratified split of all images for each seed, test_fraction of them to test on; 'given',
    the test split of the data, the same for all seeds. near: the factor around L = M S within which the accuracy must
    peak. rates: learning rates; where there are several, each network takes that of its best mean over tuning_seeds
    separate seeds. training.learning_rate and .validation_fraction count for nothing but the tuning.
    """

    data_name: str
    data_fingerprint: str
    input_shape: tuple[bounds.Channels, bounds.Pixels, bounds.Pixels]
    classes: bounds.Positive
    splits: str
    test_fraction: float
    budget_macs: bounds.Macs
    tolerance: float
    ratios: tuple[str, ...]
    depth: bounds.Positive
    residual: bool
    near: float
    rates: tuple[float, ...]
    tuning_seeds: bounds.Networks
    training: TrainingSettings

    def __post_init__(self) -> None:
        if self.splits not in SPLITS:
            raise IgcnasError(unknown_name("kind of split", self.splits, SPLITS))
        if not 0 < self.test_fraction < 1:
            raise IgcnasError(f"--test-fraction {self.test_fraction:g} must lie between 0 and 1; 0.5 is usual")
        if not 0 < self.tolerance <= 0.1:
            raise IgcnasError(f"--tolerance {100 * self.tolerance:g} must be percent, above 0 and at most 10")
        if not 1 < self.near < math.inf:
            raise IgcnasError(f"--near {self.near:g} must be a factor above 1; 4 is usual")
        if not self.rates or not all(0 < rate < math.inf for rate in self.rates):
            raise IgcnasError(f"--lr {','.join(map(str, self.rates))} must be positive numbers, as in 0.2,0.6")
        if self.tuning_seeds < 1:
            raise IgcnasError(f"--tuning-seeds {self.tuning_seeds} must be 1 or more; 5 is usual")

    @property
    def skeleton(self) -> Skeleton:
        """What all networks share."""
        return Skeleton(input_shape=self.input_shape, classes=self.classes, depth=self.depth, residual=self.residual)

    def networks(self) -> tuple[tuple[Entrant, ...], tuple[str, ...]]:
        """The networks, and what is left out."""
        return entrants(self.skeleton, self.budget_macs, self.tolerance, [Fraction(ratio) for ratio in self.ratios])

    def training_seed(self, repeat: int, *, tuning: bool = False) -> int:
        """Of the first weights and the order of images: one for all networks of a repeat."""
        return network_seed(self.training.seed, "width-trial/tuning" if tuning else "width-trial", repeat)

    def split_seed(self, repeat: int, *, tuning: bool = False) -> int:
        """Of the split into training and test images: one for all networks of a repeat."""
        return network_seed(self.training.seed, "width-trial/tuning-split" if tuning else "width-trial/split", repeat)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for settings.json."""
        plain: dict[str, Any] = json.loads(json.dumps({"format": _FORMAT, **asdict(self)}))
        return plain

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> TrialSettings:
        """The settings that `to_dict` described."""
        if data.get("format") != _FORMAT:
            raise StudyError(f"settings of format {data.get('format')!r} are of another version; {_ADVICE}")
        plain = {**data, "training": with_first_engine(data.get("training"))}
        settings = as_kind(plain, TrialSettings, where="settings of a trial", advice=_ADVICE)
        if not all(_RATIO.fullmatch(ratio) for ratio in settings.ratios):
            raise StudyError(f"settings of a trial are damaged (ratios {settings.ratios}); {_ADVICE}")
        return settings

    def differences(self, other: TrialSettings) -> list[str]:
        """Each setting that differs, as 'name: this -> other'."""
        return changes(flatten(self.to_dict()), flatten(other.to_dict()))


def guard(folder: Path, settings: TrialSettings, seeds: int) -> tuple[int, ...]:
    """Write the settings of a new trial, or refuse others; the numbers of seeds that were asked for, this one last.

    A trial never loses seeds: fewer than before mean as many as before. StudyError for other settings.
    """

    def written(folder: Path) -> TrialSettings:
        return TrialSettings.from_dict(read_json(folder / FILE, dict[str, Any], advice=_ADVICE))

    kept_settings(folder / FILE, settings, written, another="--out DIR")
    record = folder / SEEDS_FILE
    before = read_json(record, tuple[bounds.Networks, ...], advice=_ADVICE) if record.exists() else ()
    asked = before if before and seeds <= before[-1] else (*before, seeds)
    if asked != before:
        write_text(record, (json.dumps(asked) + "\n"))
    return asked
