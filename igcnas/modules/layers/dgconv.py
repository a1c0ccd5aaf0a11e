"""Groupable convolution: the mask is the Kronecker product of K two by two factors, each chosen by a learned gate.

Zhang et al., ICCV 2019 (arXiv:1908.05867), section 3. Gate on: ones; gate off: the identity. The first gate is the most
significant bit of the channel number: two channels meet iff they agree in the bits of all gates that are off.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from igcnas.modules.layers.learned import GATES, MaskedConv, Side, grouping_of, straight_through
from igcnas.modules.layers.precision import wide
from igcnas.modules.replacement import Replacement, lower_groups
from igcnas.network.grouping import KroneckerGrouping
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.primitives import Convolution


class GroupableConv(MaskedConv):
    """Convolution of 2^K to 2^K channels with K gates. Input (B, C, H, W), output (B, C, H', W').

    Free, as published: a gate is on iff its parameter is positive, and the objective keeps the connections of all
    layers to the plan. Balanced: the s largest gates are on, the first of equal ones, so that there are 2^(K - s)
    groups. `gate_scale` is stored because the rule that sets it must act once, and not again on a resumed training.
    """

    decides = ("gates",)

    def __init__(self, layer: Convolution) -> None:
        super().__init__()
        self.grouping = grouping_of(layer, KroneckerGrouping)
        self.stride = layer.stride
        bits = layer.in_channels.bit_length() - 1
        self.num_on = bits - (self.grouping.groups.bit_length() - 1)
        if not self.grouping.balanced:
            self.budgeted = "ratio"
        self.weight = nn.Parameter(torch.empty(layer.out_channels, layer.in_channels, layer.kernel, layer.kernel))
        self.gates = nn.Parameter(torch.empty(bits))
        self.register_buffer("gate_scale", torch.tensor(self.rules.gate_scale))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He normal for the planned fan-in. Gates: a random sign; where they are ranked, a random size, too."""
        fan_in = self.weight[0].numel() / self.grouping.groups
        nn.init.normal_(self.weight, std=(2.0 / fan_in) ** 0.5)
        with torch.no_grad():
            self.gates.normal_()
            if not self.grouping.balanced:
                self.gates.copy_(torch.where(self.gates > 0, 1.0, -1.0))
            self.gates.mul_(self.get_buffer("gate_scale"))

    def configure(self, rules: GroupingRules) -> None:
        """Bring the gates to the size of the rule: the smaller, the sooner the first gradients decide."""
        super().configure(rules)
        scale = self.get_buffer("gate_scale")
        if scale.item() != scale.new_tensor(rules.gate_scale).item():
            with torch.no_grad():
                self.gates.mul_(rules.gate_scale / scale)
                scale.fill_(rules.gate_scale)

    def gates_on(self) -> torch.Tensor:
        """Which gates are on: (K,) of zeros and ones in float32 or wider, with the gradient of the parameters."""
        gates = wide(self.gates)
        if self.grouping.balanced:
            order = gates.detach().sort(descending=True, stable=True).indices
            hard = torch.zeros_like(gates).index_fill(0, order[: self.num_on], 1.0)
        else:
            hard = (gates.detach() > 0).to(gates.dtype)
        return straight_through(gates, hard)

    def mask(self) -> torch.Tensor:
        """(C, C) matrix of zeros and ones: the Kronecker product of the factors."""
        on = self.gates_on()
        same = torch.eye(2, device=on.device, dtype=on.dtype)
        mask = torch.ones(1, 1, device=on.device, dtype=on.dtype)
        for gate in on:
            mask = torch.kron(mask, same + gate * (1.0 - same))
        return mask

    def groups(self) -> list[int]:
        """Group of each channel: the number that the bits of the gates that are off spell."""
        off = [bit for bit, gate in enumerate(reversed(self.gates_on().tolist())) if gate == 0.0]  # from the last bit
        return [sum((channel >> bit & 1) << n for n, bit in enumerate(off)) for channel in range(len(self.weight))]

    def lowered(self, layer: Convolution, names: set[str]) -> Replacement:
        """Bits of the gates that are off come first, which makes groups contiguous; both gathers vanish if they do."""
        groups = self.groups()
        return lower_groups(layer, self.weight.detach(), groups, groups, names)

    def sides(self) -> Iterator[Side]:
        """The gates that are on."""
        on = tuple(int(gate) for gate in self.gates_on().tolist())
        yield Side(GATES, (sum(on),), on)

    def share(self) -> torch.Tensor | None:
        """Connections over C^2, as 2^(sum of gates - K); None where they are exactly as planned.

        For zeros and ones this is the product of (1 + gate) / 2 of the paper, but the slope in every gate is then ln 2
        times the share, as in the released code, whether the gate is on or off.
        """
        if self.grouping.balanced:
            return None
        on = self.gates_on()
        return torch.exp2(on.sum() - len(on))
