"""How every network of a study is trained. Part of the study's fingerprint; no torch here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from igcnas import bounds
from igcnas.checks import shown
from igcnas.errors import IgcnasError, unknown_name
from igcnas.reading import as_kind

GRADIENTS = ("full", "masked")
RATIOS = ("connections", "macs")
HINGES = ("macs", "msgc")
ENGINES = ("fast", "eager")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupingRules:
    """How training decides groups; each field belongs to the kinds of grouping that it names.

    All: learning_rate, of the parameters that decide, as a multiple of that of the weights.
    flgc: gradient of the assignment, 'full' as in the paper or 'masked' to the chosen entry as in a released code; the
    softmax temperature goes geometrically from temperature_start to temperature_end.
    condensing: the stages are spread over the share condense_until of training; group_lasso weighs the sum over
    channels and groups of the norms of weights, until the last stage.
    msgc: hinge_weight on the share of the MACs beyond the allowance, which falls linearly from all to what was planned
    over the share ramp_until of training; hinge_of 'msgc' counts as the authors' counter does, which adds activations,
    pooled elements and attention's products to the 'macs'; gumbel_temperature of the binary gates; their noise falls
    linearly from all to the share noise_end between ramp_until and the end of training (1: as in the authors' code).
    dgconv: the loss is multiplied by (connections / planned)^ratio_exponent while there are more than planned;
    ratio_of 'macs' weighs each layer's connections by its kernel area and pixels, where the paper counts 'connections'.
    gate_scale is the size of the gates at the start, against the learning rate.
    dgc: saliency_weight on the mean saliencies; channels are dropped between dgc_from and dgc_until of training.
    """

    learning_rate: float = 1.0
    gradient: str = "full"
    temperature_start: float = 1.0
    temperature_end: float = 1.0
    condense_until: float = 0.5
    group_lasso: float = 0.0
    hinge_weight: float = 30.0
    hinge_of: str = "macs"
    ramp_until: float = 0.5
    gumbel_temperature: float = 2 / 3
    noise_end: float = 1.0
    ratio_exponent: float = 0.02
    ratio_of: str = "connections"
    gate_scale: float = 1e-8
    saliency_weight: float = 1e-5
    dgc_from: float = 1 / 12
    dgc_until: float = 3 / 4

    def __post_init__(self) -> None:
        if self.gradient not in GRADIENTS:
            raise IgcnasError(unknown_name("gradient rule", self.gradient, GRADIENTS))
        if self.ratio_of not in RATIOS:
            raise IgcnasError(unknown_name("ratio_of", self.ratio_of, RATIOS))
        if self.hinge_of not in HINGES:
            raise IgcnasError(unknown_name("hinge_of", self.hinge_of, HINGES))
        for name in ("temperature_start", "temperature_end", "gumbel_temperature", "gate_scale"):
            if not getattr(self, name) > 0:
                raise IgcnasError(f"{name} must be positive, but is {getattr(self, name)}")
        if not 0 <= self.noise_end <= 1:
            raise IgcnasError(f"noise_end is a share of the noise, in [0, 1], but is {self.noise_end}")
        for name in ("condense_until", "ramp_until", "dgc_from", "dgc_until"):
            if not 0 <= getattr(self, name) <= 1:
                raise IgcnasError(f"{name} is a share of training, in [0, 1], but is {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Nesterov SGD with linear warm-up and the learning rate annealed to zero along a cosine over all epochs.

    A short complete schedule ranks networks better than the start of a long one (NAS-Bench-101 and -201 train so).
    The learning rate is high because the schedule is short and the networks are narrow; clipping the norm of the
    gradient keeps the deep ones from diverging. seed also fixes the split into training and validation. engine: 'fast',
    or 'eager' for stock PyTorch; they round differently, so a study keeps to one.
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
    grouping: GroupingRules = GroupingRules()
    engine: str = "fast"

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
