"""Which tensors of a network are weights in the sense of the scores: those that multiply features.

Biases and the scales of batch normalization are left out, as in Abdelfattah et al. (ICLR 2021), who score
convolutions and linear layers. Parameters that decide who meets whom are no weights either: their absolute values
would be another grouping, and their gradients are those of a relaxation.
"""

from __future__ import annotations

from torch import nn

from igcnas.modules.layers.learned import LearnedModule


def deciding(network: nn.Module) -> set[int]:
    """Identities (`id`) of the parameters that decide the grouping of learned modules."""
    found: set[int] = set()
    for module in network.modules():
        if isinstance(module, LearnedModule):
            for name in module.decides:
                part = getattr(module, name)
                found |= {id(p) for p in ([part] if isinstance(part, nn.Parameter) else part.parameters())}
    return found


def weights(network: nn.Module) -> list[nn.Parameter]:
    """Weights of convolutions and linear layers, in the order of the network."""
    without = deciding(network)
    return [p for p in network.parameters() if p.dim() >= 2 and id(p) not in without]
