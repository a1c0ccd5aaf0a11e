"""How a report says numbers: signs, intervals, counts. One place, so that all parts say them alike."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from igcnas.search.records import TrialRecord
from igcnas.units import counted as counted

_MEASURE = re.compile(r"(?<!balanced )\b([Aa])(ccurac(?:y|ies)\b)")
# No line begins with a unit.
_UNIT = re.compile(r"(?<=[\d)]) (?=(?:%|MFLOPs|MB|ms|s|min|h|points|epochs)(?!\w))")


def tied(text: str) -> str:
    """Numbers that no line break parts from their units.

    >>> tied("98.1 % at 0.2 MFLOPs, 3 seeds")
    '98.1\\xa0% at 0.2\\xa0MFLOPs, 3 seeds'
    """
    return _UNIT.sub("\u00a0", text)


def measured(text: str, measure: str) -> str:
    """Words about accuracies, of a study whose networks are compared by another measure than plain accuracy.

    >>> measured("Validation accuracy, accuracies", "accuracy"), measured("Accuracy, accuracies", "balanced accuracy")
    ('Validation accuracy, accuracies', 'Balanced accuracy, balanced accuracies')
    """
    if measure == "accuracy":
        return text
    kind = measure.partition(" ")[0]
    return _MEASURE.sub(lambda found: (kind.capitalize() if found[1] == "A" else kind) + f" a{found[2]}", text)


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def points(value: float) -> str:
    """A difference of accuracies with its sign.

    >>> points(0.5), points(-0.004)
    ('+0.50', '0.00')
    """
    return "0.00" if abs(value) < 0.005 else f"{value:+.2f}"


def interval(low: float, high: float) -> str:
    """An interval of a difference; a dash where nothing is known.

    >>> interval(-0.5, 1.25), interval(-math.inf, math.inf)
    ('-0.50 to +1.25', '-')
    """
    return f"{points(low)} to {points(high)}" if math.isfinite(low) and math.isfinite(high) else "-"


def share(value: float) -> str:
    """A share in percent; more digits where there is little.

    >>> share(0.123), share(0.0123), share(0.0)
    ('12 %', '1.2 %', '0 %')
    """
    percent = 100 * value
    return f"{percent:.0f} %" if percent >= 9.5 or percent == 0 else f"{percent:.1f} %"


def share_interval(low: float, high: float) -> str:
    """An interval of a share.

    >>> share_interval(0.02, 0.4)
    '2 to 40 %'
    """
    return f"{100 * low:.0f} to {100 * high:.0f} %"


def p_value(p: float) -> str:
    """A p value; small ones are not spelled out.

    >>> p_value(0.0001), p_value(0.2), p_value(1.0)
    ('p < 0.001', 'p = 0.20', 'p = 1.00')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def name_of(record: TrialRecord) -> str:
    """How a sentence calls a network."""
    return f"{record.baseline} (network {record.number})" if record.baseline else f"network {record.number}"


def fewer_errors(ours: float, theirs: float) -> float | None:
    """How many percent fewer errors the first accuracy means; negative is more. None where the second makes none.

    >>> fewer_errors(98.0, 96.0), fewer_errors(90.0, 95.0), fewer_errors(99.0, 100.0)
    (50.0, -100.0, None)
    """
    return 100.0 * (1.0 - (100.0 - ours) / (100.0 - theirs)) if theirs < 100.0 else None


def errors(fewer: float) -> str:
    """Percent of errors fewer, in words.

    >>> errors(50.0), errors(-20.4)
    ('50 % fewer errors', '20 % more errors')
    """
    return f"{abs(fewer):.0f} % {'fewer' if fewer >= 0 else 'more'} errors"


def fewer_span(low: float, high: float) -> str:
    """An interval of percents of errors fewer, in words; 'unknown' where the values tell none.

    >>> fewer_span(10.0, 49.6), fewer_span(-62.0, 49.0), fewer_span(-80.0, -20.0)
    ('10 to 50 % fewer', '62 % more to 49 % fewer', '20 to 80 % more')
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return "unknown"
    if low >= 0:
        return f"{low:.0f} to {high:.0f} % fewer"
    if high <= 0:
        return f"{-high:.0f} to {-low:.0f} % more"
    return f"{-low:.0f} % more to {high:.0f} % fewer"


def often(times: int) -> str:
    """How often.

    >>> often(1), often(2), often(18)
    ('once', 'twice', '18 times')
    """
    return {1: "once", 2: "twice"}.get(times, f"{times:,} times")
