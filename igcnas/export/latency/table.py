"""The table by which times are predicted: what each kind of operator costs in one setting on one machine.

It is fitted once (`latency.fitting`) and kept in the cache folder, by setting, version of the runtime and machine. A
prediction is a sum over the layers of a plan. It may fall where channels that did not fit the kernels of a runtime
come to fit them; `least` is what the same network would take if all fitted, which never falls as channels are added.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from igcnas.errors import IgcnasError
from igcnas.export.latency.operators import ODD, is_convolution, work
from igcnas.export.latency.setting import Setting
from igcnas.network.plan import Plan
from igcnas.system.files import write_text
from igcnas.system.folders import caches, writable
from igcnas.system.processor import fingerprint
from igcnas.system.reading import as_kind, plain_json, read_bytes

_FORMAT = 1
CALL, CONVOLUTION = "call", "convolution"  # the kinds of what every call, and every convolution, costs


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Of predictions for networks that were not fitted, relative: median and 90th percentile of the absolute value.

    of: the family of the networks, the size of their images, or 'all'.
    """

    of: str
    networks: int
    median: float
    p90: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeTable:
    """What things cost.

    Attributes:
        setting, version, machine: as in `timing.Timing`.
        vector: channels that kernels take at a time.
        costs: milliseconds of one unit of each feature, by 'kind: what'; none is negative. Those of CONVOLUTION are of
            every kind of convolution, and what stands at a kind comes on top.
        over: measured over predicted, which four of five networks that were not fitted do not exceed.
        fitted: networks from which they are.
        errors: for others, of all, then of each family and each size of images.
    """

    setting: Setting
    version: str
    machine: str
    vector: int
    costs: Mapping[str, float]
    over: float
    fitted: int
    errors: tuple[HeldOut, ...]

    def predict(self, network: Plan) -> float:
        """Milliseconds of a plan as `network.plan.plan` gives it."""
        return sum(self.by_kind(network).values())

    def least(self, network: Plan) -> float:
        """A part of the prediction that does not fall as channels are added, from two a group on."""
        every = work(network, self.vector).items()
        parts = (number * self.cost(kind, what) for (kind, what), number in every if not what.startswith(ODD))
        return self.costs.get(CALL, 0.0) + sum(parts)

    def nanoseconds(self, network: Plan) -> int:
        """What a budget takes it for: so much that four of five networks do not take longer."""
        return round(1e6 * self.over * self.predict(network))

    def least_nanoseconds(self, network: Plan) -> int:
        """The same of `least`."""
        return round(1e6 * self.over * self.least(network))

    def by_kind(self, network: Plan) -> dict[str, float]:
        """Milliseconds of each kind of operator, and of the call."""
        found = {CALL: self.costs.get(CALL, 0.0)}
        for (kind, what), number in work(network, self.vector).items():
            found[kind] = found.get(kind, 0.0) + number * self.cost(kind, what)
        return found

    def cost(self, kind: str, what: str) -> float:
        """Of one unit: what it costs in any convolution, and what it costs beyond that in this kind."""
        shared = self.costs.get(f"{CONVOLUTION}: {what}", 0.0) if is_convolution(kind) else 0.0
        return shared + self.costs.get(f"{kind}: {what}", 0.0)

    def kinds(self) -> list[str]:
        """The kinds of operators that it has costs of their own for."""
        found = dict.fromkeys(name.partition(": ")[0] for name in self.costs)
        return sorted(found.keys() - {CALL, CONVOLUTION})

    def words(self) -> str:
        """How it predicts: runtime, batch, threads and machine."""
        return self.setting.words_on(self.version, self.machine)

    def accuracy(self) -> str:
        """Its error in words."""
        whole = self.errors[0]
        return (
            f"median error {100 * whole.median:.0f} %, 90th percentile {100 * whole.p90:.0f} %, of {whole.networks} "
            "networks that were not fitted"
        )


def keep_table(table: TimeTable) -> str:
    """Keep it for this machine; the path, "" where no folder can be written."""
    folder = writable(caches())
    if folder is None:
        return ""
    path = folder / _name(table.setting, table.version, table.machine)
    write_text(path, json.dumps({"format": _FORMAT, **asdict(table)}, indent=1) + "\n")
    return str(path)


def known_table(setting: Setting) -> TimeTable | None:
    """That of this setting on this machine; None where none is kept, or it cannot be read."""
    from igcnas.export.latency.timing import machine_of

    version, machine = machine_of(setting)
    for folder in caches():
        with suppress(IgcnasError, OSError, ValueError):
            found = plain_json(read_bytes(folder / _name(setting, version, machine), advice="remove it"))
            return table_of(found)
    return None


def table_of(plain: Any) -> TimeTable:
    """The table that plain data describe; IgcnasError where they do not."""
    content = {key: value for key, value in plain.items() if key != "format"} if isinstance(plain, dict) else plain
    return as_kind(content, TimeTable, where="a table of times", advice="fit it again: igcnas latency --fit")


def _name(setting: Setting, version: str, machine: str) -> str:
    told = json.dumps([_FORMAT, asdict(setting), version, machine, fingerprint()])
    return f"times-{hashlib.sha256(told.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}.json"
