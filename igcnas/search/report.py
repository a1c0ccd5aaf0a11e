"""What a search tells whoever watches it, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from igcnas.search.proposals import Tally
from igcnas.search.records import TrialRecord
from igcnas.training.reports import EpochReport


class Progress(Protocol):
    """What a search tells whoever watches it."""

    def note(self, text: str) -> None:
        """A line worth reading."""

    def started(self, record: TrialRecord) -> None:
        """A network goes into training."""

    def epoch(self, number: int, report: EpochReport) -> None:
        """One more point of the learning curve of network `number`."""

    def finished(self, record: TrialRecord) -> None:
        """It is in the study: complete, pruned or failed."""


@dataclass(slots=True, kw_only=True)
class Summary:
    """How a run of the search ended, and what the study then holds.

    trained: networks trained to the end. pruned, failed: others. repeats: further trainings of trained ones.
    """

    trained: int
    failed: int
    pruned: int = 0
    repeats: int = 0
    interrupted: bool = False
    exhausted: bool = False
    tally: Tally = field(default_factory=Tally)
