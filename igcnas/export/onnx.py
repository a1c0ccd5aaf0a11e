"""One ONNX file of a network, weights inside, for batches of any size."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import torch
from torch import nn

from igcnas.errors import ExportError
from igcnas.system.files import replacing

INPUT = "image"
OUTPUT = "logits"


def write_onnx(path: Path, module: nn.Module, input_shape: tuple[int, int, int], metadata: Mapping[str, str]) -> None:
    """Write `module`; its input is named image, its output logits, and `metadata` becomes properties of the model."""
    # Not 1: some releases of the exporter would then fix the batch to 1.
    example = torch.zeros(2, *input_shape)
    with _silence():
        try:
            program = torch.onnx.export(
                module.eval(),
                (example,),
                dynamo=True,
                external_data=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise ExportError(f"torch cannot export this network to ONNX: {str(error).splitlines()[0]}") from error
        if program is None:
            raise ExportError("torch made no ONNX program; use a release of torch that pyproject.toml allows")
        model = program.model
        model.metadata_props.update(metadata)
        # The exporter notes on every node which line of which file made it: paths of this computer, half of the file.
        for node in model.graph:
            node.metadata_props.clear()
            node.doc_string = None
        with replacing(path) as temporary:
            program.save(str(temporary), external_data=False)


@contextmanager
def _silence() -> Iterator[None]:
    """Swallow what the exporter prints, warns and logs; errors still come."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
