"""`igcnas.runtime.load`: an exported network by its model.c, compiled on this machine."""

from __future__ import annotations

from pathlib import Path

from igcnas.export.network import ExportedNetwork


def load(folder: str | Path) -> ExportedNetwork:
    """The network in the folder of an export that was written with --c: compiled once, then called.

    It is a program: run none that you do not trust. IgcnasError where the folder has no model.c, or the machine no C
    compiler.
    """
    return ExportedNetwork.load(folder, runtime="c")
