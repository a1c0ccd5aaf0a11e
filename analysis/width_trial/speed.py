"""How long the networks of a trial take, measured once after the trainings and kept in latency.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from igcnas.errors import StudyError
from igcnas.export.latency.measuring import Latency, measure
from igcnas.export.latency.setting import Setting
from igcnas.modules.build import build
from igcnas.network.architecture import Architecture
from igcnas.network.plan import plan
from igcnas.system.files import write_text
from igcnas.system.reading import read_json

from .networks import Entrant

FILE = "latency.json"
BATCHES = (1, 64)


def latencies(folder: Path, networks: Sequence[Entrant], device: str) -> dict[str, dict[int, Latency]]:
    """By network and batch: a forward pass in stock PyTorch on the device, in one thread on a CPU."""
    path = folder / FILE
    try:
        known = read_json(path, dict[str, dict[str, dict[str, Latency]]], advice="remove it")
        found = {one.name: {batch: known[device][one.name][str(batch)] for batch in BATCHES} for one in networks}
    except (StudyError, KeyError):
        found = {one.name: {batch: _latency(one.architecture, device, batch) for batch in BATCHES} for one in networks}
        data = {
            device: {name: {str(batch): asdict(time) for batch, time in own.items()} for name, own in found.items()}
        }
        write_text(path, (json.dumps(data, indent=2) + "\n"))
    return found


def _latency(architecture: Architecture, device: str, batch: int) -> Latency:
    from igcnas.export.latency.running import module_runner

    setting = Setting(runtime="torch", batch=batch, device=device)
    return measure(module_runner(build(plan(architecture)).eval(), setting, architecture.input_shape), setting)
