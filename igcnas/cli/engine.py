"""The option that says how a training computes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, TextIO

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


def before_training(engine: str, *, asked: str, device: str, output: TextIO | None = None) -> None:
    """What is to be known and done before the first training of this engine on this type of device.

    asked: the option --device. Says that a GPU cannot be used, and compiles the CPU kernels where that is not done yet.
    """
    output = output or sys.stdout
    if device != "cpu":
        return
    if asked == "auto":
        from igcnas.training import unused_gpu

        if (why := unused_gpu()) is not None:
            print(f"warning: {why}. Training on the CPU", file=output, flush=True)
    if engine != "fast":
        return
    from igcnas.execution.cpu.compiling import can_be_kept, compile_all, is_compiled

    if is_compiled():
        return
    if can_be_kept():
        print("compiling the CPU kernels, once, about 40 s", file=output, flush=True)
        compile_all()
    else:
        print("no folder for the CPU kernels can be written: each process compiles them, about 40 s", file=output)


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
