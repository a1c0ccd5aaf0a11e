"""What can be said of a network before it is trained: zero-cost scores and counts, by name; the higher the better.

SCORES take (network, images, labels): the module of a plan with its first weights, normalised float images
(B, channels, height, width) and labels (B,). They leave the network as it was. COUNTS take its plan. They are beside
each other because a score that ranks no better than a count is worth nothing (Ning et al., NeurIPS 2021; the abstract
of ZiCo, Li et al., ICLR 2023, says as much of the number of parameters).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from igcnas.errors import IgcnasError, unknown_name
from igcnas.modules.build import build
from igcnas.network.architecture import Architecture
from igcnas.network.cost import count_plan
from igcnas.network.plan import Plan, plan
from igcnas.results.audit.scores.naswot import naswot
from igcnas.results.audit.scores.snip import snip
from igcnas.results.audit.scores.synflow import synflow
from igcnas.training.tensors import TrainingData

__all__ = ["COUNTS", "SCORES", "all_scores", "naswot", "score", "score_batch", "snip", "synflow"]

_BATCH = 128  # images that a score sees, as in the experiments of Mellor et al.

SCORES: dict[str, Callable[[nn.Module, torch.Tensor, torch.Tensor], float]] = {
    "synflow": synflow,
    "naswot": naswot,
    "snip": snip,
}


def _macs(network: Plan) -> float:
    return float(count_plan(network).macs)


def _params(network: Plan) -> float:
    return float(count_plan(network).params)


COUNTS: dict[str, Callable[[Plan], float]] = {"macs": _macs, "params": _params}


def score(name: str, architecture: Architecture, images: torch.Tensor, labels: torch.Tensor, *, seed: int) -> float:
    """The score of this name of the untrained network whose first weights come from the seed.

    images: normalised float (B, channels, height, width) with B at least 2, on the device that is to be used; labels:
    (B,). With the seed of a training the weights are those that it starts from. Raises IgcnasError for an unknown name.
    """
    network_plan = plan(architecture)
    if name in COUNTS:
        return COUNTS[name](network_plan)
    if name not in SCORES:
        raise IgcnasError(unknown_name("score", name, (*COUNTS, *SCORES)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(network_plan)
    return SCORES[name](network.to(images.device), images, labels)


def score_batch(data: TrainingData, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The training images that all scores see: normalised, not augmented, drawn by the seed; with their labels."""
    order = torch.randperm(len(data.training), generator=torch.Generator().manual_seed(seed))
    chosen = order[:_BATCH].to(data.training.images.device)
    return data.normalize(data.training.images[chosen]), data.training.labels[chosen]


def all_scores(architecture: Architecture, batch: tuple[torch.Tensor, torch.Tensor], *, seed: int) -> dict[str, float]:
    """Every baseline of the network with the first weights of this seed."""
    return {name: score(name, architecture, *batch, seed=seed) for name in (*COUNTS, *SCORES)}
