"""What a network is to answer for a batch: labels, or shares of classes where images are mixed or a teacher is asked.

mixup (Zhang et al., ICLR 2018): each image is a weighted sum of itself and another, and so are their labels; the weight
of a batch is drawn from Beta(alpha, alpha). CutMix (Yun et al., ICCV 2019): a rectangle of another image takes the
place of the same rectangle, and the labels have the shares of the areas. The other image is the one as far from the end
of the batch as this is from its beginning; the batch is in random order already. Where a recipe has both, a fair coin
decides for each batch.

Distillation (Hinton et al., 2015; the teacher sees the very images that the pupil sees, as Beyer et al., CVPR 2022,
found best): the answers of the teacher, as probabilities, make up a share of the target. The loss is a cross-entropy
with shares, so that no kind of step has to know of any of this.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from igcnas.training.recipes import Recipe

# From float images (B, C, H, W), normalised, to logits (B, classes), without gradients.
Teacher = Callable[[torch.Tensor], torch.Tensor]


class Targets:
    """Makes the images and targets of a step from a batch. Nothing is random but what follows from the given seed."""

    def __init__(self, recipe: Recipe, num_classes: int, teacher: Teacher | None = None) -> None:
        self._mixup, self._cutmix, self._smoothing = recipe.mixup, recipe.cutmix, recipe.label_smoothing
        self._taught = recipe.distillation if teacher is not None else 0.0
        self._classes, self._teacher = num_classes, teacher

    @property
    def shares(self) -> bool:
        """Whether targets are float shares (B, classes), not labels int64 (B,)."""
        return bool(self._mixup or self._cutmix or self._taught)

    def __call__(self, images: torch.Tensor, labels: torch.Tensor, *, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Images and targets; as they came where the recipe neither mixes nor has a teacher."""
        if not self.shares:
            return images, labels
        targets = functional.one_hot(labels, self._classes).to(images.dtype)
        if self._mixup or self._cutmix:
            images, targets = self._mixed(images, targets, np.random.default_rng(seed))
        targets = targets * (1 - self._smoothing) + self._smoothing / self._classes
        if self._teacher is not None and self._taught:
            answers = self._teacher(images).float().softmax(1)
            targets = (1 - self._taught) * targets + self._taught * answers
        return images, targets

    def _mixed(
        self, images: torch.Tensor, targets: torch.Tensor, draws: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        cut = self._cutmix > 0 and (not self._mixup or draws.random() < 0.5)
        alpha = self._cutmix if cut else self._mixup
        share = float(draws.beta(alpha, alpha))
        others = images.flip(0)
        if not cut:
            return torch.lerp(others, images, share), torch.lerp(targets.flip(0), targets, share)
        height, width = images.shape[2:]
        side = (1 - share) ** 0.5
        top, bottom = _span(height, side, draws.random())
        left, right = _span(width, side, draws.random())
        images = images.clone()
        images[:, :, top:bottom, left:right] = others[:, :, top:bottom, left:right]
        kept = 1 - (bottom - top) * (right - left) / (height * width)
        return images, torch.lerp(targets.flip(0), targets, kept)


def _span(length: int, share: float, centre: float) -> tuple[int, int]:
    """Where a piece of this share of a side begins and ends; the centre lies anywhere, and the piece may be cut off."""
    half, middle = share * length / 2, centre * length
    return max(0, round(middle - half)), min(length, round(middle + half))
