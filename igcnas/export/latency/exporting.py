"""How long an export takes on the machine that writes it: what its card says beside the MACs.

One image, one thread, in ONNX Runtime and, where it is written, by model.c; a quarter of a second each. No export fails
for it: what cannot be timed is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igcnas.errors import IgcnasError
from igcnas.export.latency.setting import Setting
from igcnas.export.latency.timing import timed_export
from igcnas.network.exported import Time
from igcnas.network.plan import Plan

_LOGGER = logging.getLogger(__name__)
# A slow network is called no more often than this, and nobody waits long for others who time.
_HOW: Mapping[str, Any] = {"least": 3, "seconds": 0.2, "attempts": 1, "wait": 2.0}


def export_times(folder: Path, network: Plan, *, c: bool) -> tuple[Time, ...]:
    """The times of the network in a folder. network: its lowered plan. c: whether model.c is there."""
    found = []
    for runtime in ("onnx", "c") if c else ("onnx",):
        setting = Setting(runtime=runtime)
        try:
            timing = timed_export(folder, network.input_shape, setting, network=network, **_HOW)
        except (IgcnasError, OSError) as error:
            _LOGGER.warning("the card says no time of %s: %s", setting.title, error)
            continue
        latency = timing.latency
        found.append(
            Time(
                runtime=timing.version,
                batch=setting.batch,
                threads=setting.threads,
                machine=timing.machine,
                median_ms=latency.median_ms,
                iqr_ms=latency.iqr_ms,
                quiet=latency.quiet,
            )
        )
    return tuple(found)
