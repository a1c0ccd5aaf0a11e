"""What is said of data: where each split comes from, what was left out, and what answering the largest class scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from igcnas.data.dataset import Dataset
    from igcnas.data.examination import Examined
    from igcnas.data.origin import LeftOut
    from igcnas.search.settings import DataSettings
    from igcnas.training.runs.data import RunData

_KINDS = 5  # of what is left out, in a line


def split_lines(found: Examined, *, drawn: str) -> list[str]:
    """One line of the splits, and further ones where something is to be known. drawn: how validation is drawn."""
    origin = found.origin
    validation = origin.validation or drawn
    parts = [f"{found.train:,} to train on ({origin.train})"]
    if found.validation:
        parts.append(f"{found.validation:,} to validate on ({validation})")
    parts.append(f"{found.test:,} to test on at the end ({origin.test})")
    lines = [f"splits    {'; '.join(parts)}"]
    if found.left_out:
        lines.append(f"left out  {_left_out(found.left_out)}")
    return lines + [f"note      {note}" for note in found.notes]


def drawn_by_seed(fraction: float, *, in_groups: bool = False) -> str:
    """How a validation split comes about that the data do not bring."""
    return f"{100 * fraction:g} % of each class{' in whole groups' if in_groups else ''}, drawn by the seed"


def data_json(found: Examined, data: DataSettings) -> dict[str, Any]:
    """The same as data."""
    majority = {"class": data.majority_class, "percent": data.majority}
    return {"name": data.name, **_splits_json(found), "majority": majority}


def data_json_of(dataset: Dataset, found: Examined) -> dict[str, Any]:
    """The same before there is a study, with the number of images of each class."""
    import numpy as np

    counts = np.bincount(dataset.train.labels, minlength=dataset.num_classes).tolist()
    return {"name": dataset.name, **_splits_json(found), "classes": dict(zip(dataset.classes, counts, strict=True))}


def _splits_json(found: Examined) -> dict[str, Any]:
    return {
        "train": {"images": found.train, "from": found.origin.train},
        "validation": {"images": found.validation, "from": found.origin.validation or "drawn by the seed"},
        "test": {"images": found.test, "from": found.origin.test},
        "left_out": [{"count": one.count, "what": one.what, "example": one.example} for one in found.left_out],
        "notes": list(found.notes),
    }


def balance_lines(data: DataSettings, measure: str = "accuracy") -> list[str]:
    """Where classes are unbalanced: what an accuracy is to be compared with."""
    if not data.unbalanced:
        return []
    if measure != "accuracy":
        present = sum(images > 0 for images in data.class_images)
        return [
            f"balance   answering {data.majority_class!r} always would be right for {data.majority:.2f} % of the "
            f"{data.validation_images:,} validation images, and score {100 / present:.2f} % {measure}"
        ]
    return [
        f"balance   answering {data.majority_class!r} always would score {data.majority:.2f} % of the "
        f"{data.validation_images:,} validation images"
    ]


def balance_words(dataset: Dataset) -> list[str]:
    """The same before there is a study: of all images but the test split."""
    from igcnas.data.examination import is_unbalanced, largest_class

    label, share = largest_class(dataset.train.labels)
    if not is_unbalanced(share, dataset.num_classes):
        return []
    return [f"balance   answering {dataset.classes[label]!r} always would score about {100 * share:.2f} %"]


def majority_lines(data: RunData) -> list[str]:
    """The same for a training, of all images but the test split."""
    name, share = data.majority()
    if share <= 1.2 / len(data.classes):
        return []
    return [f"balance    answering {name!r} always would score about {100 * share:.2f} %: so many images are of it"]


def _left_out(left_out: tuple[LeftOut, ...]) -> str:
    shown = "; ".join(one.text() for one in left_out[:_KINDS])
    more, total, noun = (
        sum(one.count for one in left_out[_KINDS:]),
        sum(one.count for one in left_out),
        left_out[0].noun,
    )
    shown = f"{total:,} {noun}{'' if total == 1 else 's'}: {shown}"
    return shown + (f"; and {more:,} of other kinds" if more else "")
