"""What a finish came to, as text and plain data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from igcnas.results.finishing.plan import FinishSettings
from igcnas.results.finishing.testing import Finished
from igcnas.results.table import Column, Table, span
from igcnas.training.settings import BALANCED
from igcnas.units import counted

COLUMNS = (
    Column.words("network", lambda one: one.member),
    Column.numbers("search", lambda one: one.short, ".2f", unit="%"),
    Column.numbers("finished", lambda one: one.first, ".2f", unit="%"),
    Column.numbers("gain", lambda one: one.gain, "+.2f"),
    Column.numbers("95 % interval", lambda one: one.interval, span("+.2f")),
    Column.numbers("mean", lambda one: one.mean, ".2f", unit="%"),
    Column.numbers("sd", lambda one: one.sd, ".2f"),
    Column.numbers("n", lambda one: len(one.accuracies)),
)


def text(found: Sequence[Finished], settings: FinishSettings) -> str:
    """For a terminal."""
    return "\n".join([Table.of(COLUMNS, found).text(), *notes(found, settings)])


def notes(found: Sequence[Finished], settings: FinishSettings) -> list[str]:
    """What a reader must know to judge the table."""
    balanced = settings.training.metric == BALANCED
    return [
        f"Accuracies are of {counted(found[0].images, 'test image')}, which were read once, after the last training.",
        *(["They are plain accuracies; the study compares networks by balanced accuracy."] if balanced else []),
        "search: the weights of the search. finished: the first seed, which is handed over; mean, sd and n are of "
        f"{'all seeds' if settings.seeds > 1 else 'one seed (give --seeds 3 for a spread)'}.",
        "The interval is of these two trainings on images like these; another seed gives another gain.",
    ]


def plain(found: Sequence[Finished], settings: FinishSettings, places: Sequence[Path]) -> dict[str, Any]:
    """For JSON."""
    rows = [
        {
            "network": settings.member(one.member).number,
            "id": settings.member(one.member).architecture.id,
            "export": str(place),
            "test_images": one.images,
            "search_accuracy": one.short,
            "test_accuracy": one.first,
            "gain": one.gain,
            "gain_interval": list(one.interval),
            "accuracies": one.accuracies,
            "mean": one.mean,
            "sd": one.sd,
        }
        for one, place in zip(found, places, strict=True)
    ]
    return {"networks": rows, "epochs": settings.recipe.epochs, "recipe": settings.recipe.name}
