"""The options that say how the networks of a search are timed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.cli.common import is_file
from igcnas.errors import IgcnasError
from igcnas.export.latency.setting import RUNTIMES, Setting
from igcnas.network.budget import TIME
from igcnas.search.objective import OBJECTIVES
from igcnas.search.timing import BY_TORCH

if TYPE_CHECKING:
    from igcnas.search.records import TrialRecord
    from igcnas.search.settings import StudySettings

_OPTIONS = ("runtime", "latency_batch", "latency_threads", "latency_device")


def add_timing_arguments(parser: argparse.ArgumentParser) -> None:
    """How each network is timed where times are compared."""
    add = parser.add_argument
    add(
        "--runtime",
        metavar="NAME",
        help=f"with --budget-ms or --objective accuracy,latency: what runs each exported network while it is timed, "
        f"{', '.join(RUNTIMES)} (default: onnx)",
    )
    add("--latency-batch", type=int, metavar="N", help="images of one timed call (default: 1)")
    add("--latency-threads", type=int, metavar="N", help="threads of the runtime on a CPU (default: 1)")
    add("--latency-device", metavar="NAME", help="where networks are timed: cpu, cuda or cuda:N (default: cpu)")


def is_timed(arguments: argparse.Namespace) -> bool:
    """Whether the networks of such a search are timed."""
    named = any(word.partition("=")[0] == TIME.name for word in arguments.limit)
    return OBJECTIVES[arguments.objective].timed or arguments.budget_ms is not None or named


def asked_timing(arguments: argparse.Namespace) -> Setting | None:
    """What the options mean; None for a study that compares no times. IgcnasError for what this machine cannot do."""
    given = {name.removeprefix("latency_"): getattr(arguments, name) for name in _OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    if not is_timed(arguments):
        if given:
            raise IgcnasError(
                f"{_first(arguments)} is for --budget-ms and --objective accuracy,latency; add one, or leave it out"
            )
        return None
    setting = Setting(**given)
    setting.require()
    return setting


def as_timed(settings: StudySettings, arguments: argparse.Namespace, folder: Path) -> StudySettings:
    """The settings with the way to time networks that the study began with, where the options name none.

    A study from before exported networks were timed goes on as it began: its times would not compare otherwise.
    """
    from igcnas.search.settings import StudySettings

    if settings.latency is None or _first(arguments) or not is_file(folder / "settings.json"):
        return settings
    begun = StudySettings.read(folder)
    if begun.latency is not None or not begun.compares.timed:
        return settings
    print(f"note      this study began before exported networks were timed, and goes on as it began: {BY_TORCH}")
    return replace(settings, latency=None)


def with_times(settings: StudySettings, folder: Path) -> StudySettings:
    """The settings with what predicts times where the budget limits them: of the study, of the machine, or new."""
    from igcnas.search.settings import StudySettings

    if TIME.name not in settings.limits:
        return settings
    assert settings.latency is not None
    begun = StudySettings.read(folder) if is_file(folder / "settings.json") else None
    if begun is not None and begun.times is not None and begun.latency == settings.latency:
        return replace(settings, times=begun.times)
    from igcnas.cli.times import fitted
    from igcnas.export.latency.table import known_table

    table = known_table(settings.latency) or fitted(settings.latency, say=lambda text: print(text, flush=True))
    return replace(settings, times=table)


def times_line(settings: StudySettings) -> str | None:
    """What predicts times and how well, and whether they are of this machine; None where none are limited."""
    if settings.times is None or settings.latency is None:
        return None
    from igcnas.export.latency.timing import present_words

    told = f"times     predicted by a table for {settings.times.words()}: {settings.times.accuracy()}"
    now = present_words(settings.latency)
    if settings.times.words() == now:
        return told
    return f"{told}\nwarning: that is another machine or version than this, {now}, by which networks are measured"


def alone(workers: int | str, setting: Setting | None, *, timed: bool) -> bool:
    """Whether no two workers may share a device, because one would disturb what the other times there.

    On a CPU networks are timed one at a time, whatever the workers, so a number that the user gives is used; what
    shares a GPU with a timing would be in it. setting: None of a study from before, which times where it trains.
    """
    return timed and (isinstance(workers, str) or setting is None or setting.on_gpu)


def other_clock(setting: Setting | None, every: Sequence[TrialRecord]) -> str | None:
    """A line where earlier networks were timed on another machine, or by another version; None where they were not."""
    earlier = sorted({one.latency_by for one in every if one.latency_by is not None})
    if setting is None or not earlier:
        return None
    from igcnas.export.latency.timing import present_words

    now = present_words(setting)
    if earlier == [now]:
        return None
    return (
        f"warning: earlier networks of this study were timed by {' and '.join(earlier)}, and these will be by {now}: "
        "such times do not compare; go on where it began, or start another with --study NAME"
    )


def _first(arguments: argparse.Namespace) -> str | None:
    """The first of the options that was given."""
    given = [name for name in _OPTIONS if getattr(arguments, name) is not None]
    return f"--{given[0].replace('_', '-')}" if given else None
