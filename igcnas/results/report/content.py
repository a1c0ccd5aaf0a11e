"""What a report says, as plain data: text, tables, pictures, and the networks that its front shows.

Units: accuracies and their spreads in percent, times in seconds, MACs and parameters as integers; costs in the units
of the front's axis. Text is plain text; whoever shows it escapes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from igcnas.network.architecture import Architecture
from igcnas.results.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure as SVG. name: of its files (name.png, name.svg) without the ending. alt: what it shows, in words."""

    name: str
    caption: str
    alt: str
    svg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of a report. key: short and stable, for links."""

    key: str
    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """One network of the study with all its trainings.

    state: 'complete', 'pruned' (accuracy: that of its last epoch). kind: 'baseline' (name: what it is called) or
    'searched'. block: its block type, as in the legend. error: half the bar on the front, else None. curves: one for
    each training, of (epoch, training loss, accuracy). choices: searched values, in words. times: of its exports.
    latency_by: what latency_ms was measured by. position, names and order as the figure of the front has them: cost in
    the units of its axis.
    """

    number: int
    state: str
    kind: str
    name: str
    label: str
    block: str
    architecture: Architecture
    cost: float
    macs: int
    params: int
    latency_ms: float | None
    accuracy: float
    accuracies: tuple[float, ...]
    sd: float | None
    error: float | None
    on_front: bool
    over_budget: bool
    origin: str
    seconds: float
    curves: tuple[tuple[tuple[int, float, float], ...], ...]
    choices: Mapping[str, str] = field(default_factory=dict)
    latency_by: str = ""
    times: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of trainings."""
        return len(self.accuracies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The cost axis of the front. budget: in its units; None where the axis is not what the budget limits."""

    title: str
    unit: str
    budget: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that the page shows. networks: in the order of their numbers, complete and pruned ones. first: the
    number of the network that the verdict puts first, None where there is none.

    summary: comes first, with the verdict as its first paragraph; then the front; then the sections, in order. study:
    its name as commands take it; of none the title. measure: what its accuracies are.
    """

    title: str
    subtitle: str
    summary: Section
    axis: Axis
    validation_images: int
    networks: tuple[NetworkFacts, ...]
    sections: tuple[Section, ...]
    written: str
    version: str
    first: int | None = None
    study: str = ""
    measure: str = "accuracy"
