"""How every network of a study is trained. Part of the study's fingerprint; no torch here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from igcnas.errors import IgcnasError


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Nesterov SGD with linear warm-up and the learning rate annealed to zero along a cosine over all epochs.

    A short complete schedule ranks networks better than the start of a long one (NAS-Bench-101 and -201 train so).
    The learning rate is high because the schedule is short and the networks are narrow; clipping the norm of the
    gradient keeps the deep ones from diverging. seed also fixes the split into training and validation.
    """

    epochs: int
    batch_size: int = 64
    learning_rate: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    gradient_clip: float = 1.0
    label_smoothing: float = 0.1
    warmup: float = 0.1
    validation_fraction: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise IgcnasError(f"{name} must be at least 1, but is {getattr(self, name)}")
        if not 0 < self.validation_fraction < 1:
            raise IgcnasError(f"validation_fraction must be between 0 and 1, but is {self.validation_fraction}")

    def network_seed(self, architecture_id: str) -> int:
        """Seed of one network's training: from (seed, architecture), so that it depends on nothing else."""
        digest = hashlib.sha256(f"{self.seed}/{architecture_id}".encode()).digest()
        return int.from_bytes(digest[:6], "big")
