"""What a rule of lowering returns, and what rules share."""

from __future__ import annotations

from typing import NamedTuple

import torch

from igcnas.network.primitives import Gather, Layer


class Replacement(NamedTuple):
    """What stands for one learned layer: plain layers, and their tensors by name, such as 'expand.weight'."""

    layers: tuple[Layer, ...]
    state: dict[str, torch.Tensor]
    assignment: dict[str, list[int]]


def gather(name: str, indices: list[int], channels: int) -> list[Layer]:
    """A gather from this many channels, or nothing where it would change nothing."""
    return [] if indices == list(range(channels)) else [Gather(name, tuple(indices))]


def free(name: str, names: set[str]) -> str:
    """The name, with underscores appended until no neighbour has it."""
    while name in names:
        name += "_"
    return name
