"""What exports of a study measured on the test split."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from igcnas.network.exported import exported_in
from igcnas.statistics.noise import standard_error
from igcnas.units import counted

_NUMBER = re.compile(r"number (\d+) of .* trained.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """One export. folder: within that of the study. images, error: None of an export that did not keep their number.

    accuracy: of the exported network on the test split, in percent. error: its binomial standard error, in points.
    balanced: the balanced accuracy in words, of a study that compares by it; '' else. times: how long it took, in
    words.
    """

    folder: str
    number: int
    accuracy: float
    images: int | None
    error: float | None
    balanced: str = ""
    times: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether it is the network as `igcnas finish` trained it, longer and on more images than the search."""
        return self.folder.startswith("final")

    def words(self) -> str:
        """The accuracy with what it may be off; a balanced one first."""
        if self.images is None:
            return f"{self.accuracy:.2f} %"
        found = f"{self.accuracy:.2f} % +- {self.error:.2f}"
        if self.balanced:
            return f"balanced accuracy {self.balanced}; {found} of all images right"
        return f"{found} (one standard error, {counted(self.images, 'image')})"


def exports_of(folder: Path) -> tuple[Tested, ...]:
    """Every export in the folder of a study that was tested: final/, the best network, further finishes, others.

    An export that is damaged, or that does not say of which network it is, is passed over.
    """
    found = []
    finished = sorted(folder.glob("final-*"))
    for place in (folder / "final", folder / "best", *finished, *sorted(folder.glob("trials/*/export"))):
        data = exported_in(place)
        if data is None:
            continue
        number = _NUMBER.fullmatch(data.facts.get("network", ""))
        if number is None or not data.test_accuracy:
            continue
        accuracy = data.test_accuracy.get("lowered", next(iter(data.test_accuracy.values())))
        images = data.test_images
        found.append(
            Tested(
                folder=place.relative_to(folder).as_posix(),
                number=int(number[1]),
                accuracy=accuracy,
                images=images,
                error=None if images is None else standard_error(accuracy, images),
                balanced=data.facts.get("test balanced accuracy", ""),
                times=tuple(one.words() for one in data.times),
            )
        )
    return tuple(found)
