"""How the networks of a study are timed, in words: what stands beside its milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from igcnas.search.records import TrialRecord
    from igcnas.search.settings import StudySettings

# Of studies from before exported networks were timed.
BY_TORCH = "torch module, batch 1, on the device that trained"


def timed_by(settings: StudySettings, records: Iterable[TrialRecord]) -> str:
    """Runtime, batch, threads and machine, as the networks say them that were timed; "" where none are."""
    if not settings.timed:
        return ""
    told = sorted({record.latency_by for record in records if record.latency_by is not None})
    if told:
        return " and ".join(told)
    return BY_TORCH if settings.latency is None else settings.latency.words()


def cost_title(settings: StudySettings, records: Iterable[TrialRecord]) -> str:
    """The title of the axis of costs in a figure of these networks."""
    words = timed_by(settings, records) if settings.compares.timed else ""
    title = settings.compares.axis.title
    return f"{title} ({words})" if words else title
