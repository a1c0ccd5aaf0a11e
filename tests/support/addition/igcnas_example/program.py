"""A form of export: the network as a program of torch.export, which C++ and other compilers read."""

from pathlib import Path

import torch

from igcnas.export.exporters import Exporter, Trained


def write(path: Path, trained: Trained) -> None:
    """Write the file. The module takes float images (B, channels, height, width) in [0, 1]; B may be any number."""
    example = (torch.zeros(2, *trained.plan.input_shape),)
    program = torch.export.export(trained.module, example, dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, path)


def run(path: Path, images: torch.Tensor) -> torch.Tensor:
    """Logits of the file, as its user would get them: igcnas compares them with those of the trained network."""
    logits: torch.Tensor = torch.export.load(path).module()(images)
    return logits


EXPORTER = Exporter(file="model.pt2", write=write, run=run)
