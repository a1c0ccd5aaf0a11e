"""The times of many networks: each is made while others are timed, and timed alone.

What takes long for model.c is the compiler, so several are made at once, and the clock runs only when none is: what
computes beside a timing would be in it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from igcnas.errors import IgcnasError
from igcnas.export.latency.running import runner, untrained
from igcnas.export.latency.setting import Setting
from igcnas.export.latency.timing import Timing, known_timing, timed
from igcnas.modules.lowering import Lowered
from igcnas.network.plan import Plan, plan
from igcnas.results.times.drawing import Drawn
from igcnas.system.files import naming_faults

_LEAST_CALLS, _SECONDS = 5, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One network, its plan and its time."""

    drawn: Drawn
    network: Plan
    timing: Timing


def times(
    networks: Iterable[Drawn],
    setting: Setting,
    *,
    clock: Callable[[], float] = time.monotonic,
    until: float | None = None,
) -> Iterator[Timed]:
    """Each of these that can be timed, in order; with its first weights. Those that were timed before take no time.

    until: the time of the clock after which no other is begun.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    rest = iter(networks)
    with ThreadPoolExecutor(cores if setting.runtime == "c" else 1) as pool:
        while some := list(islice(rest, cores if setting.runtime == "c" else 1)):
            if until is not None and clock() > until:
                return
            with (
                naming_faults("use", tempfile.gettempdir()),
                tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,  # Windows keeps what is loaded
            ):
                lowered = [untrained(one.architecture) for one in some]
                made = [
                    None if known_timing(one, setting) else pool.submit(_made, one, setting, Path(folder, str(k)))
                    for k, one in enumerate(lowered)
                ]
                calls = [None if one is None else one.result() for one in made]
                for drawn, one, call, future in zip(some, lowered, calls, made, strict=True):
                    if future is not None and call is None:
                        continue
                    timing = timed(one, setting, made=lambda call=call: call, least=_LEAST_CALLS, seconds=_SECONDS)  # type: ignore[misc]
                    yield Timed(drawn=drawn, network=plan(drawn.architecture), timing=timing)


def _made(lowered: Lowered, setting: Setting, folder: Path) -> Callable[[], object] | None:
    """What runs it; None for a network that cannot be written: values of some deep ones overflow without training."""
    folder.mkdir()
    try:
        return runner(lowered, setting, folder, keep=False)
    except IgcnasError:
        return None
