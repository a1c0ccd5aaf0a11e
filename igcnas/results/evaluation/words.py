"""Sentences of an evaluation, alike on the terminal and in the report."""

from __future__ import annotations

from igcnas.results.evaluation.numbers import Evaluation
from igcnas.results.evaluation.writing import Kept
from igcnas.units import counted


def calibration_sentence(found: Evaluation) -> str:
    """How far shares are from frequencies. A temperature is always fitted on validation images."""
    first, *others = found.calibration
    text = f"expected calibration error {100 * first.error:.1f} points"
    if not others:
        return text
    (other,) = others
    where = (
        "fitted on these images, which flatters it" if found.split == "validation" else "fitted on validation images"
    )
    sure = "was too sure" if other.temperature > 1 else "was not sure enough"
    return f"{text}; {100 * other.error:.1f} with temperature {other.temperature:.3g} ({where}): the network {sure}"


def mistakes_sentence(kept: Kept) -> str:
    """How many there are, and the surest of them."""
    found = kept.evaluation
    wrong = found.accuracy.images - found.accuracy.right
    if not wrong or not kept.mistakes:
        return f"none of {counted(found.images, 'image')}"
    one = kept.mistakes[0]
    answer, label = found.classes[one.answer], found.classes[one.label]
    image = one.file or f"image {one.position}"
    return (
        f"{wrong:,} of {counted(found.images, 'image')}; the surest: {image} is {label!r}, answered "
        f"{answer!r} with {one.share:.1%}"
    )
