"""What a training leaves in the folder of its trial: result.json, and weights where it was not pruned.

The weights are written first, and the result, with the digest of their bytes, is renamed into its place: what was once
computed survives a kill of everything, and is not computed again. What cannot be read back, or is not what was written,
is not there: the network is trained again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from igcnas.errors import StudyError
from igcnas.network.architecture import Architecture
from igcnas.system.files import read_back, remove, write_text
from igcnas.system.reading import parse_json, read_json

CHECKPOINT = "checkpoint.pt"
_RESULT, WEIGHTS = "result.json", "weights.safetensors"
FILES = (CHECKPOINT, WEIGHTS, _RESULT)
_AGAIN = "the network is trained again"
_OF_FILES = ("architecture_id", "pruned", "weights_sha256")  # what the study does not store


class _Stored(TypedDict):
    """Of result.json. curve: epoch, training loss and validation accuracy, from the first epoch on."""

    architecture_id: str
    val_accuracy: float
    seconds: float
    curve: list[tuple[int, float, float]]
    device: NotRequired[str]
    steps: NotRequired[str]
    class_right: NotRequired[list[int]]
    peak_memory_mb: NotRequired[float | None]
    latency_ms: NotRequired[float | None]
    latency_iqr_ms: NotRequired[float | None]
    latency_by: NotRequired[str]
    latency_quiet: NotRequired[bool | None]
    pruned: NotRequired[bool]


class _Finished(_Stored):
    """The same of a training that was not pruned. weights_sha256: not in results of earlier versions."""

    measured_macs: int
    measured_params: int
    measured_limits: NotRequired[dict[str, int]]
    weights_sha256: NotRequired[str]


class _Digest(TypedDict):
    weights_sha256: NotRequired[str]


def read_result(
    folder: Path, architecture: Architecture, *, note: Callable[[str], None] = lambda _text: None
) -> tuple[dict[str, Any], bool] | None:
    """The result that a training of this network left in a trial's folder, and whether it was pruned; None without.

    note: told where there is one that cannot be used, and why.
    """
    content = read_back(folder / _RESULT)
    if content is None:
        return None
    try:
        # As a plain dictionary: what the study stores is what JSON holds.
        result = parse_json(content, dict[str, Any], where=str(folder / _RESULT), advice=_AGAIN)
        pruned = result.get("pruned") is True
        parse_json(content, _Stored if pruned else _Finished, where=str(folder / _RESULT), advice=_AGAIN)
    except StudyError as error:
        note(str(error))
        return None
    if result["architecture_id"] != architecture.id:
        return None
    reason = None if pruned else _damage(folder / WEIGHTS, architecture, result.get("weights_sha256"))
    if reason is not None:
        note(f"{folder / WEIGHTS} {reason}; {_AGAIN}")
        return None
    return _stored(result), pruned


def leave_result(folder: Path, outcome: dict[str, Any]) -> dict[str, Any]:
    """Leave the result in the folder, and no checkpoint; what the study stores of it."""
    write_text(folder / _RESULT, json.dumps(outcome))
    remove(folder / CHECKPOINT)
    return _stored(outcome)


def check_weights(folder: Path, architecture: Architecture) -> None:
    """StudyError where the weights that a finished training left in its folder are gone, or not what it wrote."""
    try:
        result = read_json(folder / _RESULT, _Digest, advice="")
    except StudyError:  # of an earlier version, or lost: without a digest the form alone tells
        result = _Digest()
    reason = _damage(folder / WEIGHTS, architecture, result.get("weights_sha256"))
    if reason is not None:
        raise StudyError(f"{folder / WEIGHTS} {reason}; restore it from a copy, or train the network in another study")


def _damage(weights: Path, architecture: Architecture, sha256: str | None) -> str | None:
    """What is wrong with a file of weights, None if nothing is. sha256: of the bytes that were written, if known."""
    from safetensors import SafetensorError

    from igcnas.training.checkpoint import parse_weights

    content = read_back(weights)
    if content is None:
        return "is gone"
    try:
        _, metadata = parse_weights(content)
    except SafetensorError as error:
        return f"is damaged ({str(error).splitlines()[0]})"
    if metadata.get("architecture") != architecture.to_json():
        return "is of another network"
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        return "is damaged (its bytes are not those that were written)"
    return None


def _stored(outcome: dict[str, Any]) -> dict[str, Any]:
    """What the study stores of a result; its trials have the id already."""
    return {key: value for key, value in outcome.items() if key not in _OF_FILES}
