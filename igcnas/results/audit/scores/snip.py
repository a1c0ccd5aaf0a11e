"""SNIP (Lee et al., ICLR 2019, section 4): how much the loss of one batch hangs on each weight.

The saliency of a weight w is |w dL/dw|, the derivative of the loss by a factor on that weight. Pruning divides it by
its sum; a network's score is the sum itself (Abdelfattah et al., ICLR 2021, section 3.2).
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional

from igcnas.results.audit.scores.weights import weights


def snip(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Sum over all weights of |w dL/dw|, L the mean cross-entropy of the batch; norms use the batch.

    images: float (B, channels, height, width) with B at least 2; labels: (B,).
    """
    copied = copy.deepcopy(network).train()
    functional.cross_entropy(copied(images), labels).backward()  # type: ignore[no-untyped-call]
    return sum((w * w.grad).abs().double().sum().item() for w in weights(copied) if w.grad is not None)
