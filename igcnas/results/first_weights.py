"""A network as it is before training, exported: for measuring how fast a family is where it will run.

The weights are the first ones, drawn with seed 0. Norms have seen a few random images, so that values keep the size
that they have in a trained network: those of a deep one would grow or vanish, and no two runtimes agree about what is
left.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from igcnas.modules.first_state import first_state
from igcnas.network.architecture import Architecture
from igcnas.results.best import Exported
from igcnas.results.exporting import export_checkpoint
from igcnas.training.runs.weights import Checkpoint


def export_untrained(
    architecture: Architecture, *, folder: Path, also: Sequence[str] = (), opset: int | None = None, times: bool = False
) -> Exported:
    """Export it; classes are named by their numbers. also: further forms. opset: of the ONNX file. times: say them."""
    channels = architecture.input_shape[0]
    checkpoint = Checkpoint(
        architecture=architecture,
        state=first_state(architecture),
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
        classes=tuple(map(str, range(architecture.num_classes))),
        epoch=0,
        data={},
    )
    facts = {"data": "none", "weights": "first ones, not trained: answers mean nothing"}
    return export_checkpoint(checkpoint, folder=folder, facts=facts, also=also, opset=opset, times=times)
