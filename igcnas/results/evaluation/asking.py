"""Images of one split, read once, and what a network answers to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from igcnas.results.evaluation.answers import Answers, Mistake
from igcnas.training.runs.data import InMemory, RunData, Streamed
from igcnas.training.runs.evaluate import Trained, split_batches, validation_split

SHOWN = 24  # mistakes on a sheet


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
    files = _files(data, split, *validation_split(trained, validation, seed)) if worst else ()
    named = tuple(replace(one, file=_told(files[one.position])) for one in worst) if files else tuple(worst)
    return Answers(logits=np.concatenate(found), labels=np.concatenate(labels), mistakes=named)


def _files(data: RunData, split: str, fraction: float | None, seed: int) -> tuple[str, ...]:
    """Where the images of a split are from, in their order; () where they are no files."""
    if isinstance(data, Streamed):
        folder = data.folder
        if split == "test":
            return folder.test.paths
        return () if fraction is None else folder.split(fraction=fraction, seed=seed)[1].paths
    if isinstance(data, InMemory) and data.dataset.train.files:
        if split == "test":
            return data.dataset.load_test().files
        return () if fraction is None else data.dataset.split(fraction=fraction, seed=seed)[1].files
    return ()


def _told(path: str) -> str:
    """Enough to find it in its data; where these lie on this machine is nobody else's business."""
    return "/".join(Path(path).parts[-2:])


def _normalisation(trained: Trained) -> tuple[torch.Tensor, torch.Tensor]:
    """What undoes that of the batches; of weights from elsewhere, which take that of the data, only in proportion."""
    channels = trained.input_shape[0]
    mean = (0.45,) * channels if trained.mean is None else trained.mean
    std = (0.25,) * channels if trained.std is None else trained.std
    return torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]
