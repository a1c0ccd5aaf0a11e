"""How every network of a study is trained. Part of the study's fingerprint; no torch here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from igcnas.errors import IgcnasError, unknown_name
from igcnas.network.grouping.rules import GroupingRules
from igcnas.system import bounds
from igcnas.system.checks import shown
from igcnas.system.reading import as_kind

ENGINES = ("fast", "eager")
ACCURACY, BALANCED = METRICS = ("accuracy", "balanced-accuracy")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Nesterov SGD with linear warm-up and the learning rate annealed to zero along a cosine over all epochs.

    A short complete schedule ranks networks better than the start of a long one (NAS-Bench-101 and -201 train so).
    The learning rate is high because the schedule is short and the networks are narrow; clipping the norm of the
    gradient keeps the deep ones from diverging. seed also fixes the split into training and validation. engine: 'fast',
    or 'eager' for stock PyTorch; they round differently, so a study keeps to one.

    recipe: a whole Recipe as plain data, which says everything but the epochs, the batch and the learning rate; what
    else stands here is copied from it. None: the short recipe that these numbers mean. `recipes.recipe_for` gives
    either. metric: what is measured on the validation images and selected by, one of METRICS.
    """

    epochs: bounds.Epochs
    batch_size: bounds.Batch = 64
    learning_rate: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    gradient_clip: float = 1.0
    label_smoothing: float = 0.1
    warmup: float = 0.1
    validation_fraction: float = 0.25
    seed: bounds.Seed = 0
    grouping: GroupingRules = GroupingRules()  # noqa: RUF009  frozen
    engine: str = "fast"
    recipe: Mapping[str, Any] | None = None
    metric: str = ACCURACY

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> TrainingSettings:
        """The settings whose `dataclasses.asdict` this is; those from before there were two engines mean 'eager'."""
        return as_kind(with_first_engine(data), TrainingSettings, where="training", advice="restore its file")

    def __post_init__(self) -> None:
        for name, most in (("epochs", bounds.EPOCHS), ("batch_size", bounds.BATCH)):
            if getattr(self, name) < 1:
                raise IgcnasError(f"{name} must be at least 1, but is {shown(getattr(self, name))}")
            if getattr(self, name) > most:
                raise IgcnasError(f"{name} must be at most {most:,}, but is {shown(getattr(self, name))}")
        if self.engine not in ENGINES:
            raise IgcnasError(unknown_name("engine", self.engine, ENGINES))
        if self.metric not in METRICS:
            raise IgcnasError(unknown_name("metric", self.metric, METRICS))
        if not 0 < self.validation_fraction < 1:
            raise IgcnasError(f"validation_fraction must be between 0 and 1, but is {self.validation_fraction}")

    def network_seed(self, architecture_id: str, repeat: int = 0) -> int:
        """Seed of one training of a network: from (seed, architecture, repeat), so that it depends on nothing else."""
        return network_seed(self.seed, architecture_id, repeat)


def with_first_engine(data: Any) -> Any:
    """Plain data of training settings; those from before there were two engines mean 'eager'."""
    return {"engine": "eager", **data} if isinstance(data, Mapping) else data


def network_seed(seed: int, architecture_id: str, repeat: int = 0) -> int:
    """Seed of a training of one network under one seed of the user's; repeat 0 is the first training."""
    again = f"/{repeat}" if repeat else ""
    digest = hashlib.sha256(f"{seed}/{architecture_id}{again}".encode()).digest()
    return int.from_bytes(digest[:6], "big")


def flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level, with dotted names."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            for item in value:
                flat |= flatten(item, f"{prefix}{key}.{item.get('name', '')}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
