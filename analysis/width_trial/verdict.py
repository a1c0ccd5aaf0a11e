"""What a trial says about 'accuracy at equal MACs peaks within a factor `near` of L = M S', by a rule fixed beforehand.

By the quadratic:   support      its curvature is below 0 (95 %), and the 95 % interval of its vertex lies within
                                 [1/near, near]
                    contradict   no vertex within [1/near, near] is compatible with the data (the interval lies outside,
                                 or the curve rises or falls all through it), or the curvature is above 0 (95 %)
                    cannot tell  otherwise
By the ratios       support      all networks that may be the best one lie within [1/near, near]
(no curve assumed): contradict   none of them does
                    cannot tell  otherwise
Together:           that of the quadratic, unless the data refute the quadratic (lack of fit, p < 0.05); then it counts
                    only where the ratios say the same, and is 'cannot tell' otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .quadratic import Quadratic

SUPPORT, CONTRADICT, CANNOT_TELL = "support", "contradict", "cannot tell"
LEVEL = 0.05


def by_quadratic(curve: Quadratic, near: float) -> str:
    """See above."""
    reach, vertices = math.log2(near), curve.vertices()
    low, high = curve.curvature_interval()
    if high < 0 and vertices.within(reach):
        return SUPPORT
    if low > 0 or vertices.apart_from(reach):
        return CONTRADICT
    return CANNOT_TELL


def by_ratios(may_be_best: Sequence[float], near: float) -> str:
    """`may_be_best`: ratios of the networks that are not worse than any other."""
    inside = [1 / near <= ratio <= near for ratio in may_be_best]
    return SUPPORT if all(inside) else CONTRADICT if not any(inside) else CANNOT_TELL


def together(quadratic: str, ratios: str, lack_of_fit: float | None) -> str:
    """See above."""
    refuted = lack_of_fit is not None and lack_of_fit < LEVEL
    return quadratic if not refuted or quadratic == ratios else CANNOT_TELL
