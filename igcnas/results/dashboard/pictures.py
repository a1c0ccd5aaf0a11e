"""The pictures that the dashboard shows as artifacts.

The front, and block and stages of each network, are drawn when they are opened. What other commands have drawn into
the folder of the study (importance.png, audit-150/audit.png) is shown as it is there: to compute it anew while a search
runs would take its cores.
"""

from __future__ import annotations

import io
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from optuna.artifacts.exceptions import ArtifactNotFound

from igcnas.drawing.figures import png_of
from igcnas.drawing.thumbnails import block_svg, network_svg
from igcnas.network.architecture import Architecture
from igcnas.results.figures import front_figure
from igcnas.search.folder import JOURNAL
from igcnas.search.records import TrialRecord
from igcnas.search.study import Study

_FRONT = "pareto.png"
# File names of the pictures of a network, and what draws them.
_NETWORK: dict[str, Callable[[Architecture], str]] = {"block.svg": block_svg, "network.svg": network_svg}
_OTHERS = ("trials", "best", "figures")  # folders without figures, or with those of a report, as it was then


class Pictures:
    """An artifact store, as Optuna's protocol has it. Ids follow from what is shown, so that they stay the same."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Path] = {}
        self._networks: dict[str, tuple[str, Architecture]] = {}
        self._drawing = threading.Lock()
        self._front: tuple[int, bytes] = (-1, b"")

    def of_study(self) -> dict[str, str]:
        """File names by id of the pictures of the study, the front first."""
        found = [self._folder / _FRONT]
        for path in sorted((*self._folder.glob("*.png"), *self._folder.glob("*/*.png"))):
            if path.parent.name not in _OTHERS and path not in found:
                found.append(path)
        self._files = {_id(str(path.relative_to(self._folder))): path for path in found}
        return {key: str(path.relative_to(self._folder)) for key, path in self._files.items()}

    def of_network(self, trial_id: int, record: TrialRecord) -> dict[str, str]:
        """The same of one network: its first block and its stages."""
        found = {_id(f"{trial_id}/{name}"): name for name in _NETWORK}
        self._networks |= {key: (name, record.architecture) for key, name in found.items()}
        return found

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The picture, as the study is now."""
        if artifact_id in self._networks:
            name, architecture = self._networks[artifact_id]
            return io.BytesIO(_standalone(_NETWORK[name](architecture)))
        path = self._files.get(artifact_id)
        if path is not None and path.name == _FRONT and path.parent == self._folder:
            return io.BytesIO(self._draw_front())
        if path is None or not path.is_file():
            raise ArtifactNotFound(f"no picture {artifact_id}")
        return path.open("rb")

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Refused: the dashboard changes nothing."""
        raise ArtifactNotFound("the dashboard only looks at a study")

    def remove(self, artifact_id: str) -> None:
        """Refused: the dashboard changes nothing."""
        raise ArtifactNotFound("the dashboard only looks at a study")

    def _draw_front(self) -> bytes:
        """Drawn anew where the journal has changed."""
        with self._drawing:
            journal = self._folder / JOURNAL
            size = journal.stat().st_size if journal.exists() else -1  # a server does not say how much it has
            if self._front[0] != size or size < 0:
                study = Study.read(self._folder)
                self._front = (size, png_of(front_figure(study.records, study.settings, title=study.name)))
            return self._front[1]


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def _standalone(svg: str) -> bytes:
    """A picture that was made for the inside of a page, as a file; on white, since as a file it has black ink."""
    if "xmlns=" not in svg:
        svg = svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return svg.replace(">", '><rect width="100%" height="100%" fill="#fff"/>', 1).encode("utf-8")
