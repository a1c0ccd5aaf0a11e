"""Which channels of each column of a block are drawn, so that they can be followed and none looks forlorn."""

from __future__ import annotations

from collections.abc import Sequence

from igcnas.drawing.elision import shown_channels
from igcnas.drawing.explanation import Explanation
from igcnas.drawing.flow import Moving
from igcnas.network.primitives import Convolution


def _mixes(layer: Moving) -> bool:
    """Whether channels lose their identity: they are mixed, or copied."""
    if not isinstance(layer, Convolution):
        return len(set(layer.indices)) < len(layer.indices)
    return layer.learned is not None or not layer.groups == layer.in_channels == layer.out_channels


def orders_of(layers: Sequence[Moving], in_channels: int) -> list[tuple[list[int], int]]:
    """Before, between and behind the layers: the identity of the channel at each position, and the number of its space.

    A space ends where channels are mixed or copied, and there identities are positions again.
    """
    found = [(list(range(in_channels)), 0)]
    for layer in layers:
        order, space = found[-1]
        if _mixes(layer):
            width = layer.out_channels if isinstance(layer, Convolution) else len(layer.indices)
            found.append((list(range(width)), space + 1))
        elif isinstance(layer, Convolution):
            found.append((order, space))
        else:
            found.append(([order[index] for index in layer.indices], space))
    return found


def frame_of(layers: Sequence[Moving], number: int, channels: int, in_channels: int) -> tuple[int, bool]:
    """Partitions at a place, and whether they are framed: those of the convolution behind it, else of the one before.

    The last place, where channels have their order again, leaves the room of the first partitions and frames none.
    """
    behind = _sides(layers[number])[0] if number < len(layers) else 0
    before = _sides(layers[number - 1])[1] if number else 0
    for parts in (behind, before):
        if 1 < parts < channels:
            return parts, True
    if channels in (behind, before):
        return channels, False
    first = _sides(layers[0])[0]
    if number == len(layers) and channels == in_channels and 1 < first < channels and not before:
        return first, False
    return 1, False


def _sides(layer: Moving) -> tuple[int, int]:
    """Equal partitions of the input and of the output of a layer; 0 for none that are neighbours."""
    if not isinstance(layer, Convolution):
        return 0, 0
    if layer.learned is None:
        return layer.groups, layer.groups
    return 0, len(set(layer.learned.heads_of(layer.out_channels) or ()))


def shown_of(
    layers: Sequence[Moving],
    block: Explanation,
    orders: list[tuple[list[int], int]],
    frames: list[tuple[int, bool]],
) -> list[tuple[int, ...]]:
    """The positions that are drawn at each place: of one space the same channels."""
    systems: dict[int, list[list[int]]] = {}
    for number, ((order, space), (parts, framed)) in enumerate(zip(orders, frames, strict=True)):
        here = systems.setdefault(space, [])
        found: list[list[int]] = []
        if framed:
            of = [0] * len(order)
            for position, channel in enumerate(order):
                of[channel] = position * parts // len(order)
            found.append(of)
        found += _learned_systems(layers, block, number, order)
        here += [system for system in found if system not in here]
    widths = {space: len(order) for order, space in orders}
    chosen = {
        space: set(shown_channels(width, systems[space][:1] + systems[space][1:][-1:]))
        for space, width in widths.items()
    }
    _pair(layers, block, orders, chosen)
    return [
        tuple(position for position, channel in enumerate(order) if channel in chosen[space]) for order, space in orders
    ]


def _pair(
    layers: Sequence[Moving],
    block: Explanation,
    orders: list[tuple[list[int], int]],
    chosen: dict[int, set[int]],
) -> None:
    """Leave out channels of a group of which the other side of its convolution shows none, though it has some.

    Else they would look as if nothing were connected to them.
    """
    sides = []
    for number, layer in enumerate(layers):
        groups = _groups_of(layer, block)
        if groups is not None:
            names = [dict(zip(orders[number + side][0], groups[side], strict=True)) for side in (0, 1)]
            sides.append((names, (orders[number][1], orders[number + 1][1])))
    shrinking = True
    while shrinking:
        shrinking = False
        for names, spaces in sides:
            shown = [{names[side][channel] for channel in chosen[spaces[side]]} for side in (0, 1)]
            for side in (0, 1):
                lonely = (shown[side] - shown[1 - side]) & set(names[1 - side].values())
                kept = {channel for channel in chosen[spaces[side]] if names[side][channel] not in lonely}
                if lonely and kept:
                    chosen[spaces[side]] = kept
                    shrinking = True


def _groups_of(layer: Moving, block: Explanation) -> tuple[list[int], list[int]] | None:
    """The group of each input and of each filter; None for layers that keep, move, or mix everything."""
    if not isinstance(layer, Convolution):
        return None
    if layer.learned is not None:
        inputs, filters = block.groups.get(layer.name, (None, ()))
        return None if inputs is None else (list(inputs), list(filters))
    if layer.groups == 1 or layer.groups == layer.in_channels == layer.out_channels:
        return None
    return tuple(  # type: ignore[return-value]
        [position * layer.groups // channels for position in range(channels)]
        for channels in (layer.in_channels, layer.out_channels)
    )


def _learned_systems(layers: Sequence[Moving], block: Explanation, number: int, order: list[int]) -> list[list[int]]:
    """The groups that training gave the channels at a place, with one number on both sides of a layer."""
    found = []
    for layer, side in ((layers[number] if number < len(layers) else None, 0), (layers[number - 1], 1)):
        if layer is None or (side == 1 and number == 0) or layer.name not in block.groups:
            continue
        groups = block.groups[layer.name][side]
        if groups is not None:
            of: list[int] = [0] * len(order)
            for position, channel in enumerate(order):
                of[channel] = groups[position]
            found.append(of)
    return found
