"""Each run of a command that trains leaves its provenance in the folder that it works in."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from igcnas.cli.common import command_line
from igcnas.cli.engine import engine_in_words


def recorded(folder: Path, *, devices: Iterable[str], workers: int = 1, engine: str) -> AbstractContextManager[None]:
    """For the time of the trainings. devices: as --device takes them."""
    from igcnas import provenance
    from igcnas.training import resolve_device
    from igcnas.training.device import describe

    found = [resolve_device(device) for device in devices]
    names = dict.fromkeys(map(describe, found))
    words = engine_in_words(engine, found)
    return provenance.recorded(folder, command=command_line(), devices=tuple(names), workers=workers, engine=words)
