"""What a finish came to, as text and plain data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from igcnas.results.finishing.plan import FinishSettings
from igcnas.results.finishing.testing import Finished
from igcnas.results.table import Column, Table, span
from igcnas.statistics.noise import effective_images
from igcnas.training.settings import ACCURACY, BALANCED
from igcnas.units import counted

_COLUMNS = (
    Column.numbers("gain", lambda one: one.gain, "+.2f"),
    Column.numbers("95 % interval", lambda one: one.interval, span("+.2f")),
    Column.numbers("mean", lambda one: one.mean, ".2f", unit="%"),
    Column.numbers("sd", lambda one: one.sd, ".2f"),
    Column.numbers("n", lambda one: len(one.accuracies)),
)


def text(found: Sequence[Finished], settings: FinishSettings) -> str:
    """For a terminal."""
    of = ""
    if settings.training.metric == BALANCED:
        of = ", balanced" if found[0].by_class is not None else ", accuracy"
    columns = (
        Column.words("network", lambda one: str(settings.member(one.member).number)),
        Column.numbers(f"search{of}", lambda one: one.short, ".2f", unit="%"),
        Column.numbers(f"finished{of}", lambda one: one.first, ".2f", unit="%"),
        *_COLUMNS,
    )
    return "\n".join([Table.of(columns, found).text(), *notes(found, settings)])


def notes(found: Sequence[Finished], settings: FinishSettings) -> list[str]:
    """What a reader must know to judge the table."""
    first = found[0]
    kind = "Balanced accuracies" if first.by_class is not None else "Accuracies"
    return [
        f"{kind} are of {counted(first.images, 'test image')}, which were read once, after the last training.",
        *_about_classes(found, settings),
        "search: the weights of the search. finished: the first seed, which is handed over; mean, sd and n are of "
        f"{'all seeds' if settings.seeds > 1 else 'one seed (give --seeds 3 for a spread)'}.",
        "The interval is of these two trainings on images like these; another seed gives another gain.",
    ]


def _about_classes(found: Sequence[Finished], settings: FinishSettings) -> list[str]:
    """Which accuracies these are, in a study that compares networks by balanced accuracy."""
    first = found[0]
    if first.by_class is not None:
        images = effective_images(first.class_images)
        plain = ", ".join(f"{one.plain_accuracies[0]:.2f} %" for one in found)
        return [
            "A balanced accuracy is the mean over classes of the share of their images that is right.",
            f"The finished weights answer {plain} of all images rightly.",
            f"The interval is that of {images:,} images of classes of one size.",
        ]
    if settings.training.metric == BALANCED:
        return [
            "They are plain accuracies; the study compares networks by balanced accuracy.",
            "An earlier version of igcnas read this test, and kept no counts of classes.",
        ]
    return []


def balance_line(found: Sequence[Finished], classes: Sequence[str]) -> list[str]:
    """What answering the largest class of the test images always would score, where they are unbalanced."""
    from igcnas.data.examination import is_unbalanced

    first = found[0]
    images = first.class_images
    if len(images) != len(classes) or not is_unbalanced(max(images) / first.images, len(classes)):
        return []
    share = 100 * max(images) / first.images
    of = f"the {first.images:,} test images"
    if first.by_class is not None:
        present = sum(count > 0 for count in images)
        of += f", a balanced accuracy of {100 / present:.2f} %"
    return [f"balance   answering {classes[images.index(max(images))]!r} always would score {share:.2f} % of {of}"]


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
            "metric": ACCURACY if one.by_class is None else BALANCED,
            "plain_test_accuracy": one.plain_accuracies[0],
            "accuracies": one.accuracies,
            "mean": one.mean,
            "sd": one.sd,
        }
        for one, place in zip(found, places, strict=True)
    ]
    return {"networks": rows, "epochs": settings.recipe.epochs, "recipe": settings.recipe.name}
