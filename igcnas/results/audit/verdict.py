"""What an audit says, in one sentence, at matched cost: within bands of MACs, where a search has to choose.

A difference counts where its paired interval excludes 0. That short training is as good as noise allows is said only
where the interval excludes that it is more than MARGIN of tau below the ceiling: an interval that merely contains 0
would say the same of any audit that is small enough. And it is not said where the ceiling's own interval reaches down
to 0: long trainings that do not agree are no measure. What is neither is undecided, and the sentence says so.
"""

from __future__ import annotations

from igcnas.results.audit.agreement import Interval
from igcnas.results.audit.result import SHORT, WITHIN, AuditResult
from igcnas.units import counted

MARGIN = 0.1
AS_GOOD, BELOW, UNDECIDED = "as good as noise allows", "below the ceiling", "undecided"
WORSE, REVERSED = "worse than MACs", "the wrong way round"


def verdict(result: AuditResult) -> tuple[str, str]:
    """A word for it, one of the five above, and the sentence."""
    scope = result.scopes[WITHIN]
    short = scope.taus[SHORT]
    head = f"tau {show(short)} over {counted(scope.n, 'network')} within bands of equal cost"
    if scope.over_macs.known and scope.over_macs.high < 0:
        return WORSE, (
            f"Short training ranks worse than MACs alone inside bands: {head}, {-scope.over_macs.value:.2f} below MACs "
            f"({show(scope.over_macs)})."
        )
    if short.known and short.high < 0:
        return REVERSED, f"Short training ranks the wrong way round: {head}."
    beside = "" if not scope.over_macs.low > 0 else ", and it ranks better than MACs alone"
    if not short.known or not short.low > 0:
        return UNDECIDED, (
            f"Undecided: {counted(scope.n, 'network')} are too few to tell whether short training ranks at all "
            f"({head}); audit more networks."
        )
    if scope.ceiling is None or scope.behind_ceiling is None:
        return (
            UNDECIDED,
            f"Undecided: {head}{beside}; one long seed gives no ceiling to hold that against, give --seeds 2.",
        )
    noise = f"ceiling {show(scope.ceiling)}, difference {show(scope.behind_ceiling, sign=True)}"
    if not scope.ceiling.low > 0:
        return UNDECIDED, (
            f"Undecided: {head}{beside}, but the long seeds do not agree enough among themselves to hold that against "
            f"({noise}); more seeds or networks would tell."
        )
    if scope.behind_ceiling.low > -MARGIN:
        return (
            AS_GOOD,
            f"Short training ranks as well as seed noise allows, to {MARGIN:g} of tau: {head}{beside} ({noise}).",
        )
    if scope.behind_ceiling.high < 0:
        return BELOW, f"Short training ranks, but less well than seed noise allows: {head}{beside} ({noise})."
    return UNDECIDED, (
        f"Undecided whether short training ranks as well as seed noise allows: {head}{beside}; {noise}: the interval "
        f"allows for none and for more than {MARGIN:g}."
    )


def show(found: Interval, *, sign: bool = False) -> str:
    """A value with its interval, or a dash."""
    form = "+.2f" if sign else ".2f"
    if not found.known:
        return "-"
    value, low, high = (f"{round(number, 2) + 0.0:{form}}" for number in (found.value, found.low, found.high))  # no -0
    return f"{value} [{low}, {high}]"
