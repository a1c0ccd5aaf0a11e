"""The option that says how a training computes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from igcnas.errors import StudyError
from igcnas.reading import as_kind, read_json
from igcnas.settings import ENGINES

AUTO = "auto"


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Define the option."""
    parser.add_argument(
        "--engine",
        choices=(AUTO, *ENGINES),
        default=AUTO,
        help="fast: igcnas's own kernels, on a CPU in one thread, compiled at their first use; eager: stock PyTorch. "
        "They differ by rounding alone. auto: what the study or training was begun with, else fast on a CPU; eager for "
        "several processes and on CUDA, where fast has not been run yet (default: %(default)s)",
    )


def chosen_engine(asked: str, *, device: str, begun: str | None, processes: int = 1) -> str:
    """The engine that the option means on this type of device; `begun`: that of the study or training so far."""
    if asked != AUTO:
        return asked
    return begun or ("fast" if device == "cpu" and processes == 1 else "eager")


def begun_engine(path: Path, *keys: str) -> str | None:
    """The engine in the settings.json of a study or training, under these keys; None where there is none to read.

    Settings without an engine are from before there were two.
    """
    try:
        found = read_json(path, dict[str, Any], advice="restore it")
        for key in keys:
            found = as_kind(found.get(key), dict[str, Any], where=str(path), advice="restore it")
    except StudyError:  # whoever opens the study or training says so
        return None
    engine = found.get("engine", "eager")
    return engine if engine in ENGINES else None
