"""What is asked of a layer whose connections training decides: by training, lowering, drawing, and the CPU engine.

Nothing outside this package tests which kind of layer it has: a question that one kind answers otherwise than the
others is a method here, with an answer that is right for a kind that does not say.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

import torch
from torch import nn
from torch.nn import functional

from igcnas.errors import ExportError
from igcnas.modules.replacement import Replacement, lower_mask
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.primitives import Convolution, GatedConvolution
from igcnas.network.upstream import positions

INPUTS, FILTERS, GATES, KEPT = "inputs", "filters", "gates", "kept inputs"
_Kind = TypeVar("_Kind")


class Side(NamedTuple):
    """What can be followed of one side of a layer while it trains.

    what: INPUTS, FILTERS, GATES or KEPT. sizes: members of each group, gates that are on, or inputs that each keeps.
    assignment: the group of each input or filter; 1 for a gate that is on, or for an input that a group keeps.
    """

    what: str
    sizes: tuple[int, ...]
    assignment: tuple[int, ...]


class LearnedModule(nn.Module):
    """A layer that learns who meets whom; the defaults are those of a layer without penalty and schedule.

    decides: names of its own parameters, or of submodules, that decide: no weight decay, a learning rate of their own.
    budgeted: how training keeps its connections to what was planned: 'hinge' adds the excess of the whole network to
    the loss, 'ratio' multiplies the loss by a power of it (igcnas/training/grouping_loss.py), None needs nothing.
    remembers: attributes that keep a tensor of the last forward pass, with its graph, for the share or the penalty.
    linear: whether its weight is that of a linear layer. frozen: the class of what stays after training where each
    image chooses; it stands in an exported model.py, so it needs torch alone.
    """

    decides: ClassVar[tuple[str, ...]] = ()
    remembers: ClassVar[tuple[str, ...]] = ()
    linear: ClassVar[bool] = False
    frozen: ClassVar[type[nn.Module] | None] = None
    budgeted: Literal["hinge", "ratio"] | None = None
    rules: GroupingRules = GroupingRules()

    def configure(self, rules: GroupingRules) -> None:
        """Take the rules of this training."""
        self.rules = rules

    def begin_step(self, progress: float) -> None:
        """Called before each training step with the share of training that is done, in [0, 1)."""

    def place_numbers(self, device: torch.device) -> None:
        """From now on what the host changes from step to step lies in tensors on this device.

        Random numbers come from the default generator of the device then, whose seed the training sets before each
        step. So every step is the same operations on the same addresses, and can be captured in a CUDA graph.
        """

    def settles(self) -> float:
        """Share of training from which on its schedule aims at what was planned: before, accuracies compare nothing."""
        return 0.0

    def finish(self) -> None:
        """Called after the last training step: what the schedule still owes is done now."""

    def share(self) -> torch.Tensor | None:
        """Connections of the last forward pass over those of a dense convolution, differentiable; None if planned."""
        return None

    def penalty(self) -> torch.Tensor | None:
        """A term to add to the loss, with its weight; None for none."""
        return None

    def lowered(self, layer: Any, names: set[str]) -> Replacement:
        """Plain layers that compute what this one has learned; layer: of the plan, names: those of its neighbours."""
        raise ExportError(f"layer {layer.name}: a {type(self).__name__} does not say what stands for it after training")

    def sides(self) -> Iterator[Side]:
        """What training decides for all images alike, as it is now; nothing where each image decides."""
        yield from ()

    def filters_at_start(self) -> int:
        """Filters that its authors' layer has, for first weights that go by the fan-out."""
        return len(self.get_parameter("weight"))

    def connections(self) -> torch.Tensor | None:
        """(out, in) matrix of zeros and ones, who meets whom now; None where each image decides, or it is not known."""
        return None


