"""NASWOT (Mellor et al., ICML 2021, section 3): how differently a network codes the images of one batch.

The code of an image has one bit for each rectified value: whether its input is above 0. K_ij is the number of bits
in which images i and j agree; the score is log |det K|. Where two images have the same code it is -infinity. Batch
normalization uses the batch, as in the authors' code since July 2020: untrained running statistics normalise nothing.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import nn


def naswot(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """log |det K| of the codes of all rectifiers of feature maps.

    images: float (B, channels, height, width) with B at least 2; the labels are not used. -inf where K is singular.
    """
    del labels
    kernel = agreement(network, images)
    if len(torch.unique(kernel, dim=0)) < len(kernel):  # equal rows: rounding would make a number of it
        return -math.inf
    return float(torch.linalg.slogdet(kernel).logabsdet)


def agreement(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """K (B, B) in float64: bits in which the codes of two images agree. On the CPU."""
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64)

    def add(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].dim() < 4:  # of a generator of masks: no feature
            return
        bits = (inputs[0] > 0).flatten(1).double().cpu()
        kernel.add_(bits @ bits.T + (1 - bits) @ (1 - bits).T)

    copied = copy.deepcopy(network).train()
    for module in copied.modules():
        if isinstance(module, nn.ReLU | nn.ReLU6):
            module.register_forward_pre_hook(add)
    with torch.no_grad():
        copied(images)
    return kernel
