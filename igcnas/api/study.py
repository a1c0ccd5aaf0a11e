"""A study in Python: what it holds, as tables and pictures, and what can be made of it."""

from __future__ import annotations

import base64
import contextlib
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.api.words import parsed
from igcnas.errors import IgcnasError, StudyError
from igcnas.search.study import Study
from igcnas.system.files import write_text
from igcnas.units import counted

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from igcnas.export.network import ExportedNetwork
    from igcnas.search.records import Network, TrialRecord
    from igcnas.search.repeating import Standing


class SearchedStudy:
    """What `igcnas.search` and `igcnas.open_study` give. All answers are of the moment it was opened; see `reload`.

    Attributes:
        folder: where it is.
        name: of the folder.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self.folder, self.name = study.folder, study.name

    def reload(self) -> SearchedStudy:
        """The study as it is now."""
        return SearchedStudy(Study.read(self.folder))

    @property
    def leader(self) -> TrialRecord | None:
        """The network that the study puts first, by the mean over its trainings; None where none keeps the budget.

        leader.number, leader.macs, leader.params, leader.val_accuracy (percent, of its first training),
        leader.architecture.
        """
        return self._study.leader

    @property
    def front(self) -> Sequence[Network]:
        """The Pareto front, cheapest first: each with record, mean (percent), sd (points, None of one training), n."""
        return self._study.front

    @property
    def networks(self) -> Sequence[Network]:
        """Every network that was trained to the end."""
        return self._study.networks

    @property
    def trials(self) -> Sequence[TrialRecord]:
        """Every training, also those that failed or were pruned, in the order of their numbers."""
        return self._study.records

    @property
    def standing(self) -> Standing | None:
        """How sure it is that the leader is the best (standing.race), and who else may be."""
        return self._study.standing

    def frame(self, what: str = "trials") -> pandas.DataFrame:
        """A table: 'trials', a row a training; 'networks', a row a network; 'curves', a row an epoch."""
        from igcnas.search.records import frames

        tables = {"trials": frames.frame, "networks": frames.networks_frame, "curves": frames.curves}
        if what not in tables:
            raise IgcnasError(f"no table {what!r}; there are {', '.join(map(repr, tables))}")
        return tables[what](self.folder)

    def plot(self) -> Figure:
        """The front as a matplotlib figure: accuracy in percent against the cost that the study compares at."""
        from igcnas.results.figures import front_figure

        return front_figure(self._study.records, self._study.settings, title=self.name)

    def draw(self, number: int | None = None) -> Picture:
        """The network of this number, or the leader, as a picture that a notebook shows; picture.svg is its text."""
        from igcnas.drawing.thumbnails import network_svg

        return Picture(network_svg(self._study.record(number).architecture))

    def draw_block(self, number: int | None = None) -> Picture:
        """A block of the network of this number, or of the leader: who is connected to whom."""
        from igcnas.drawing.thumbnails import block_svg

        return Picture(block_svg(self._study.record(number).architecture))

    def report(self, file: str | Path | None = None) -> Path:
        """Write all of the study on one page, report.html in its folder unless `file` says otherwise; where it is."""
        page = self.folder / "report.html" if file is None else Path(file)
        _run("report", self.folder, {"out": page})
        return page

    def export(self, number: int | None = None) -> Path:
        """Write the leader to best/, or the network of this number; the folder. The test split is read once."""
        from igcnas.results.best import export_of

        return export_of(self._study, number, times=True).folder

    def finish(self, number: int | None = None, **options: Any) -> ExportedNetwork:
        """Train the leader, or the network of this number, to the end on all data; the finished network.

        Args:
            number: of the network; None for the leader.
            options: as `igcnas finish --help` has them: epochs, recipe, seeds, teacher, name, device, workers.
        """
        from igcnas.api.network import load
        from igcnas.cli.finish import finished

        trial = None if number is None else [number]
        arguments = parsed("finish", [str(self.folder)], {"trial": trial, **options})
        status, found = finished(arguments)
        if found is None:
            raise KeyboardInterrupt if status >= 128 else StudyError(f"igcnas finish ended with status {status}")
        return load(found["networks"][0]["export"])

    def _repr_html_(self) -> str:
        """Verdict, front, and the block of the leader: what a notebook shows of it."""
        leader = self.leader
        if leader is None:
            return f"<b>{escape(self.name)}</b>: no network was trained within the budget yet"
        standing = self.standing
        assert standing is not None, "there is a leader"
        first = standing.first
        spread = (
            f", mean of {counted(first.n, 'training')}, sd {first.sd:.2f}" if first.sd is not None else ", one training"
        )
        words = (
            f"<p><b>{escape(self.name)}</b>: trial {leader.number}, {escape(leader.architecture.title())}. "
            f"{first.mean:.2f} % validation accuracy{spread}; {self._study.costs.words(leader)}; "
            f"the best of {standing.race.networks} with probability {standing.race.first.probability:.2f}.</p>"
        )
        picture = io.BytesIO()
        self.plot().savefig(picture, format="png", dpi=90)
        front = base64.b64encode(picture.getvalue()).decode()
        return f"{words}<img src='data:image/png;base64,{front}' alt='front'><p>{self.draw_block().svg}</p>"


class Picture:
    """A picture that a notebook shows. svg: its text."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, file: str | Path) -> Path:
        """Write it; where it is."""
        path = Path(file)
        write_text(path, self.svg)
        return path


def _run(command: str, folder: Path, options: Mapping[str, Any]) -> None:
    """A command, whose words nobody reads."""
    arguments = parsed(command, [str(folder)], options)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        arguments.run(arguments)
