"""Trained weights as files: what a checkpoint says of itself, and weights from elsewhere to start from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from igcnas import training
from igcnas.architecture import Architecture
from igcnas.errors import IgcnasError
from igcnas.recipes import NormConstants
from igcnas.training.checkpoint import write_weights
from igcnas.training.ports import recognise

BEST, LAST = "best.safetensors", "last.safetensors"
_KEY = "igcnas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A trained network: weights, what they are of, and how images are normalised (mean and std on [0, 1]).

    epsilon: that of its norms.
    """

    architecture: Architecture
    state: dict[str, torch.Tensor]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    epoch: int
    data: dict[str, Any]
    epsilon: float = NormConstants().epsilon

    def write(self, path: Path) -> None:
        """As safetensors, with the rest as JSON under one key: several come in another order each time."""
        facts = {name: getattr(self, name) for name in ("mean", "std", "classes", "epoch", "data", "epsilon")}
        facts["architecture"] = self.architecture.to_dict()
        write_weights(path, self.state, {_KEY: json.dumps(facts)})

    @staticmethod
    def read(path: Path) -> Checkpoint:
        """What `write` wrote; IgcnasError if it is something else."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except (OSError, SafetensorError) as error:
            raise IgcnasError(f"{path} cannot be read as safetensors ({error})") from None
        if _KEY not in metadata:
            raise IgcnasError(
                f"{path} does not say which network it is of and how images are normalised; give a checkpoint of "
                "igcnas train, or export the network first"
            )
        facts = json.loads(metadata[_KEY])
        return Checkpoint(
            architecture=Architecture.from_dict(facts["architecture"]),
            state=state,
            mean=tuple(facts["mean"]),
            std=tuple(facts["std"]),
            classes=tuple(facts["classes"]),
            epoch=facts["epoch"],
            data=facts["data"],
            epsilon=facts.get("epsilon", NormConstants().epsilon),
        )


def file_hash(path: Path) -> str:
    """16 hex digits of a file's content; IgcnasError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise IgcnasError(f"cannot read {path}: {error.strerror}") from None


# Under one of these, trainers keep a state dict beside other things.
_NESTS = ("state_dict", "net", "model", "model_state_dict", "model_state")


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name from a safetensors file, or a state dict that torch.save wrote, also one under 'state_dict'."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # both raise what their parts raise
        raise IgcnasError(f"{path} holds no state dict ({str(error).splitlines()[0]})") from None
    state = content
    if isinstance(content, Mapping):
        state = next((content[nest] for nest in _NESTS if isinstance(content.get(nest), Mapping)), content)
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise IgcnasError(f"{path} holds no state dict: tensors by name are expected")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}  # the prefix of DataParallel


def load_pretrained(path: Path, say: Callable[[str], None]) -> Callable[[nn.Module], None]:
    """A function that puts the weights in a file into a network, which may have learned grouping that they lack.

    What was not found there is said in one line; IgcnasError with the file where the weights are of another network.
    """
    state = read_state(path)

    def put(network: nn.Module) -> None:
        try:
            missing = training.load_pretrained(network, state)
        except IgcnasError as error:
            raise IgcnasError(f"{path}: {error}") from None
        found = f"not found there: {_list(list(missing))}" if missing else "nothing is missing"
        port = recognise(state)
        of = "" if port is None else f", those of {port.name}"
        say(f"start     from {len(state)} tensors of {path}{of}; {found}")

    return put


def _list(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
