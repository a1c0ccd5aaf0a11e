"""Layers that drop inputs in stages during training: learned group convolution, and a linear layer (CondenseNet).

Huang et al., CVPR 2018 (arXiv:1711.09224), section 3. In each of factor - 1 stages every group of filters drops the
whole part of inputs / factor of its inputs: of those that it still has, the ones whose weights have the smallest sum of
absolute values, the first of equal ones. What is dropped, and in how many stages, is in the state dict.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from igcnas.modules.layers.learned import KEPT, LearnedModule, MaskedConv, Side, grouping_of
from igcnas.modules.layers.precision import wide
from igcnas.modules.replacement import Replacement, free, gather
from igcnas.network.grouping import Condensing
from igcnas.network.primitives import Convolution, Layer, Linear, Permutation

_NEVER = -1
_LEAST_SQUARE = 1e-6  # of a norm, in the authors' code: the root has no gradient at zero


class _Condensed(LearnedModule):
    """A weight (out, in, ...); `kept` is (groups, in), one where a group, the rows group::groups, has the input."""

    weight: nn.Parameter

    def __init__(self, inputs: int, groups: int, factor: int) -> None:
        super().__init__()
        self.groups, self.factor, self.drop = groups, factor, inputs // factor
        self.register_buffer("kept", torch.ones(groups, inputs))
        self.register_buffer("stage", torch.zeros((), dtype=torch.int64))
        self._due = _NEVER  # stages at the last step, so that most steps need not ask the device

    def begin_step(self, progress: float) -> None:
        """Stage k of factor - 1 comes at the share condense_until * k / (factor - 1) of training."""
        last = self.factor - 1
        until = self.rules.condense_until
        self._condense(last if progress >= until else int(progress / until * last))

    def settles(self) -> float:
        """After the last stage."""
        return self.rules.condense_until

    def finish(self) -> None:
        """Stages that a very short training did not reach."""
        self._condense(self.factor - 1)

    def _condense(self, due: int) -> None:
        if due == self._due:
            return
        self._due = due
        stage, kept = self.get_buffer("stage"), self.get_buffer("kept")
        with torch.no_grad():
            for _ in range(due - int(stage)):
                importance = self._by_group(wide(self.weight.detach()).abs())
                order = importance.masked_fill(kept == 0, torch.inf).sort(dim=1, stable=True).indices
                kept.scatter_(1, order[:, : self.drop], 0.0)
                stage += 1

    def _by_group(self, values: torch.Tensor) -> torch.Tensor:
        """Sum of (out, in, ...) over the filters of each group: (groups, in)."""
        return values.flatten(1).view(-1, self.groups, self.get_buffer("kept").shape[1]).sum(0)

    def mask(self) -> torch.Tensor:
        """(out, in) matrix of zeros and ones."""
        return self.get_buffer("kept").repeat(len(self.weight) // self.groups, 1)

    def connections(self) -> torch.Tensor:
        """The mask."""
        return self.mask()

    def kept_inputs(self) -> list[list[int]]:
        """For each group the inputs that it has, in ascending order."""
        return [row.nonzero().flatten().tolist() for row in self.get_buffer("kept")]

    def sides(self) -> Iterator[Side]:
        """The inputs that each group keeps."""
        kept = self.get_buffer("kept").int()
        yield Side(KEPT, tuple(kept.sum(1).tolist()), tuple(kept.flatten().tolist()))

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._due = _NEVER


class LearnedGroupConv(_Condensed, MaskedConv):
    """1x1 convolution whose groups condense. Input (B, in, H, W), output (B, out, H', W')."""

    def __init__(self, layer: Convolution) -> None:
        grouping = grouping_of(layer, Condensing)
        super().__init__(layer.in_channels, grouping.groups, grouping.factor)
        self.stride = layer.stride
        self.weight = nn.Parameter(torch.empty(layer.out_channels, layer.in_channels, 1, 1))
        self.reset_parameters()

    def lowered(self, layer: Convolution, names: set[str]) -> Replacement:
        """A gather, in which a channel may stand for several groups or for none, a group convolution, the order back.

        Filter o is of group o % groups. Exact after any stage; before the first one it is a dense convolution. `kept`
        of the assignment: for each group in turn the input channels that it has.
        """
        weight, groups, kept = self.weight.detach(), self.groups, self.kept_inputs()
        assignment = {
            "filters": [o % groups for o in range(layer.out_channels)],
            "kept": [i for inputs in kept for i in inputs],
        }
        plain = layer._replace(learned=None)
        if all(len(inputs) == layer.in_channels for inputs in kept):
            return Replacement((plain,), {f"{layer.name}.weight": weight}, assignment)
        before = gather(free(f"{layer.name}_in", names), assignment["kept"], layer.in_channels)
        after: list[Layer] = []
        if 1 < groups < layer.out_channels:
            after.append(Permutation(free(f"{layer.name}_out", names), layer.out_channels, groups))
        blocks = torch.cat([weight[group::groups][:, inputs] for group, inputs in enumerate(kept)])
        middle = plain._replace(in_channels=len(assignment["kept"]), groups=groups)
        return Replacement((*before, middle, *after), {f"{layer.name}.weight": blocks}, assignment)

    def reset_parameters(self) -> None:
        """He normal for all inputs: none is dropped before the first stage."""
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")

    def penalty(self) -> torch.Tensor | None:
        """Group lasso: over groups and inputs the norms of the masked weights, summed and weighed; later nothing.

        As in the authors' code it ends with stage groups - 1, which is the last one where the factor is the number of
        groups, as in all of their networks; a smaller factor never gets there. Norms below 1e-3 count as that, with no
        gradient, and so do the inputs that were dropped.
        """
        if not self.rules.group_lasso:
            return None
        squares = self._by_group(wide(self.weight).square()) * self.get_buffer("kept")
        norms = squares.clamp_min(_LEAST_SQUARE).sqrt().sum()
        # The device knows the stage; asking it would stop a recorded step.
        return self.rules.group_lasso * norms * (self.get_buffer("stage") < self.groups - 1)


class CondensingLinear(_Condensed):
    """Linear layer that keeps `layer.kept_inputs` of its inputs, for all outputs the same. (B, in) to (B, out).

    In the authors' code the classifier is trained whole and loses half of its inputs when the network is converted;
    here it goes through the same stages as the convolutions, and what is evaluated is what is exported.
    """

    linear = True

    def __init__(self, layer: Linear) -> None:
        super().__init__(layer.in_features, 1, layer.factor)
        self.weight = nn.Parameter(torch.empty(layer.out_features, layer.in_features))
        self.bias = nn.Parameter(torch.zeros(layer.out_features)) if layer.bias else None
        nn.init.normal_(self.weight, std=0.01)

    def forward(self, x_BC: torch.Tensor) -> torch.Tensor:
        """Multiply by the masked weight."""
        weight = self.weight * self.get_buffer("kept").to(self.weight.dtype)
        return functional.linear(x_BC, weight.to(x_BC.dtype), self.bias)

    def lowered(self, layer: Linear, names: set[str]) -> Replacement:
        """A gather and a smaller linear layer."""
        (kept,) = self.kept_inputs()
        state = {f"{layer.name}.weight": self.weight.detach()[:, kept]}
        if self.bias is not None:
            state[f"{layer.name}.bias"] = self.bias.detach()
        before = gather(free(f"{layer.name}_in", names), kept, layer.in_features)
        return Replacement((*before, layer._replace(in_features=len(kept), factor=1)), state, {"kept": kept})
