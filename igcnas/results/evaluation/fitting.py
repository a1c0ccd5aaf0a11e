"""The temperature of a network, fitted on its own validation images."""

from __future__ import annotations

from pathlib import Path

import torch

from igcnas.results.evaluation.asking import answers
from igcnas.results.evaluation.temperature import fit_temperature
from igcnas.training.runs.data import RunData
from igcnas.training.runs.evaluate import trained_of
from igcnas.training.runs.weights import Checkpoint


def fitted_temperature(checkpoint: Checkpoint, data: RunData, *, where: Path, workers: int = 0) -> float:
    """On the images that it validated on; DataError where it was trained on them, or the data are others."""
    trained = trained_of(checkpoint, torch.device("cpu"), path=where)
    found = answers(trained, data, "validation", workers=workers, shown=0)
    return fit_temperature(found.logits, found.labels)
