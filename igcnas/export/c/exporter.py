"""Model.c as a form of an export: written from the lowered plan, and checked by compiling and calling it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from igcnas.export.c.compiling import compiled
from igcnas.export.c.files import HEADER, MAKEFILE, SOURCE, TEST, texts
from igcnas.export.c.program import program
from igcnas.export.exporters import Exporter, Trained
from igcnas.system.files import write_text


def write(path: Path, trained: Trained) -> None:
    """The four files, of which `path` is model.c."""
    module, plan = trained.module.eval(), trained.plan
    pixels = np.random.default_rng(0).integers(0, 256, plan.input_shape, np.uint8)
    with torch.inference_mode():
        expected = module(torch.from_numpy(pixels)[None] / 255)[0].numpy()
    files = texts(
        program(trained.lowered),
        title=f"{trained.metadata['family']}, id {trained.metadata['id']}.",
        macs=int(trained.metadata["macs"]),
        classes=trained.classes,
        steps=list(json.loads(trained.metadata["preparation"])["steps"].values()),
        pixels=pixels,
        expected=expected,
    )
    for name, text in files.items():
        write_text(path.with_name(name), text)


def run(path: Path, images: torch.Tensor) -> torch.Tensor:
    """Logits by the compiled file."""
    return torch.from_numpy(compiled(path)(images.numpy()))


NAME = "c"
OWN = {NAME: Exporter(file=SOURCE, write=write, run=run, beside=(HEADER, TEST, MAKEFILE))}
