"""A table of times for this machine, from networks that are drawn, timed and told about one by one."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from igcnas.errors import IgcnasError
from igcnas.export.latency.fitting import LEAST, Sample, fitted
from igcnas.export.latency.setting import Setting
from igcnas.export.latency.table import TimeTable, keep_table
from igcnas.export.latency.timing import machine_of
from igcnas.results.times.drawing import table_families, table_networks
from igcnas.results.times.sampling import times

SECONDS, MOST = 170.0, 520
_HELD = 4  # of so many rounds through the families one is not fitted, and shows the error


class FitProgress(NamedTuple):
    """How far a fit is: networks that were timed, of so many; how many of them beside another program."""

    done: int
    most: int
    busy: int


def fit_table(
    setting: Setting,
    *,
    seconds: float = SECONDS,
    most: int = MOST,
    told: Callable[[FitProgress], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> TimeTable:
    """Time networks for so long, fit a table to three quarters of them, find its error on the others, and keep it.

    What was timed is remembered, so that one which was interrupted goes on. IgcnasError where other programs leave too
    few quiet timings.
    """
    setting.require()
    samples: list[Sample] = []
    others: list[Sample] = []
    busy = 0
    rounds = len(table_families())
    for number, one in enumerate(times(islice(table_networks(), most), setting, clock=clock, until=clock() + seconds)):
        latency = one.timing.latency
        busy += latency.quiet is False
        if latency.quiet is not False:
            sample = Sample(family=one.drawn.family, network=one.network, ms=latency.median_ms)
            (others if number // rounds % _HELD == _HELD - 1 else samples).append(sample)
        told(FitProgress(number + 1, most, busy))
    if len(samples) < LEAST or len(others) < LEAST // _HELD:
        quiet, least = len(samples) + len(others), LEAST + LEAST // _HELD
        raise IgcnasError(
            f"a table of times needs {least} quiet timings or more, and {quiet} of {quiet + busy} were; in the others "
            "another program had the core; run the same command again when the machine is quieter: what was timed is "
            "kept"
        )
    table = fitted(samples, others, setting, *machine_of(setting))
    keep_table(table)
    return table
