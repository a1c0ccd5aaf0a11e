"""What MSGC's hinge counts where it counts as the authors' code does (rules.hinge_of = 'msgc').

Their counter (igcnas/network/conventions/msgc.py) adds activations, pooled elements and attention's products to the
multiply-accumulates, and multiplies means over the batch: the share that heads of one convolution keep, and the share
of its outputs that no head of the next one keeps, where igcnas's own count goes image by image.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from igcnas.modules.layers import MeasuredModule
from igcnas.network.conventions import msgc
from igcnas.network.plan import Plan


class CountedByAuthors:
    """Shares of the network without masks, in the authors' count."""

    def __init__(self, network_plan: Plan, modules: Mapping[str, nn.Module]) -> None:
        self._count = msgc.count(network_plan)
        self._modules = {layer.name: modules[layer.name] for layer in self._count.masked}
        self.planned_share = float(self._count.expected() / self._count.original)

    def spent_share(self) -> torch.Tensor:
        """Of the last batch, differentiable in the masks but for what no head reads."""
        kept = [layer.cost * self._masks(layer.name).mean() for layer in self._count.masked]
        total = torch.stack(kept).sum() + (self._count.main + self._count.mask)
        return (total - self._bonus()) / self._count.original

    def _bonus(self) -> torch.Tensor | float:
        bonus: torch.Tensor | float = 0.0
        for layer in self._count.masked:
            unread_BC = 1.0 - self._masks(layer.name).detach().amax(1)
            bonus = bonus + layer.upstream * unread_BC.mean()
            if layer.producer is not None:
                before_BHC = self._masks(layer.producer.name).detach()
                heads = before_BHC.shape[1]
                unread_H = unread_BC.view(len(unread_BC), heads, -1).mean((0, 2))
                bonus = bonus + layer.producer.cost / heads * (before_BHC.mean((0, 2)) * unread_H).sum()
        return bonus

    def _masks(self, name: str) -> torch.Tensor:
        module = self._modules[name]
        assert isinstance(module, MeasuredModule)
        return module.last_masks()
