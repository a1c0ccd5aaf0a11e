"""How training decides groups: the numbers that kinds of learned grouping ask for."""

from __future__ import annotations

from dataclasses import dataclass

from igcnas.errors import IgcnasError, unknown_name

GRADIENTS = ("full", "masked")
RATIOS = ("connections", "macs")
HINGES = ("macs", "msgc")


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
