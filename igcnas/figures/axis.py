"""The cost axis of a front: what one unit is and how it is called, for pictures, pages and tables alike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CostAxis:
    """size: what one unit of the axis is in the units of `TrialRecord.cost`. limited: whether it is what budgets limit.

    title: of the axis. unit: behind a number. equal: 'at equal ...'.
    """

    size: float
    title: str
    unit: str
    equal: str
    limited: bool = False

    def show(self, cost: float) -> str:
        """A cost of a network with its unit, in three significant digits."""
        return f"{cost / self.size:.3g} {self.unit}"


_MACS = CostAxis(
    size=1e6,
    title="MFLOPs (millions of multiply-accumulates of convolutions and linear layers, one image)",
    unit="MFLOPs",
    equal="MACs",
    limited=True,
)
_AXES = {
    "accuracy,params": CostAxis(
        size=1e3, title="thousands of parameters", unit="thousand parameters", equal="parameters"
    ),
    "accuracy,latency": CostAxis(
        size=1.0,
        title="milliseconds for one image, median on the device of the study",
        unit="ms",
        equal="latency",
    ),
}


def cost_axis(objective: str) -> CostAxis:
    """The axis of an objective of a study."""
    return _AXES.get(objective, _MACS)
