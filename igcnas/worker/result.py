"""What a training leaves in the folder of its trial: result.json, and weights where it was not pruned.

The weights are written first, and the result is renamed into its place: what was once computed survives a kill of
everything, and is not computed again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from igcnas.architecture import Architecture

CHECKPOINT = "checkpoint.pt"
_RESULT, WEIGHTS = "result.json", "weights.safetensors"


def read_result(folder: Path, architecture: Architecture) -> tuple[dict[str, Any], bool] | None:
    """The result that a training of this network left in a trial's folder, and whether it was pruned; None without."""
    path = folder / _RESULT
    if not path.is_file():
        return None
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    pruned = bool(result.get("pruned"))
    if result.get("architecture_id") != architecture.id or not (pruned or (folder / WEIGHTS).is_file()):
        return None
    return _stored(result), pruned


def leave_result(folder: Path, outcome: dict[str, Any]) -> dict[str, Any]:
    """Leave the result in the folder, and no checkpoint; what the study stores of it."""
    from igcnas.training.checkpoint import write_whole

    write_whole(folder / _RESULT, json.dumps(outcome).encode())
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return _stored(outcome)


def _stored(outcome: dict[str, Any]) -> dict[str, Any]:
    """What the study stores of a result; its trials have the id already."""
    return {key: value for key, value in outcome.items() if key not in ("architecture_id", "pruned")}
