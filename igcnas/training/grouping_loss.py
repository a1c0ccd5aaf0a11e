"""The loss of a network with learned grouping: that of the task, and what keeps the grouping to its plan."""

from __future__ import annotations

import torch
from torch import nn

from igcnas.modules.layers import LearnedModule, MeasuredModule
from igcnas.modules.layers.gated import connections, used_outputs
from igcnas.modules.layers.numbers import StepNumber
from igcnas.network.cost import layer_cost
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.plan import Plan
from igcnas.network.primitives import Convolution
from igcnas.network.upstream import positions, readers
from igcnas.training.counted import CountedByAuthors


class GroupingLoss:
    """Adds to a loss what learned groupings need; for a network without them it is the identity.

    hinge (MSGC, section IV): weight * (spent - allowed) while spent >= allowed, where spent are the MACs of this batch
    over those of the same network with dense convolutions, and allowed falls from 1 to the planned share. Spent are the
    mean shares of the masks, what the generators cost, and less, as in the authors' code without a gradient, what
    convolutions save whose outputs no head reads (igcnas/network/upstream.py). Theirs also counts activations, pooled
    elements and attention's products, and multiplies means over the batch where this counts each image, as it is
    measured after training: rules.hinge_of = 'msgc' is their count (counted.py). With several processes, each has its
    part of the batch and all of them agree on whether the whole batch is over.
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
        generators = sum(
            layer.learned.overhead(layer.in_channels, layer.out_channels, layer.context_channels).macs
            for layer, module in learned
            if module.budgeted == "hinge" and layer.learned is not None
        )
        self.full_macs = self.fixed_macs - generators + dense_hinged
        gated = {reader.path: by_name[reader.path] for reader in readers(network_plan)}
        self.gated = {path: module for path, module in gated.items() if isinstance(module, MeasuredModule)}
        self.readers = tuple(reader for reader in readers(network_plan) if reader.path in self.gated)
        self.planned_share = planned / self.full_macs if self.full_macs else 1.0
        self.counted: CountedByAuthors | None = None
        if self.hinged and rules.hinge_of == "msgc":
            self.counted = CountedByAuthors(network_plan, by_name)
            self.planned_share = self.counted.planned_share
        self.progress = 0.0
        self.allowed = StepNumber(self.allowed_share())
        self._orders: dict[tuple[int, ...], torch.Tensor] = {}

    def place_numbers(self, device: torch.device) -> None:
        """From now on what the host changes from step to step lies in tensors on this device (`LearnedModule`)."""
        self.allowed.place(device)
        for module in self.modules:
            module.place_numbers(device)

    def begin_step(self, progress: float) -> None:
        """Before each training step; progress is the share of training that is done, in [0, 1)."""
        self.progress = progress
        self.allowed.set(self.allowed_share())
        for module in self.modules:
            module.begin_step(progress)

    @property
    def settled(self) -> bool:
        """Whether every schedule of grouping has reached its aim, so that the network is one that was planned."""
        return all(self.progress >= module.settles() for module in self.modules)

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
        """What the hinge allows now, over what the dense network takes."""
        done = min(1.0, self.progress / self.rules.ramp_until) if self.rules.ramp_until else 1.0
        return 1.0 + done * (self.planned_share - 1.0)

    def spent_share(self) -> torch.Tensor:
        """MACs of the last batch over those of the dense network, differentiable in the masks."""
        if self.counted is not None:
            return self.counted.spent_share()
        spent = torch.stack([macs * _share(module) for macs, module in self.hinged]).sum()
        return (spent + self.fixed_macs - self._saved_macs()) / self.full_macs

    def _saved_macs(self) -> torch.Tensor | float:
        """MACs of an average image of the last batch that compute outputs which no head reads."""
        masks = {path: module.last_masks().detach() for path, module in self.gated.items()}
        used = used_outputs(self.readers, masks, self._orders)
        saved: torch.Tensor | float = 0.0
        for reader in self.readers:
            for source in reader.sources:
                if source.path in masks:
                    mask, out_channels = masks[source.path], source.layer.out_channels
                    fewer = connections(mask, None, out_channels) - connections(mask, used[source.path], out_channels)
                    saved = saved + positions(source.layer) * fewer.double().mean()
                else:
                    saved = saved + source.macs_per_output * (~used[source.path]).sum(1).double().mean()
        return saved.to(next(iter(masks.values())).dtype) if isinstance(saved, torch.Tensor) else saved

    def _hinge(self) -> torch.Tensor:
        spent = self.spent_share()
        excess = spent - self.allowed.on(spent.device)
        # The gradient of the own part, the value of all parts: averaging over processes gives that of the whole batch.
        excess = excess + (_mean_over_processes(excess.detach()) - excess.detach())
        return self.rules.hinge_weight * excess.clamp_min(0.0)

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


def _mean_over_processes(value: torch.Tensor) -> torch.Tensor:
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return value
    total = value.clone()
    torch.distributed.all_reduce(total)
    return total / torch.distributed.get_world_size()


def _dense_macs(layer: Convolution) -> int:
    return layer.in_channels * layer.out_channels * positions(layer)


def _planned_macs(layer: Convolution) -> int:
    return layer.connections * positions(layer)
