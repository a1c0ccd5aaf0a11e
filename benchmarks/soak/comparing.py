"""What of a study must not depend on faults, and what must hold of every study whatever was done to it."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

from igcnas.search.folder import open_study, trial_folder
from igcnas.search.records import champions, counted, records
from igcnas.search.settings import StudySettings

# What a search decides and measures; seconds and memory are of the machine.
_SEARCHED = ("number", "state", "canonical_id", "target", "baseline", "seed", "repeat", "repeat_of", "macs")
_MEASURED = ("params", "measured_macs", "measured_params", "val_accuracy", "curve", "pruned_at", "spared_at")


def fingerprint(folder: Path) -> dict[str, Any]:
    """All of a study that must not depend on interruptions: trainings, their order, parameters, weights, the front."""
    study, settings = open_study(folder), StudySettings.read(folder)
    every = records(study)
    found: dict[str, Any] = {"numbers": [trial.number for trial in study.trials]}
    for record, trial in zip(every, study.trials, strict=True):
        found[f"training {record.number}"] = {name: getattr(record, name) for name in (*_SEARCHED, *_MEASURED)} | {
            "architecture": record.architecture.to_json(),
            "parameters": trial.params,
            "values": trial.values,
            "weights": _digest(trial_folder(folder, record.number) / "weights.safetensors"),
            "files": sorted(path.name for path in trial_folder(folder, record.number).iterdir()),
        }
    found["front"] = [
        (one.record.number, one.accuracies) for one in champions(every, settings.budget, settings.compares)
    ]
    return found


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What differs between two fingerprints, by name."""
    return [
        f"{key}: {one.get(key)} -> {other.get(key)}"
        for key in sorted(one.keys() | other.keys())
        if one.get(key) != other.get(key)
    ]


def broken(folder: Path, networks: int) -> list[str]:
    """What does not hold that must: in words, nothing where all does.

    Every network that is reported finished is there once, with weights and a curve of every epoch; none is in training;
    none was trained beyond its retries; the search reached its total.
    """
    every = records(open_study(folder))
    found = [f"training {one.number} is {one.state}" for one in every if one.state in ("running", "waiting")]
    found += [f"training {one.number} failed: {one.reason}" for one in every if one.state == "failed"]
    seen = Counter((one.canonical_id, one.repeat) for one in every if one.state != "failed")
    found += [
        f"network {name} was trained {times} times as repeat {repeat}"
        for (name, repeat), times in seen.items()
        if times > 1
    ]
    for one in every:
        if one.state == "complete":
            weights = trial_folder(folder, one.number) / "weights.safetensors"
            if not weights.is_file() or not weights.stat().st_size:
                found.append(f"training {one.number} has no weights")
            if len(one.curve) != one.epochs:
                found.append(f"training {one.number} has {len(one.curve)} of {one.epochs} epochs")
    if counted(every) != networks:
        found.append(f"{counted(every)} of {networks} networks")
    return found


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
