"""Fully learnable group convolution: a 1x1 convolution whose mask is the product of two learned one-hot assignments.

Wang et al., CVPR 2019 (arXiv:1904.00346), section 3: S (input channels x G) and T (filters x G) are logits; a row
softmax, its one-hot in the forward pass, the softmax in the backward pass; weight (o, i) lives iff both have one group.
The groups are a function of the logits alone, so that a stored network has them whatever rules it was trained by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from igcnas.modules.layers.learned import FILTERS, INPUTS, MaskedConv, Side, grouping_of, straight_through
from igcnas.modules.layers.numbers import StepNumber
from igcnas.modules.layers.precision import wide
from igcnas.modules.replacement import Replacement, lower_groups
from igcnas.network.grouping import LearnedGrouping
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.primitives import Convolution


def assign(logits: torch.Tensor, *, sizes: Sequence[int] | None = None, nonempty: bool = False) -> torch.Tensor:
    """Group of each row of a (channels, groups) matrix; int64 of shape (channels,).

    Ties go to the first group, and among rows to the first row. No exponential is taken, so that devices agree.
    Free: the largest entry of each row. `nonempty`: each group without a row then takes, of the groups that have two or
    more, the row that loses least. `sizes`: group g gets sizes[g] rows. Groups choose in turn the rows that prefer them
    by the largest margin over the groups that have not chosen; where the free groups have these sizes, the result is
    the same.
    """
    if sizes is None:
        free = logits.argmax(1)
        return _fill(logits, free) if nonempty else free
    channels, groups = logits.shape
    result = torch.full((channels,), groups - 1, device=logits.device)
    taken = torch.zeros(channels, dtype=torch.bool, device=logits.device)
    for group in range(groups - 1):
        margin = logits[:, group] - logits[:, group + 1 :].amax(1)
        chosen = margin.masked_fill(taken, -torch.inf).sort(descending=True, stable=True).indices[: sizes[group]]
        # Not `result[chosen] = group`, which would carry a number from the host to the device, and wait for it.
        result.index_fill_(0, chosen, group)
        taken.index_fill_(0, chosen, True)
    return result


def _fill(logits: torch.Tensor, assignment: torch.Tensor) -> torch.Tensor:
    """Give each empty group one row; without asking the device how many there are."""
    groups = logits.shape[1]
    loss = logits.gather(1, assignment[:, None]) - logits
    for group in range(groups):
        members = _one_hot(assignment, groups).sum(0)
        spare = (members >= 2)[assignment]
        # A stable sort, because argmin does not promise the first of equals.
        row = loss[:, group].masked_fill(~spare, torch.inf).sort(stable=True).indices[:1]
        assignment = assignment.scatter(0, row, torch.where(members[group] == 0, group, assignment[row]))
    return assignment


def _one_hot(assignment: torch.Tensor, groups: int) -> torch.Tensor:
    """(channels, groups), bool. torch's own reads the largest number back from some devices."""
    return assignment[:, None] == torch.arange(groups, device=assignment.device)


class FullyLearnableGroupConv(MaskedConv):
    """1x1 convolution with learned grouping. Input (B, in, H, W), output (B, out, H', W')."""

    decides = ("in_logits", "out_logits")

    def __init__(self, layer: Convolution) -> None:
        super().__init__()
        self.stride = layer.stride
        self.grouping = grouping_of(layer, LearnedGrouping)
        self.temperature = StepNumber(self.rules.temperature_start)
        self.weight = nn.Parameter(torch.empty(layer.out_channels, layer.in_channels, 1, 1))
        self.in_logits = nn.Parameter(torch.empty(layer.in_channels, self.grouping.groups))
        self.out_logits = nn.Parameter(torch.empty(layer.out_channels, self.grouping.groups))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He normal for the fan-in that survives the mask; assignments start from N(0, 1), as published."""
        fan_in = max(1.0, self.weight.shape[1] / self.grouping.groups)
        nn.init.normal_(self.weight, std=(2.0 / fan_in) ** 0.5)
        nn.init.normal_(self.in_logits)
        nn.init.normal_(self.out_logits)

    def configure(self, rules: GroupingRules) -> None:
        """Take the gradient rule and the first temperature."""
        super().configure(rules)
        self.temperature.set(rules.temperature_start)

    def begin_step(self, progress: float) -> None:
        """The temperature goes geometrically from start to end. It shapes the gradient, never the groups."""
        start, end = self.rules.temperature_start, self.rules.temperature_end
        self.temperature.set(start * (end / start) ** progress)

    def place_numbers(self, device: torch.device) -> None:
        """The temperature lies on the device."""
        self.temperature.place(device)

    def assignments(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Group of each input channel (in,) and of each filter (out,)."""
        return self._groups(self.in_logits), self._groups(self.out_logits)

    def lowered(self, layer: Convolution, names: set[str]) -> Replacement:
        """One group convolution where the groups are equal in size, else a split one, with gathers around it."""
        in_groups, out_groups = (groups.tolist() for groups in self.assignments())
        return lower_groups(layer, self.weight.detach(), in_groups, out_groups, names)

    def sides(self) -> Iterator[Side]:
        """The groups of the inputs, and of the filters."""
        for what, assignment in zip((INPUTS, FILTERS), self.assignments(), strict=True):
            sizes = torch.bincount(assignment, minlength=self.grouping.groups)
            yield Side(what, tuple(sizes.tolist()), tuple(assignment.tolist()))

    def mask(self) -> torch.Tensor:
        """(out, in) matrix of zeros and ones in float32 or wider, with the gradient of the softmaxes."""
        with torch.autocast(self.weight.device.type, enabled=False):  # its gradient is summed over all pixels
            return self._one_hot(self.out_logits) @ self._one_hot(self.in_logits).T

    def _groups(self, logits: torch.Tensor) -> torch.Tensor:
        sizes = self.grouping.sizes(len(logits))
        return assign(wide(logits.detach()), sizes=sizes, nonempty=self.grouping.nonempty)

    def _one_hot(self, logits: torch.Tensor) -> torch.Tensor:
        soft = (wide(logits) / self.temperature.on(logits.device)).softmax(1)
        hard = _one_hot(self._groups(logits), self.grouping.groups).to(soft.dtype)
        return straight_through(soft, hard, only_chosen=self.rules.gradient == "masked")
