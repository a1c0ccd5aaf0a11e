"""What a file may declare before memory is given to it: no more than the machine has, and nothing absurd."""

from __future__ import annotations

from igcnas.errors import DataError
from igcnas.system import resources

# Pictures compress 2 to 50 times, drawings and masks a few hundred; deflate cannot do more than 1,032.
_MOST_RATIO = 200
_SMALL = 100_000_000  # bytes that are given without a question


def check_memory(needed: int, what: str, way_out: str) -> None:
    """DataError where so many bytes are more than the machine has free; `what` begins it, `way_out` ends it."""
    if needed <= _SMALL:
        return
    free = resources.memory().available
    if free is not None and needed > free:
        raise DataError(f"{what} {size(needed)}, and {size(free)} of memory are free; {way_out}")


def check_ratio(stored: int, declared: int, where: str) -> None:
    """DataError where so few stored bytes declare so many that no pictures can be in them."""
    if declared > _SMALL and declared > _MOST_RATIO * max(1, stored):
        raise DataError(
            f"{where} is {size(stored)} that would unpack to {size(declared)}, {declared // max(1, stored):,} times as "
            "much, which no pictures do; fetch it again, or if it is yours store it with numpy.savez, uncompressed"
        )


def size(count: int) -> str:
    """Bytes in words."""
    if count >= 10**18:  # a made-up number may be too long to print
        return "more than 1,000,000 TB"
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count / 1e3:,.1f} kB"
