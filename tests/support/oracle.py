"""torch's own way to ONNX, which the product does without: what its exporter writes is another opinion."""

from __future__ import annotations

import io
import logging
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import torch
from torch import nn


def export_by_torch(path: Path, module: nn.Module, input_shape: tuple[int, int, int]) -> None:
    """Write the module, for batches of any size; needs onnxscript, and seconds."""
    example = torch.zeros(2, *input_shape)  # one image would fix the batch to one
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module.eval(),
                (example,),
                dynamo=True,
                external_data=False,
                input_names=["image"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
    finally:
        logging.disable(before)
    assert program is not None
    program.save(str(path), external_data=False)
