"""Top-1 and top-5 of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

from igcnas.training.distributed import ALONE, World
from igcnas.training.tensors import EVALUATION_BATCH, ImageTensors

TOP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Percent of images whose label is the network's first answer, and among its first five.

    top5 is None where there are five classes or fewer.
    """

    images: int
    top1: float
    top5: float | None


def answers_top5(classes: int) -> bool:
    """Whether the first five answers say anything."""
    return classes > TOP


@torch.inference_mode()
def score(
    answer: Callable[[torch.Tensor], torch.Tensor],
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    *,
    device: torch.device,
    world: World = ALONE,
) -> Scores:
    """Scores over batches of (what `answer` maps to logits, labels); over all processes."""
    right = torch.zeros(3, dtype=torch.int64, device=device)  # images, first right, among the first five
    classes = 0
    for images, labels in batches:
        logits = answer(images)
        classes = logits.shape[1]
        right[0] += len(labels)
        right[1] += (logits.argmax(1) == labels).sum()
        if answers_top5(classes):
            right[2] += (logits.topk(TOP, 1).indices == labels[:, None]).sum()
    total, first, among = world.total(right).tolist()
    shows = answers_top5(int(world.largest(classes)))
    return Scores(images=total, top1=100.0 * first / total, top5=100.0 * among / total if shows else None)


@torch.inference_mode()
def accuracy(network: nn.Module, images: ImageTensors, normalize: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """Percent of the images that the network, in evaluation mode, gives their label."""
    network.eval()
    right = torch.zeros((), dtype=torch.int64, device=images.labels.device)
    for start in range(0, len(images), EVALUATION_BATCH):
        stop = start + EVALUATION_BATCH
        predicted = network(normalize(images.images[start:stop])).argmax(1)
        right += (predicted == images.labels[start:stop]).sum()
    return 100.0 * right.item() / len(images)
