"""The pictures that the dashboard shows as artifacts. None is stored: each is drawn when it is opened."""

from __future__ import annotations

import io
import tempfile
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from optuna.artifacts.exceptions import ArtifactNotFound

from igcnas import drawing
from igcnas.architecture import Architecture
from igcnas.errors import IgcnasError
from igcnas.importance.samples import LEAST
from igcnas.records import TrialRecord, records, trained
from igcnas.study import StudySettings, open_study

_FRONT, _IMPORTANCE, _BLOCK, _NETWORK = "pareto.png", "importance.png", "block.svg", "network.svg"


class Pictures:
    """An artifact store of Optuna's protocol that draws. Ids follow from what is shown, so that they stay the same."""

    def __init__(self, folder: Path, settings: StudySettings) -> None:
        self._folder, self._settings = folder, settings
        self._networks: dict[str, tuple[str, Architecture]] = {}
        self._matplotlib = threading.Lock()
        self._ids = {str(uuid.uuid5(uuid.NAMESPACE_OID, name)): name for name in (_FRONT, _IMPORTANCE)}
        self._drawn: dict[str, tuple[int, bytes]] = {}
        self._drawing = {name: threading.Lock() for name in self._ids.values()}

    def of_study(self, every: Sequence[TrialRecord]) -> dict[str, str]:
        """File names by id of the pictures of the study; what matters is told from enough searched networks on."""
        enough = sum(record.searched for record in trained(every)) >= LEAST
        return {key: name for key, name in self._ids.items() if name == _FRONT or enough}

    def of_network(self, trial_id: int, record: TrialRecord) -> dict[str, str]:
        """The same of one network: its block and its stages."""
        found = {}
        for name in (_BLOCK, _NETWORK):
            if _drawer(name) is not None:
                key = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{trial_id}/{name}"))
                self._networks[key] = (name, record.architecture)
                found[key] = name
        return found

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The picture, as the study is now."""
        try:
            if artifact_id in self._networks:
                name, architecture = self._networks[artifact_id]
                return io.BytesIO(_standalone(_drawer(name)(architecture)))
            if artifact_id in self._ids:
                return io.BytesIO(self._study_picture(self._ids[artifact_id]))
        except IgcnasError as error:
            raise ArtifactNotFound(str(error)) from None
        raise ArtifactNotFound(f"no picture {artifact_id}")

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Refuse."""
        raise ArtifactNotFound("the dashboard only looks at a study")

    def remove(self, artifact_id: str) -> None:
        """Refuse."""
        raise ArtifactNotFound("the dashboard only looks at a study")

    def _study_picture(self, name: str) -> bytes:
        """Drawn anew where the journal has changed."""
        with self._drawing[name]:
            size = (self._folder / "journal.log").stat().st_size
            known = self._drawn.get(name)
            if known is None or known[0] != size:
                known = self._drawn[name] = (size, self._draw(name))
            return known[1]

    def _draw(self, name: str) -> bytes:
        study = open_study(self._folder)
        title = self._folder.resolve().name
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            if name == _FRONT:
                from igcnas.figures import save_front

                with self._matplotlib:
                    save_front(path, records(study), self._settings, title=title)
            else:
                from igcnas.importance import analyse, samples_of
                from igcnas.importance.figure import save_importance

                report = analyse(samples_of(study, self._settings))
                with self._matplotlib:
                    save_importance(path, report, title=f"{title}: what matters among {report.n} searched networks")
            return path.read_bytes()


def _drawer(name: str):  # type: ignore[no-untyped-def]
    """What draws such a picture of a network; None where `igcnas.drawing` cannot."""
    return getattr(drawing, {_BLOCK: "block_svg", _NETWORK: "network_svg"}[name], None)


def _standalone(svg: str) -> bytes:
    """A picture that was made for the inside of a page, as a file."""
    if "xmlns=" not in svg:
        svg = svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return svg.encode("utf-8")
