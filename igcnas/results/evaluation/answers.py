"""What a network answers to the images of one split, read once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from igcnas.training.runs.data import RunData
from igcnas.training.runs.evaluate import Trained, split_batches

SHOWN = 24  # mistakes on a sheet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mistake:
    """An image that was answered wrongly. position: in its split, from 0. share: of its answer, softmax of the logits.

    pixels: uint8 (height, width, channels).
    """

    position: int
    label: int
    answer: int
    share: float
    pixels: NDArray[np.uint8] = field(metadata={"plain": False})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """Logits (n, classes) of n images and their labels (n,); mistakes: the surest first."""

    logits: NDArray[np.float64]
    labels: NDArray[np.int64]
    mistakes: tuple[Mistake, ...]


@torch.inference_mode()
def answers(
    trained: Trained,
    data: RunData,
    split: str,
    *,
    validation: float | None = None,
    seed: int = 0,
    workers: int = 0,
    shown: int = SHOWN,
) -> Answers:
    """Run the network over 'validation' or 'test' (see `split_batches`)."""
    found, labels, worst, position = [], [], list[Mistake](), 0
    mean, std = _normalisation(trained)
    for images, wanted in split_batches(trained, data, split, validation=validation, seed=seed, workers=workers):
        logits = trained.answer(images)
        found.append(logits.double().cpu().numpy())
        labels.append(wanted.cpu().numpy())
        shares, chosen = logits.softmax(1).max(1)
        for place in (chosen != wanted).nonzero().flatten().tolist():
            share = float(shares[place])
            if shown and (len(worst) < shown or share > worst[-1].share):
                pixels = (images[place].cpu() * std + mean).mul(255).round().clamp(0, 255).byte()
                worst.append(
                    Mistake(
                        position=position + place,
                        label=int(wanted[place]),
                        answer=int(chosen[place]),
                        share=share,
                        pixels=pixels.permute(1, 2, 0).numpy(),
                    )
                )
                worst = sorted(worst, key=lambda one: -one.share)[:shown]
        position += len(wanted)
    return Answers(logits=np.concatenate(found), labels=np.concatenate(labels), mistakes=tuple(worst))


def _normalisation(trained: Trained) -> tuple[torch.Tensor, torch.Tensor]:
    """What undoes that of the batches; of weights from elsewhere, which take that of the data, only in proportion."""
    channels = trained.input_shape[0]
    mean = (0.45,) * channels if trained.mean is None else trained.mean
    std = (0.25,) * channels if trained.std is None else trained.std
    return torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]
