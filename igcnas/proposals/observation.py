"""What a proposer knows of a network that was trained, or is in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One network of a study.

    parameters: the choices it was proposed with, empty for a known network. cost: what the front compares at (MACs,
    parameters or milliseconds). accuracies: validation accuracy in percent after each epoch so far. complete: trained
    to the end; if it is not, it was pruned, or failed where it has no accuracy. known: a network of the literature.
    pending: it is in training, and nothing but its cost as planned is known.
    """

    parameters: Mapping[str, Any]
    target_macs: int
    cost: float
    accuracies: tuple[float, ...]
    complete: bool
    known: bool
    pending: bool = False
