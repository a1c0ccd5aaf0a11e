"""The width optimum of IGC V3, derived: groups in an inverted residual block that still connects every pair.

Sun et al., BMVC 2018 (arXiv:1806.00178) ask that channels be connected (the *loose complementary condition*: the strict
one on super-channels, which are sets of channels) and take G1 = G2 = 2. They state no width optimum; what follows is
ours, by the argument of their V1 and V2 papers.

A block takes c to h = t c channels by a pointwise convolution of G1 groups, then S taps for each channel, then h to c
by one of G2 groups. The permutation between gives each of the G2 partitions h / (G1 G2) channels of each of the G1, so
that a pair of channels has floor or ceil of h / (G1 G2) paths: these channels are the super-channel that the two
partitions share. All pairs are connected iff G1 G2 <= h; at least P paths each iff P G1 G2 <= h. Weights:

    T = h c (a / G1 + b / G2) + S h,        a = b = 1,

and by the inequality of the means a / G1 + b / G2 >= 2 sqrt(a b / (G1 G2)) >= 2 sqrt(a b P / h). So

    T >= 2 sqrt(a b t P) c^(3/2) + S t c,   equality iff a G2 = b G1 and G1 G2 = t c / P.

- In weights, and in MACs at stride 1, a = b: G1 = G2 = sqrt(t c / P). In MACs at stride s the expansion has s^2 times
  the positions of the projection, a = s^2 b: G1 = s^2 G2. There the two optima differ.
- The bound rises with t and P: widest is P = 1 (the strict condition) and the smallest t. For t below 1 the block is a
  bottleneck, whose kernel has rank h < c at most; with no limit to it, h = 1 is the widest of all, c = (T - S) / 2.
- t = 1, P = 1 is a product of three sparse kernels with K = (1, c / G1, c / G2): IGC V2, where G1 = G2 is its
  balance of the pointwise kernels. With the taps on the first convolution in place of the one between (a = S, b = 1, no
  depthwise term), t = 1 and P = 1, G1 = L and G2 = M: L = M S, and the bound of IGC V1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from igcnas.errors import BudgetError
from igcnas.network.blocks import InvertedResidual
from igcnas.network.cost import Cost, layer_cost
from igcnas.network.grouping import Group
from igcnas.network.paths import PathSummary, path_counts, summarize
from igcnas.network.primitives import Convolution, Layer, Residual, Size

from .law import Law

MAP: Size = (32, 32)
MOST_CHANNELS = 20_000  # of the enumeration: seconds
PAPER_EXPANSION = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked for: expansion t, S taps, at least `paths` a pair; budgets in 'params' or 'macs' at this stride."""

    t: int = PAPER_EXPANSION
    S: int = 9
    paths: int = 1
    unit: str = "params"
    size: Size = MAP
    stride: int = 1

    @property
    def positions(self) -> tuple[int, int]:
        """What one weight of the expansion, and one of the other two convolutions, costs in the unit."""
        if self.unit == "params":
            return 1, 1
        height, width = self.size
        return height * width, -(-height // self.stride) * -(-width // self.stride)

    def cost(self, c: int, G1: int, G2: int) -> int:
        """Cost of a block; equals the count of its plan."""
        before, after = self.positions
        h = self.t * c
        return before * h * c // G1 + after * (h * c // G2 + self.S * h)

    def _law(self) -> Law:
        """The bound as that of a law in which 2 sqrt(p q) = 2 sqrt(a b t P)."""
        before, after = self.positions
        return Law(primary=before * self.t * self.paths, secondary=after, linear=after * self.S * self.t)

    def least(self, c: float) -> float:
        """The least cost of any real (G1, G2) at this width."""
        return self._law().least(c)

    def bound(self, budget: float) -> float:
        """Channels that no block of this cost exceeds.

        >>> round(Question().bound(4752), 2)
        53.03
        """
        return self._law().bound(budget)

    def best_groups(self, c: float) -> tuple[float, float]:
        """Real (G1, G2) of the cheapest block of this width."""
        before, after = self.positions
        G2 = math.sqrt(self.t * c / self.paths * after / before)
        return before / after * G2, G2

    def connects(self, c: int, G1: int, G2: int) -> bool:
        """Whether every pair has so many paths: P G1 G2 <= t c."""
        return self.paths * G1 * G2 <= self.t * c


def block(t: int, G1: int, G2: int, *, S: int = 9) -> InvertedResidual:
    """The IGC V3 block; for G1 = G2 = 1 that of MobileNetV2, without the activation after the expansion."""
    return InvertedResidual(
        expansion=t,
        expand=Group(groups=G1),
        project=Group(groups=G2),
        kernel=math.isqrt(S),
        expand_activation=False,
    )


def layers(c: int, t: int, G1: int, G2: int, *, S: int = 9, size: Size = MAP, stride: int = 1) -> tuple[Layer, ...]:
    """The real plan of the body of a block, without its shortcut."""
    skeleton = block(t, G1, G2, S=S)
    skeleton.check(c, c)
    found = skeleton.layers(c, c, stride, size, "relu6")
    return found[0].body.layers if isinstance(found[0], Residual) else found


def counted(c: int, G1: int, G2: int, question: Question) -> Cost:
    """MACs and weights of the convolutions of a block, from its plan."""
    plan = layers(c, question.t, G1, G2, S=question.S, size=question.size, stride=question.stride)
    costs = [layer_cost(layer) for layer in plan if isinstance(layer, Convolution)]
    return Cost(sum(cost.macs for cost in costs), sum(cost.params for cost in costs))


def paths(c: int, t: int, G1: int, G2: int) -> PathSummary:
    """Paths of the pairs of channels of a block, from its plan."""
    return summarize(path_counts(layers(c, t, G1, G2), c))


def pairs_of_groups(c: int, question: Question) -> Iterator[tuple[int, int]]:
    """All (G1, G2) that divide c channels and connect every pair often enough."""
    divisors = [G for G in range(1, c + 1) if c % G == 0]
    for G1 in divisors:
        for G2 in divisors:
            if not question.connects(c, G1, G2):
                break
            yield G1, G2


def widest(question: Question, budget: int) -> tuple[int, int, int]:
    """(c, G1, G2) of the widest integer block, of equally wide ones the cheapest, then that with the smallest G1."""
    most = int(question.bound(budget) * (1 + 1e-12))
    if most > MOST_CHANNELS:
        raise BudgetError(
            f"a budget of {budget} is too large to enumerate: up to {most:,} channels, at most {MOST_CHANNELS:,}"
        )
    for c in range(most, 0, -1):
        fitting = [
            (cost, G1, G2) for G1, G2 in pairs_of_groups(c, question) if (cost := question.cost(c, G1, G2)) <= budget
        ]
        if fitting:
            return (c, *min(fitting)[1:])
    raise BudgetError(
        f"no block with expansion {question.t} and {question.paths} paths a pair fits a budget of {budget}; "
        f"one channel alone costs {question.cost(1, 1, 1)}"
    )
