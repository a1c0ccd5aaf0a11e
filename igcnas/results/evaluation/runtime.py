"""An export that is evaluated by another runtime than ONNX Runtime."""

from __future__ import annotations

from dataclasses import replace

import torch

from igcnas.errors import IgcnasError
from igcnas.export.answering import answering
from igcnas.export.latency.setting import Setting
from igcnas.network.exported import FILE
from igcnas.training.runs.evaluate import Trained


def answered_by(trained: Trained, runtime: str) -> Trained:
    """The same network, which answers by a runtime; IgcnasError where it is no export, or the runtime is missing."""
    folder = trained.path.parent
    if trained.form != "onnx" or not (folder / FILE).is_file():
        raise IgcnasError(
            f"--runtime {runtime} is for exports, and {trained.path} is none; write one with igcnas export"
        )
    Setting(runtime=runtime).require()
    run = answering(folder, runtime)

    def answer(images: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(run(images.cpu().numpy()))

    return replace(trained, form=runtime, answer=answer)
