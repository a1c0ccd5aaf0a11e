"""Top-1 and top-5 of a network, and the mean over classes of what is right of each (balanced accuracy)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

from igcnas.training.distributed import ALONE, World
from igcnas.training.settings import BALANCED
from igcnas.training.tensors import EVALUATION_BATCH, ImageTensors

Normalize = Callable[[torch.Tensor], torch.Tensor]
TOP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Percent of images whose label is the network's first answer, and among its first five.

    top5 is None where there are five classes or fewer. classes: images and right answers of each class; () where they
    were not asked for.
    """

    images: int
    top1: float
    top5: float | None
    classes: tuple[tuple[int, int], ...] = ()

    @property
    def balanced(self) -> float:
        """Mean over the classes that have images of the percent of them that is right.

        A network that always gives the same answer has 100 / classes, however large its class is.
        """
        shares = [right / images for images, right in self.classes if images]
        return 100.0 * math.fsum(shares) / len(shares)

    def by(self, metric: str) -> float:
        """Accuracy, or balanced accuracy, in percent."""
        return self.balanced if metric == BALANCED else self.top1


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
    classes: int = 0,
) -> Scores:
    """Scores over batches of (what `answer` maps to logits, labels); over all processes.

    classes: how many there are, where those of each are to be counted.
    """
    right = torch.zeros(3, dtype=torch.int64, device=device)  # images, first right, among the first five
    each = torch.zeros(2, classes, dtype=torch.int64, device=device)  # images and right answers of each class
    width = 0
    for images, labels in batches:
        logits = answer(images)
        width = logits.shape[1]
        good = logits.argmax(1) == labels
        right[0] += len(labels)
        right[1] += good.sum()
        if classes:
            each[0].index_add_(0, labels, torch.ones_like(labels))
            each[1].index_add_(0, labels, good.to(labels.dtype))
        if answers_top5(width):
            right[2] += (logits.topk(TOP, 1).indices == labels[:, None]).sum()
    total, first, among = world.total(right).tolist()
    shows = answers_top5(int(world.largest(width)))
    counts = world.total(each).tolist() if classes else ([], [])
    return Scores(
        images=total,
        top1=100.0 * first / total,
        top5=100.0 * among / total if shows else None,
        classes=tuple(zip(*counts, strict=True)),
    )


def scored(network: nn.Module, images: ImageTensors, normalize: Normalize, *, classes: int) -> Scores:
    """Scores of a network, in evaluation mode, on images; of each class, too."""
    network.eval()
    batches = (
        (normalize(images.images[start : start + EVALUATION_BATCH]), images.labels[start : start + EVALUATION_BATCH])
        for start in range(0, len(images), EVALUATION_BATCH)
    )
    return score(network, batches, device=images.labels.device, classes=classes)


@torch.inference_mode()
def accuracy(network: nn.Module, images: ImageTensors, normalize: Normalize) -> float:
    """Percent of the images that the network, in evaluation mode, gives their label."""
    network.eval()
    right = torch.zeros((), dtype=torch.int64, device=images.labels.device)
    for start in range(0, len(images), EVALUATION_BATCH):
        stop = start + EVALUATION_BATCH
        predicted = network(normalize(images.images[start:stop])).argmax(1)
        right += (predicted == images.labels[start:stop]).sum()
    return 100.0 * right.item() / len(images)
