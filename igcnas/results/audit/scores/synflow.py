"""Synaptic flow (Tanaka et al., NeurIPS 2020, section 6): what passes through a network of absolute weights.

The input is all ones, R is the sum of the outputs, and the score is the logarithm of the sum over all weights of
w dR/dw. Batch normalization is passed over (Abdelfattah et al., ICLR 2021): with it the flow would not depend on the
weights' sizes. In float64, and as a logarithm, because R grows by a factor with each layer: 1e61 has been reported.

The network is taken as linear, as the authors do: with positive weights and inputs a ReLU changes nothing, and the cap
of a ReLU6 would only cut the flow of large networks. Where images choose their channels every gate is 1: a network that
no image has been shown has chosen nothing. Deciding parameters keep their signs, so the grouping is the initial one.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from igcnas.modules.layers import GatedModule
from igcnas.results.audit.scores.weights import deciding, weights


def synflow(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Logarithm of the sum over all weights of |w| dR/d|w|; of the images only the shape is used.

    images: (B, channels, height, width). -inf where nothing passes, inf where float64 overflows: no network of the
    literature with up to some 200 layers does.
    """
    del labels
    copied = copy.deepcopy(network).double().eval()
    keep = deciding(copied)
    with torch.no_grad():
        for parameter in copied.parameters():
            if id(parameter) not in keep:
                parameter.abs_()
    for module in copied.modules():
        if isinstance(module, _BatchNorm | nn.ReLU | nn.ReLU6):
            module.forward = _unchanged  # type: ignore[method-assign]
        elif isinstance(module, GatedModule):
            module.open_gates()
    ones = torch.ones(1, *images.shape[1:], dtype=torch.float64, device=images.device)
    copied(ones).sum().backward()
    total = sum((w * w.grad).sum().item() for w in weights(copied) if w.grad is not None)
    if math.isnan(total):  # infinite times zero: an overflow on the way
        return math.inf
    return math.log(total) if total > 0 else -math.inf


def _unchanged(input: torch.Tensor) -> torch.Tensor:
    return input
