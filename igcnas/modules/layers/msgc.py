"""Middle spectrum grouped convolution while it trains (Su et al., TNNLS 2024, arXiv:2304.06305, section III).

In training a mask is a sample of a binary Gumbel-softmax: logistic noise on the logits, rounded forwards, smooth
backwards. In evaluation it is the sign of the logits. The noise of a step follows from a seed, drawn once when the
layer is made, and from the progress that `begin_step` was told, so that a training taken up at a step sees the same.
Where a step may be captured (`place_numbers`) the noise is of the default generator of the device instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from igcnas.modules.layers.gated import GatedConv, gated_arguments
from igcnas.modules.layers.learned import MeasuredModule
from igcnas.modules.layers.numbers import StepNumber
from igcnas.modules.layers.precision import wide
from igcnas.network.primitives import Convolution

_MASK_BIAS = 2.0  # nearly every channel is kept when training starts
_EPSILON = 1e-8


class MultiSpectralConv(MeasuredModule, GatedConv):
    """A convolution whose masks are learned. Input (B, in, H, W) and (B, context), output (B, out, H', W').

    The attention generator is trained like any weight, the mask generator decides.
    """

    decides = ("mask_generator",)
    remembers = ("kept",)
    budgeted = "hinge"
    frozen = GatedConv

    def __init__(self, layer: Convolution) -> None:
        super().__init__(**gated_arguments(layer))
        self.register_buffer("measured", torch.zeros(3, dtype=torch.int64))
        self.kept: torch.Tensor | None = None
        self.seed = int(torch.randint(2**62, (), device="cpu"))
        self.scale, self.placed = StepNumber(1.0), False
        self.begin_step(0.0)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He normal; masks start at logit 2 plus what the weights add, attention at exactly 1."""
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        last = _initialise(self.mask_generator)
        nn.init.constant_(last.bias, _MASK_BIAS)
        if self.attention_generator is not None:
            last = _initialise(self.attention_generator)
            nn.init.zeros_(last.weight)
            nn.init.ones_(last.bias)

    def place_numbers(self, device: torch.device) -> None:
        """The scale of the noise lies on the device, and the noise is drawn there."""
        self.placed = True
        self.scale.place(device)

    def begin_step(self, progress: float) -> None:
        """The noise depends on the progress, and on the number of the forward pass within the step."""
        self.progress, self.passes = progress, 0
        self.scale.set(self.noise_scale())

    def settles(self) -> float:
        """When the hinge has come down to the planned share."""
        return self.rules.ramp_until

    def mask(self, context_BC: torch.Tensor) -> torch.Tensor:
        """(B, heads * in), exactly 0 or 1; in training a sample with the gradient of its sigmoid."""
        with torch.autocast(context_BC.device.type, enabled=False):
            return self.decide(self.mask_generator(wide(context_BC)))

    def decide(self, logits: torch.Tensor) -> torch.Tensor:
        """The mask, which is remembered."""
        if self.training:
            soft = torch.sigmoid((logits + self._noise(logits)) / self.rules.gumbel_temperature)
            # soft minus itself is exactly 0: the mask is exactly binary, and its gradient is that of soft.
            mask = (soft >= 0.5).to(soft.dtype) + (soft - soft.detach())
        else:
            mask = super().decide(logits)
        self.kept = mask.reshape(len(mask), self.heads, -1)
        return mask

    def _noise(self, logits: torch.Tensor) -> torch.Tensor:
        """Logistic noise, of the shape of the logits."""
        uniform = torch.rand_like(logits) if self.placed else self._drawn(logits)
        return self.scale.on(logits.device) * (torch.log(uniform + _EPSILON) - torch.log(1 - uniform + _EPSILON))

    def _drawn(self, logits: torch.Tensor) -> torch.Tensor:
        """Uniform numbers of the shape of the logits, by the seed of this pass."""
        digest = hashlib.sha256(f"{self.seed}/{self.progress!r}/{self.passes}".encode()).digest()
        self.passes += 1
        generator = torch.Generator(logits.device).manual_seed(int.from_bytes(digest[:6], "big"))
        return draw(logits.shape, generator)

    def noise_scale(self) -> float:
        """What the noise is multiplied by at this progress: 1, and after the ramp less and less where so ruled.

        A logit just above 0 keeps its channel half of the time in training and always in evaluation, so the hinge is
        content with masks that cost too much. Without noise in the end both are one. On the digits (20 epochs, basic,
        bottleneck and inverted blocks, 5 seeds each) 12 of 15 networks kept their plan with noise_end = 0 and 7 with 1,
        the worst took 1.10 and 1.17 times its plan, and the mean accuracy was 90.1 and 89.2 %.
        """
        ramp = self.rules.ramp_until
        late = max(0.0, (self.progress - ramp) / (1 - ramp)) if ramp < 1 else 0.0
        return 1.0 - late * (1.0 - self.rules.noise_end)

    def last_masks(self) -> torch.Tensor:
        """Masks of the last forward pass, (B, heads, in)."""
        assert self.kept is not None, "masks are known after a forward pass"
        return self.kept

    def choices(self, *inputs: torch.Tensor) -> torch.Tensor:
        """By the context."""
        self.mask(inputs[1])
        return self.last_masks()

    def gates_by(
        self, context_BC: torch.Tensor, generate: Callable[[nn.Sequential, torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """As `gates`, by the device's generators."""
        gates = self.decide(generate(self.mask_generator, context_BC))
        if self.attention_generator is not None:
            gates = gates * generate(self.attention_generator, context_BC)
        return gates

    def bar(self) -> torch.Tensor:
        """The biases of the last layer of the mask generator."""
        last = list(self.mask_generator.children())[-1]
        assert isinstance(last, nn.Linear)
        return last.bias

    def open_gates(self) -> None:
        """No attention, and every mask 1."""
        channels = self.heads * self.weight.shape[1]
        self.attention_generator = None
        self.mask = lambda context: context.new_ones(len(context), channels)  # type: ignore

    def share(self) -> torch.Tensor:
        """Mean of the masks of the last forward pass: every channel of every head costs the same."""
        return self.last_masks().mean()

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles leave out the masks of the last pass, which hang on its graph."""
        return {**self.__dict__, "kept": None}


def _initialise(generator: nn.Sequential) -> nn.Linear:
    """He normal in the sense of fan-out, as in the authors' code; returns the last layer."""
    linears = [module for module in generator if isinstance(module, nn.Linear)]
    for linear in linears:
        nn.init.kaiming_normal_(linear.weight, mode="fan_out", nonlinearity="relu")
    return linears[-1]


def draw(shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Uniform numbers for this process's images (rows): of one draw for all images, process r has the r-th equal part.

    So several processes that share a batch see the noise that one process with the whole batch would see.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return torch.rand(shape, generator=generator, device=generator.device)
    world, rank = torch.distributed.get_world_size(), torch.distributed.get_rank()
    whole = torch.rand((shape[0] * world, *shape[1:]), generator=generator, device=generator.device)
    return whole[rank * shape[0] : (rank + 1) * shape[0]]
