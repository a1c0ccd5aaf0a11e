"""Checkpoints and weights as files.

A checkpoint ends with a digest of all before it: torch reads one with a flipped bit as if it were whole.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from igcnas.errors import TrainingError
from igcnas.system.files import read_back, write_whole

_MARK = b"igcnas sha256"


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """All that a training needs to go on; MachineError where the system refuses."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    write_whole(path, content + _MARK + hashlib.sha256(content).digest())


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any] | None:
    """What `write_checkpoint` wrote; None if there is no such file, TrainingError if it is damaged."""
    content = read_back(path)
    if content is None:
        return None
    try:
        state = torch.load(io.BytesIO(_checked(content)), map_location=device, weights_only=True)
        if not isinstance(state, dict):
            raise ValueError(f"it holds {type(state).__name__}")
    except Exception as error:  # torch raises what its parts raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrainingError(f"{path} is damaged ({reason}); delete it to train from the first epoch again") from None
    return state


def write_weights(path: Path, state: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> str:
    """Tensors without pickles, with text beside them; the digest of all bytes, by which a changed one is noticed."""
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()
    }
    content = save(tensors, metadata=dict(metadata))
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def parse_weights(content: bytes) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and text of a safetensors file, SafetensorError if it is damaged.

    Of its bytes: a file that is mapped into memory ends the process (SIGBUS) where the disk cannot give it back.
    """
    tensors = load(content)  # checks that the header describes every byte
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return tensors, header.get("__metadata__", {})


def _checked(content: bytes) -> bytes:
    """The part before the digest; all of it where there is none, as in files of earlier versions."""
    state, mark, digest = content.rpartition(_MARK)
    if not mark or len(digest) != hashlib.sha256().digest_size:
        return content
    if hashlib.sha256(state).digest() != digest:
        raise ValueError("its bytes are not those that were written")
    return state
