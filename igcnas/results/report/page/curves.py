"""Learning curves as paths in a square of 1000, whose top is 0. All networks of a study share one pair of axes.

So a curve can be compared with that of the network looked at before, and the page needs no code that draws axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from igcnas.results.report.content import NetworkFacts
from igcnas.results.report.page.scales import AccuracyScale, LogScale, Tick

Curve = Sequence[tuple[int, float, float]]
_MOST = 160  # points of one curve: more cannot be told apart, and pages of long trainings would grow


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveAxes:
    """epochs: the last one of any training. cut: whether some losses are above the axis."""

    epochs: int
    losses: LogScale
    accuracies: AccuracyScale
    cut: bool

    @staticmethod
    def of(networks: Iterable[NetworkFacts]) -> CurveAxes | None:
        """Axes that hold the curves of all networks; losses that ran away are cut off. None where no curve is."""
        curves = [curve for network in networks for curve in network.curves if curve]
        if not curves:
            return None
        losses = [loss for curve in curves for _, loss, _ in curve if loss > 0 and math.isfinite(loss)]
        most = 3 * median([curve[0][1] for curve in curves if math.isfinite(curve[0][1])] or [math.inf])
        kept = [loss for loss in losses if loss <= most] or losses
        return CurveAxes(
            epochs=max(epoch for curve in curves for epoch, _, _ in curve),
            losses=LogScale.around(kept),
            accuracies=AccuracyScale.around(a for curve in curves for _, _, a in curve),
            cut=len(kept) < len(losses),
        )

    def loss_path(self, curve: Curve) -> str:
        """The training loss over epochs."""
        return self._path([(e, self.losses.share(loss) if loss > 0 else math.nan) for e, loss, _ in _thin(curve)])

    def accuracy_path(self, curve: Curve) -> str:
        """The validation accuracy over epochs."""
        return self._path([(e, self.accuracies.share(a)) for e, _, a in _thin(curve)])

    def epoch_ticks(self) -> list[Tick]:
        """The first epoch, the last, and round ones between."""
        if self.epochs <= 1:
            return [Tick(share=0.0, text="1")]
        size = 10 ** math.floor(math.log10(self.epochs))
        step = next(size * part for part in (0.1, 0.2, 0.5, 1, 2, 5) if size * part >= max(1, self.epochs / 6))
        inner = range(int(step), self.epochs, max(1, int(step)))
        marks = [1, *(mark for mark in inner if mark > step / 2 and self.epochs - mark > step / 2), self.epochs]
        return [Tick(share=self._epoch(mark), text=str(mark)) for mark in dict.fromkeys(marks)]

    def _epoch(self, epoch: int) -> float:
        return (epoch - 1) / max(1, self.epochs - 1)

    def _path(self, shares: Sequence[tuple[int, float]]) -> str:
        """A line through points; it begins again after one that is not a number."""
        parts: list[str] = []
        drawing = False
        for epoch, share in shares:
            if not math.isfinite(share):
                drawing = False
                continue
            x, y = 1000 * self._epoch(epoch), 1000 - 1000 * min(1.5, max(-0.5, share))
            parts.append(f"{'L' if drawing else 'M'}{x:.0f} {y:.0f}")
            drawing = True
        return "".join(parts) + ("h0" if len(parts) == 1 else "")


def _thin(curve: Curve) -> Curve:
    """Evenly chosen points, with the first and the last."""
    if len(curve) <= _MOST:
        return curve
    return [curve[round(place * (len(curve) - 1) / (_MOST - 1))] for place in range(_MOST)]
