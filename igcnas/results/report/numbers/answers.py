"""What `igcnas evaluate` found of the exported networks of a study, the final one first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from igcnas.results.evaluation.writing import BEST, FINAL, KEPT, Kept, is_kept, network_digest, read_kept
from igcnas.search.study import Study

SPLITS = ("test", "validation")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """The evaluation of one exported network on one split.

    folder: of the network, within that of the study. current: whether it is of the network that is there now.
    """

    folder: str
    kept: Kept
    current: bool


def answers_of(study: Study) -> tuple[Answered, ...]:
    """Every evaluation that was kept."""
    found = []
    further = sorted(place.name for place in (study.folder / KEPT).glob(f"{FINAL}-*") if is_kept(place.name))
    for name in (FINAL, BEST, *further):
        place = study.folder / name
        for split in SPLITS:
            kept = read_kept(study.folder / KEPT / name, split)
            if kept is not None:
                current = kept.network == _digest(place / "model.onnx")
                found.append(Answered(folder=name, kept=kept, current=current))
    return tuple(found)


def _digest(path: Path) -> str | None:
    try:
        return network_digest(path)
    except OSError:
        return None
