"""Trained weights as files: what a checkpoint says of itself, and weights from elsewhere to start from."""

from __future__ import annotations

import hashlib
import json
import math
import pickletools
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from msgspec import Meta
from torch import nn

from igcnas.errors import ArchitectureError, IgcnasError, MachineError
from igcnas.modules.build import build
from igcnas.network.architecture import Architecture
from igcnas.network.cost import count_plan
from igcnas.network.exported import TrainedOn
from igcnas.network.plan import Plan
from igcnas.system import bounds
from igcnas.system.files import fault
from igcnas.system.reading import as_kind, parse_json
from igcnas.training import pretrained
from igcnas.training.checkpoint import parse_weights, write_weights
from igcnas.training.ports import recognise
from igcnas.training.recipes import NormConstants

BEST, LAST = "best.safetensors", "last.safetensors"
_KEY = "igcnas"
_MOST_INTEGER = 10**6  # in a pickle of a state dict, beside what its file has bytes for


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
        from safetensors import SafetensorError

        try:
            state, metadata = parse_weights(path.read_bytes())
        except (OSError, SafetensorError) as error:
            raise IgcnasError(f"{path} cannot be read as safetensors ({error})") from None
        if _KEY not in metadata:
            raise IgcnasError(
                f"{path} does not say which network it is of and how images are normalised; give a checkpoint of "
                "igcnas train, or export the network first"
            )
        advice = "fetch it again, or train the network again"
        where = f"the metadata of {path}"
        facts = parse_json(metadata[_KEY], _Facts, where=where, error=IgcnasError, advice=advice)
        as_kind(facts.data, TrainedOn, where=f"{where}, data,", error=IgcnasError, advice=advice)
        try:
            architecture = Architecture.from_dict(facts.architecture)
        except ArchitectureError as error:
            raise IgcnasError(f"{where}: {error}") from None
        if not len(facts.mean) == len(facts.std) == architecture.input_shape[0]:
            raise IgcnasError(f"{where}: mean and std are not of {architecture.input_shape[0]} channels; {advice}")
        if len(facts.classes) != architecture.num_classes:
            raise IgcnasError(f"{where}: {len(facts.classes)} names of {architecture.num_classes} classes; {advice}")
        return Checkpoint(
            architecture=architecture,
            state=state,
            mean=facts.mean,
            std=facts.std,
            classes=facts.classes,
            epoch=facts.epoch,
            data=facts.data,
            epsilon=facts.epsilon,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What a checkpoint says beside its tensors."""

    architecture: dict[str, Any]
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Meta(gt=0)], ...]
    classes: tuple[str, ...]
    epoch: bounds.Epoch
    data: dict[str, Any]
    epsilon: bounds.AboveZero = NormConstants().epsilon


def loaded(network: Plan, state: Mapping[str, torch.Tensor], *, where: str | Path) -> nn.Module:
    """The module of a plan with these weights, in evaluation mode; IgcnasError where they are of another network."""
    held = sum(math.prod(tensor.shape) for tensor in state.values())
    if count_plan(network).params > held:  # before memory is asked for: a file may declare any network
        raise IgcnasError(f"the weights of {where} are not of its architecture, which has more; fetch both again")
    module = build(network)
    try:
        module.load_state_dict(dict(state))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise IgcnasError(f"the weights of {where} are not of its architecture: {reason}") from None
    return module.eval()


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
            return parse_weights(path.read_bytes())[0]
        _check_state(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise IgcnasError(f"{path} holds no state dict ({error.strerror}); give another file") from None
    except OSError as error:  # the disk or the system, not what the file holds
        raise MachineError(fault("read", path, error)) from error
    except Exception as error:  # both raise what their parts raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise IgcnasError(f"{path} holds no state dict ({reason}); give another file") from None
    state = content
    if isinstance(content, Mapping):
        state = next((content[nest] for nest in _NESTS if isinstance(content.get(nest), Mapping)), content)
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise IgcnasError(f"{path} holds no state dict: tensors by name are expected")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}  # the prefix of DataParallel


def _check_state(path: Path) -> None:
    """ValueError for a file of torch.save that says it holds more than its bytes could, before torch makes room."""
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED or entry.file_size > size for entry in archive.infolist()):
                raise ValueError("a compressed archive, which torch.save never writes")
            pickles = [entry for entry in archive.namelist() if entry.endswith("data.pkl")]
            for name in pickles:
                with archive.open(name) as file:
                    _check_pickle(file, size)
    else:
        with open(path, "rb") as file:
            for _ in range(5):  # before torch 1.6: magic number, version, machine, state dict, keys; then the bytes
                _check_pickle(file, size, magic=True)


def _check_pickle(file: Any, size: int, *, magic: bool = False) -> None:
    """Before it is read: no number of elements beyond the file's bytes, no name that makes room by itself."""
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "LONG1" and magic:
            continue  # the magic number of the format has 80 bits
        if isinstance(argument, int) and argument > max(size, _MOST_INTEGER):
            raise ValueError(f"{opcode.name} {str(argument)[:20]} in a file of {size:,} bytes")
        if isinstance(argument, str) and "bytearray" in argument:
            raise ValueError("it asks for a bytearray, which tensors do not need")


def load_pretrained(path: Path, say: Callable[[str], None]) -> Callable[[nn.Module], None]:
    """A function that puts the weights in a file into a network, which may have learned grouping that they lack.

    What was not found there is said in one line; IgcnasError with the file where the weights are of another network.
    """
    state = read_state(path)

    def put(network: nn.Module) -> None:
        try:
            missing = pretrained.load_pretrained(network, state)
        except IgcnasError as error:
            raise IgcnasError(f"{path}: {error}") from None
        found = f"not found there: {_list(list(missing))}" if missing else "nothing is missing"
        port = recognise(state)
        of = "" if port is None else f", those of {port.name}"
        say(f"start     from {len(state)} tensors of {path}{of}; {found}")

    return put


def _list(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
