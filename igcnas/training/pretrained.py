"""Weights of a network without gates in the same network with them: the usual start of MSGC (arXiv:2304.06305)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from igcnas.errors import TrainingError
from igcnas.layers import LearnedModule
from igcnas.training.torchvision import from_torchvision


def load_pretrained(module: nn.Module, state: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """Load the state dict of the same network with or without learned grouping; returns names that keep initial values.

    These can only be what decides groups, and what was measured after a training: a learned convolution holds a dense
    weight under the name that a dense convolution gives it. TrainingError, with the name, where a tensor is missing,
    unknown, or of another shape. Fresh masks of MSGC keep nearly every channel and its fresh attention is 1, so such a
    network starts near the one that was loaded. Files of torchvision load too; the older ones lack the counters of
    batch norm, which nothing here reads.
    """
    own = module.state_dict()
    state = from_torchvision(state, own)
    optional = {
        f"{path}.{name}"
        for path, child in module.named_modules()
        if isinstance(child, LearnedModule)
        for name in child.state_dict()
        if name not in ("weight", "bias")
    }
    missing = [name for name in own if name not in state]
    for name in missing:
        if name not in optional and not name.endswith(".num_batches_tracked"):
            raise TrainingError(f"the pretrained weights lack {name}; load those of the same network")
    for name, tensor in state.items():
        if name not in own:
            raise TrainingError(
                f"the pretrained weights have {name}, which this network has not; load those of its host"
            )
        if tensor.shape != own[name].shape:
            raise TrainingError(
                f"the pretrained {name} has shape {tuple(tensor.shape)}, but this one needs {tuple(own[name].shape)}"
            )
    module.load_state_dict(state, strict=False)
    return tuple(name for name in missing if name in optional)
