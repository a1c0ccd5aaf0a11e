"""Files that are there whole or not at all, and checkpoints in them."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from igcnas.errors import TrainingError


def write_whole(path: Path, content: bytes) -> None:
    """Write beside it, flush to the disk, rename."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """All that a training needs to go on."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(path, buffer.getvalue())


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """What `write_checkpoint` wrote; TrainingError if it is damaged."""
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises what its parts raise
        raise TrainingError(f"{path} is damaged ({str(error).splitlines()[0]}); delete it to start again") from None
    return state


def write_weights(path: Path, state: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Tensors without pickles, with text beside them."""
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()
    }
    write_whole(path, save(tensors, metadata=dict(metadata)))
