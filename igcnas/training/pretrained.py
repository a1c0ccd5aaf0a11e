"""Weights from elsewhere in a network: of the same one, of one without learned grouping, of a public port of it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from igcnas.errors import TrainingError
from igcnas.modules.layers import LearnedModule
from igcnas.training.ports import Port, ignores, names_of, recognise


def load_pretrained(module: nn.Module, state: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """Load the state dict of the same network with or without learned grouping; returns names that keep initial values.

    These can only be what decides groups, and what was measured after a training: a learned convolution holds a dense
    weight under the name that a dense convolution gives it. TrainingError, with the name, where a tensor is missing,
    unknown, or of another shape. Fresh masks of MSGC keep nearly every channel and its fresh attention is 1, so such a
    network starts near the one that was loaded. Files of public ports load under the names that they have there
    (igcnas/training/ports.py); old ones lack the counters of batch norm, which nothing here reads.
    """
    own = module.state_dict()
    port = recognise(state)
    theirs = {name: name for name in own} if port is None else names_of(port, own)
    optional = {
        f"{path}.{name}"
        for path, child in module.named_modules()
        if isinstance(child, LearnedModule)
        for name in child.state_dict()
        if name not in ("weight", "bias")
    }
    missing = [name for name in own if theirs.get(name) not in state]
    for name in missing:
        if name not in optional and not name.endswith(".num_batches_tracked"):
            raise TrainingError(_lacks(port, name, theirs.get(name)))
    wanted = {theirs[name] for name in own if name in theirs}
    for name in state:
        if name not in wanted and not (port is not None and ignores(port, name)):
            raise TrainingError(_has(port, name))
    found = {name: _fitted(state[theirs[name]], own[name]) for name in own if name not in missing}
    for name, tensor in found.items():
        if tensor.shape != own[name].shape:
            raise TrainingError(_shapes(port, name, theirs[name], tensor.shape, own[name].shape))
    module.load_state_dict(found, strict=False)
    return tuple(name for name in missing if name in optional)


def _fitted(tensor: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """A convolution of one pixel behind the pooling is a linear layer."""
    convolves = tensor.ndim == 4 and wanted.ndim == 2 and tensor.shape[2:] == (1, 1)
    return tensor.flatten(1) if convolves else tensor


def _lacks(port: Port | None, name: str, theirs: str | None) -> str:
    if port is None:
        return f"the pretrained weights lack {name}; load those of the same network"
    spelled = f"{name}, which it has not" if theirs is None else f"{theirs} (here {name})"
    return f"these weights of {port.name} lack {spelled}; load those of the same network"


def _has(port: Port | None, name: str) -> str:
    if port is None:
        return f"the pretrained weights have {name}, which this network has not; load those of its host"
    return f"these weights of {port.name} have {name}, which this network has not; load those of the same network"


def _shapes(port: Port | None, name: str, theirs: str, found: torch.Size, wanted: torch.Size) -> str:
    if port is None:
        return f"the pretrained {name} has shape {tuple(found)}, but this one needs {tuple(wanted)}"
    return (
        f"{theirs} of these weights of {port.name} has shape {tuple(found)}, but {name} of this network "
        f"needs {tuple(wanted)}; load those of the same network"
    )
