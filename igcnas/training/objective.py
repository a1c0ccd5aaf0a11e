"""The loss of a network with learned grouping: that of the task, and what keeps the grouping to its plan."""

from __future__ import annotations

import torch
from torch import nn

from igcnas.cost import layer_cost
from igcnas.layers.learned import LearnedModule
from igcnas.plan import Plan
from igcnas.primitives import Convolution
from igcnas.settings import GroupingRules


class GroupingObjective:
    """Adds to a loss what learned groupings need; for a network without them it is the identity.

    hinge (MSGC, section IV): weight * (spent - allowed) while spent >= allowed, where spent are the MACs of this batch
    over those of the same network with dense convolutions, and allowed falls from 1 to the planned share.
    ratio (DGConv, equation 9): the loss times (connections / planned) ** exponent while there are more than planned.
    Its connections are those of the layers with Kronecker gates; rules.ratio_of may weigh them by what they cost.
    """

    def __init__(self, network: nn.Module, network_plan: Plan, rules: GroupingRules) -> None:
        self.rules = rules
        self.modules = [module for module in network.modules() if isinstance(module, LearnedModule)]
        for module in self.modules:
            module.configure(rules)
        by_name = dict(network.named_modules())
        found = [(layer, by_name[name]) for name, layer in network_plan.layers() if isinstance(layer, Convolution)]
        learned = [(layer, module) for layer, module in found if isinstance(module, LearnedModule)]
        self.hinged = [(_dense_macs(layer), module) for layer, module in learned if module.budgeted == "hinge"]
        self.ratio = [
            (_dense_macs(layer), _planned_macs(layer), module)
            if rules.ratio_of == "macs"
            else (layer.in_channels * layer.out_channels, layer.connections, module)
            for layer, module in learned
            if module.budgeted == "ratio"
        ]
        planned = sum(layer_cost(layer).macs for _, layer in network_plan.layers())
        dense_hinged = sum(macs for macs, _ in self.hinged)
        planned_hinged = sum(_planned_macs(layer) for layer, module in learned if module.budgeted == "hinge")
        self.fixed_macs = planned - planned_hinged
        self.full_macs = self.fixed_macs + dense_hinged
        self.planned_share = planned / self.full_macs if self.full_macs else 1.0
        self.progress = 0.0

    def begin_step(self, progress: float) -> None:
        """Before each training step; progress is the share of training that is done, in [0, 1)."""
        self.progress = progress
        for module in self.modules:
            module.begin_step(progress)

    def finish(self) -> None:
        """After the last training step, before its network is judged."""
        for module in self.modules:
            module.finish()

    def __call__(self, loss: torch.Tensor) -> torch.Tensor:
        """The loss to minimise; call it after the forward pass of the step."""
        for module in self.modules:
            penalty = module.penalty()
            if penalty is not None:
                loss = loss + penalty
        if self.ratio:
            loss = loss * self._ratio_factor()
        if self.hinged:
            loss = loss + self._hinge()
        return loss

    def allowed_share(self) -> float:
        """MACs that the hinge allows now, over those of the dense network."""
        done = min(1.0, self.progress / self.rules.ramp_until) if self.rules.ramp_until else 1.0
        return 1.0 + done * (self.planned_share - 1.0)

    def _hinge(self) -> torch.Tensor:
        spent = sum(macs * _share(module) for macs, module in self.hinged)
        excess = (spent + self.fixed_macs) / self.full_macs - self.allowed_share()
        return self.rules.hinge_weight * excess.clamp_min(0.0)  # type: ignore[union-attr]

    def _ratio_factor(self) -> torch.Tensor:
        connections = sum(pairs * _share(module) for pairs, _, module in self.ratio)
        planned = sum(planned for _, planned, _ in self.ratio)
        return (connections / planned).clamp_min(1.0) ** self.rules.ratio_exponent  # type: ignore[union-attr]


def deciding_parameters(network: nn.Module) -> list[nn.Parameter]:
    """Parameters that decide groups: they take no weight decay, and may have a learning rate of their own."""
    return [
        parameter
        for module in network.modules()
        if isinstance(module, LearnedModule)
        for name, parameter in module.named_parameters()
        if name.split(".")[0] in module.decides
    ]


def _share(module: LearnedModule) -> torch.Tensor:
    share = module.share()
    assert share is not None, f"{type(module).__name__} is budgeted and must know its share"
    return share


def _positions(layer: Convolution) -> int:
    return layer.kernel * layer.kernel * layer.out_size[0] * layer.out_size[1]


def _dense_macs(layer: Convolution) -> int:
    return layer.in_channels * layer.out_channels * _positions(layer)


def _planned_macs(layer: Convolution) -> int:
    return layer.connections * _positions(layer)
