"""The loss where classes have different numbers of images: each class can be made to weigh the same.

The weight of an image is images / (classes * images of its class), counted over the training images and the classes
that have any, as class_weight='balanced' of scikit-learn: 1 for every class where all are of one size, and 1 on average
over the training images always, so that a learning rate keeps its meaning. The loss of a batch is the mean over its
images of weight times cross-entropy; it is not divided by the weights of the batch, which would undo them in a batch of
one class.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from igcnas.training.recipes import Recipe
from igcnas.training.source import Source


def balanced_weights(images: Sequence[int]) -> torch.Tensor:
    """The weight of each class, float32 (classes,), from the number of its training images; 0 of a class without any.

    >>> balanced_weights([6, 2, 0]).tolist()
    [0.6666666865348816, 2.0, 0.0]
    """
    counts = torch.tensor(images, dtype=torch.float64)
    present = counts > 0
    weights = counts.sum() / (present.sum() * counts.clamp_min(1.0))
    return torch.where(present, weights, 0.0).float()


def class_weights(recipe: Recipe, source: Source, device: torch.device) -> torch.Tensor | None:
    """What the recipe weighs each class by; None where all images weigh the same, which no image is counted for."""
    return balanced_weights(source.class_images()).to(device) if recipe.class_weights == "balanced" else None


def cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None, *, smoothing: float
) -> torch.Tensor:
    """The loss of a batch: logits (B, classes), a weight for each class or None.

    labels: (B,), or shares of classes (B, classes), of which each class's part of the loss has its weight: an image
    that is mixed of two counts as much of both.
    """
    if weights is None:
        return functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    if labels.is_floating_point():
        return functional.cross_entropy(logits, labels, weights, reduction="none").mean()
    losses = functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
    return (weights[labels] * losses).mean()
