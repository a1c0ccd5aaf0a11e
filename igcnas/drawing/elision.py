"""Which channels of a block are drawn where there are too many: the first two and the last of what repeats.

Channels keep their identity through permutations and depthwise convolutions, so such columns form one space and show
the same channels. In a space with two kinds of partitions (those that the convolution before it made, and those that
the one behind it mixes) the channels drawn are where drawn partitions of both kinds cross, as in Figure 1 of the IGC
paper.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST = 12  # channels of a column without partitions up to which all are drawn
_MOST_GROUPED = 16  # and of one with partitions
_ALIKE = 4  # partitions, or channels of one, up to which all are drawn


def some(count: int, most: int = _ALIKE) -> tuple[int, ...]:
    """All of a few, else the first ones and the last.

    >>> some(4), some(24), some(64, 6)
    ((0, 1, 2, 3), (0, 1, 23), (0, 1, 2, 3, 4, 63))
    """
    if count <= most:
        return tuple(range(count))
    return (*range(2 if most <= _ALIKE else most - 1), count - 1)


def shown_channels(channels: int, systems: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The channels of a space that are drawn, ascending.

    `systems`: at most two lists with the partition of each channel, numbered from 0.
    """
    if channels <= (_MOST_GROUPED if systems else MOST):
        return tuple(range(channels))
    if not systems:
        return some(channels, 6)
    kept = [some(max(system) + 1) for system in systems]
    if len(kept) == 2 and len(kept[0]) * len(kept[1]) > MOST:
        kept = [some(max(system) + 1, 3) for system in systems]
    chosen: set[int] = set()
    if len(systems) == 1:
        for partition in kept[0]:
            members = [channel for channel, name in enumerate(systems[0]) if name == partition]
            chosen.update(members[place] for place in some(len(members)))
        return tuple(sorted(chosen))
    cells: dict[tuple[int, int], list[int]] = {}
    for channel, cell in enumerate(zip(*systems, strict=True)):
        if cell[0] in kept[0] and cell[1] in kept[1]:
            cells.setdefault(cell, []).append(channel)
    each = 2 if len(kept[0]) * len(kept[1]) <= _ALIKE else 1
    for members in cells.values():
        chosen.update(members[place] for place in ({0, len(members) - 1} if each == 2 else {0}))
    for system, partitions in zip(
        systems, kept, strict=True
    ):  # some partitions of one kind may cross none of the other
        for partition in partitions:
            if partition in system and not any(system[channel] == partition for channel in chosen):
                chosen.add(system.index(partition))
    return tuple(sorted(chosen))