class MaskedConv(LearnedModule, ABC):
    """A dense convolution with a masked weight. Input (B, in, H, W), output (B, out, H', W').

    The CPU engine trains it by `masked_weight`, whatever makes the mask.
    """

    weight: torch.nn.Parameter
    stride: int

    @abstractmethod
    def mask(self) -> torch.Tensor:
        """(out, in) matrix of zeros and ones."""

    def masked_weight(self) -> torch.Tensor:
        """The weight that convolves, (out, in, k, k), with the gradients of weight and mask."""
        return self.weight * self.mask()[:, :, None, None].to(self.weight.dtype)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Convolve with the masked weight."""
        weight = self.masked_weight().to(x_BCHW.dtype)
        return functional.conv2d(x_BCHW, weight, stride=self.stride, padding=weight.shape[2] // 2)

    def connections(self) -> torch.Tensor:
        """The mask."""
        return self.mask()

    def lowered(self, layer: Convolution, names: set[str]) -> Replacement:
        """Filters that read the same inputs are a group."""
        return lower_mask(layer, self.weight.detach(), self.mask().detach(), names)

    def sides(self) -> Iterator[Side]:
        """The inputs that each filter keeps."""
        mask = self.mask().detach().int()
        yield Side(KEPT, tuple(mask.sum(1).tolist()), tuple(mask.flatten().tolist()))


class GatedModule(LearnedModule):
    """A convolution that multiplies its input by gates which each image sets: head h makes its share of the outputs.

    It has `heads`, `weight` and `gates(context)`, (B, heads * in), where the context is a mean over pixels: of its own
    input if `reads_own_input`, else of the enclosing Gated sequence, which its forward is then given, too. The CPU
    engine trains it by these.

    gates_in_onnx: of a kind of another package, a static method that adds to an ONNX graph what makes the gates, and
    returns their name: of the graph (igcnas.export.onnx.graph.Graph), the layer, its path, and the name of the context.
    """

    heads: int
    weight: nn.Parameter
    reads_own_input: ClassVar[bool] = True
    gates_in_onnx: ClassVar[Callable[[Any, GatedConvolution, str, str], str] | None] = None

    def gates_by(
        self, context_BC: torch.Tensor, generate: Callable[[nn.Sequential, torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """As `gates` in training; `generate`: the device's way to run a generator, for a kind that has such."""
        gates: torch.Tensor = self.gates(context_BC)  # type: ignore[operator]
        return gates

    def choices(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Ones where a head keeps an input of an image: (B, heads, in), in evaluation mode; inputs: of its forward."""
        raise NotImplementedError(f"{type(self).__name__} does not say what an image chose")

    def open_gates(self) -> None:
        """From now on every gate is 1."""
        raise NotImplementedError(f"{type(self).__name__} has gates that cannot all be 1")

    def mean_macs(self, layer: Convolution) -> int:
        """Multiply-accumulates of the convolution for an average image: as planned."""
        return layer.connections * positions(layer)

    def lowered(self, layer: Convolution, names: set[str]) -> Replacement:
        """The same weights and generators in a layer without training."""
        assert layer.learned is not None
        gated = GatedConvolution(
            layer.name,
            layer.in_channels,
            layer.out_channels,
            layer.kernel,
            layer.stride,
            layer.in_size,
            layer.learned,
            layer.context_channels,
            self.mean_macs(layer),
        )
        tensors = {f"{layer.name}.{name}": t.detach() for name, t in self.state_dict().items() if name != "measured"}
        return Replacement((gated,), tensors, {})


class MeasuredModule(GatedModule):
    """One whose images choose by the mean of the block's input, so that what they chose can be measured beforehand.

    Buffer `measured`, int64 (3,): images that were measured, and over these the sums of the channel pairs that met and
    of the input channels that some head read; all 0 before (igcnas/training/measuring.py).
    """

    reads_own_input: ClassVar[bool] = False

    def last_masks(self) -> torch.Tensor:
        """Masks of the last forward pass, (B, heads, in)."""
        raise NotImplementedError(f"{type(self).__name__} does not keep its masks")

    def bar(self) -> torch.Tensor:
        """Biases of the logits that keep a channel where they are at least 0: who lowers them keeps fewer."""
        raise NotImplementedError(f"{type(self).__name__} has no logits")

    def measurement(self) -> tuple[int, int, int]:
        """The buffer."""
        images, pairs, read = self.get_buffer("measured").tolist()
        return images, pairs, read

    def mean_macs(self, layer: Convolution) -> int:
        """The mean over the measured images; as planned before."""
        images, pairs, _ = self.measurement()
        return -(-pairs * positions(layer) // images) if images else super().mean_macs(layer)


def grouping_of(layer: Convolution, kind: type[_Kind]) -> _Kind:
    """The grouping of a layer, which must be of this kind."""
    if not isinstance(layer.learned, kind):
        raise TypeError(f"layer {layer.name} is no {kind.__name__} but {layer.learned!r}")
    return layer.learned


def straight_through(soft: torch.Tensor, hard: torch.Tensor, *, only_chosen: bool = False) -> torch.Tensor:
    """`hard`, with its gradient passed to `soft`; `only_chosen` passes it only where `hard` is one.

    The usual `hard + soft - soft.detach()` is exact only up to rounding; a mask must be exactly 0 or 1.
    """
    return _StraightThrough.apply(soft, hard, only_chosen)  # type: ignore[no-any-return, no-untyped-call]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, _soft: torch.Tensor, hard: torch.Tensor, only: bool
    ) -> torch.Tensor:
        if only:
            ctx.save_for_backward(hard)
        return hard

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        saved: tuple[torch.Tensor, ...] = ctx.saved_tensors  # type: ignore[attr-defined]
        return (grad * saved[0] if saved else grad), None, None
