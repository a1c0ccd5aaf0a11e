"""What the picture of a block shows, as numbers: few channels of each column, all of its partitions.

It is for hundreds of networks in one page: matrices are never made, and of many channels a few stand for all
(`igcnas.drawing.elision`). What is drawn is true: between two channels that are shown there is a link iff they are
connected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from igcnas.drawing.choosing import frame_of, orders_of, shown_of
from igcnas.drawing.explanation import Explanation
from igcnas.drawing.flow import Moving, Reach, flow, reach, undecided, union
from igcnas.drawing.partitions import heading, input_partitions, numbers_of
from igcnas.network.primitives import Activation, Convolution, Norm

MOST_WHOLE = 24  # channels of a column up to which a whole picture draws each


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Channels at one place of a block.

    parts: how many equal runs of neighbours, the partitions, there are; framed: whether these are drawn as frames.
    shown: the channels that are drawn, by position, ascending. For each of these, colours: those of the input
    partitions that have reached it; numbers: its own, which permutations move.
    """

    channels: int
    parts: int
    framed: bool
    shown: tuple[int, ...]
    colours: tuple[tuple[int, ...], ...]
    numbers: tuple[int, ...]

    def part_of(self, position: int) -> int:
        """The partition of a channel."""
        return position * self.parts // self.channels

    @property
    def partitions(self) -> tuple[tuple[int, int], ...]:
        """First and last channel of each partition."""
        size = self.channels // self.parts
        return tuple((first, first + size - 1) for first in range(0, self.channels, size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A weight or a move between two shown channels, by position.

    sure: it is there for every image; else training, or each image, decides.
    """

    start: int
    end: int
    colour: int | None
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What stands between two places, a convolution or a permutation. after: norm and activation behind it."""

    kind: str
    heading: tuple[str, ...]
    links: tuple[Link, ...]
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSketch:
    """A block as places and what is between them.

    times: how often this stands in the block, 2 where that is two equal units. shortcut: in words, '' for none. reach:
    who meets whom from the first place to the last; None where somebody has yet to decide: `undecided` is then
    'training' or 'image', else ''. of_inputs: colours are partitions of the input; else, where inputs have none,
    groups of filters.
    """

    title: str
    what: str
    places: tuple[Place, ...]
    transfers: tuple[Transfer, ...]
    times: int
    shortcut: str
    reach: Reach | None
    undecided: str
    of_inputs: bool

    @property
    def elided(self) -> bool:
        """Whether some channels are not drawn."""
        return any(len(place.shown) < place.channels for place in self.places)


def compute_sketch(block: Explanation, *, whole: bool = False) -> BlockSketch:
    """The numbers of the picture of a block. whole: both of two equal units, and up to MOST_WHOLE channels each."""
    layers: list[Moving] = [layer for layer in block.primitives if isinstance(layer, Moving)]
    half = len(layers) // 2
    times = 2 if not whole and _alike(layers[:half], layers[half:], block) else 1
    layers = layers[:half] if times == 2 else layers
    orders = orders_of(layers, block.in_channels)
    frames = [frame_of(layers, number, len(order), block.in_channels) for number, (order, _) in enumerate(orders)]
    if whole and max(len(order) for order, _ in orders) <= MOST_WHOLE:
        shown = [tuple(range(len(order))) for order, _ in orders]
    else:
        shown = shown_of(layers, block, orders, frames)
    of_input, _ = input_partitions(block, layers)
    tints = _colours(layers, block, shown, of_input)
    numbers = numbers_of(layers, block.in_channels)
    places = tuple(
        Place(
            channels=len(order),
            parts=parts,
            framed=framed,
            shown=positions,
            colours=tint,
            numbers=tuple(own[position] for position in positions),
        )
        for (order, _), (parts, framed), positions, tint, own in zip(orders, frames, shown, tints, numbers, strict=True)
    )
    after = _after(block)
    transfers = tuple(
        Transfer(
            kind="convolution" if isinstance(layer, Convolution) else "permutation",
            heading=heading(layer, block),
            links=_links(layer, block, places[number], places[number + 1]),
            after=after[layer.name],
        )
        for number, layer in enumerate(layers)
    )
    return BlockSketch(
        title=block.title,
        what=block.what,
        places=places,
        transfers=transfers,
        times=times,
        shortcut=block.shortcut + (" around both" if block.shortcut and times == 2 else ""),
        reach=reach(layers, block),
        undecided=undecided(layers, block),
        of_inputs=of_input is not None,
    )


def _alike(first: Sequence[Moving], second: Sequence[Moving], block: Explanation) -> bool:
    """Whether both halves of a block are one unit: equal layers but for their names, none with a decided mask."""

    def nameless(layers: Sequence[Moving]) -> list[tuple[Moving, str | None]]:
        return [(layer._replace(name=""), block.captions.get(layer.name)) for layer in layers]

    return not block.masks and nameless(first) == nameless(second)


def _colours(
    layers: Sequence[Moving], block: Explanation, shown: list[tuple[int, ...]], of_input: list[int] | None
) -> list[tuple[tuple[int, ...], ...]]:
    """For each channel that is drawn the colours that have reached it: those of the partitions that are drawn first."""
    first, names = 0, of_input
    if of_input is None:  # filters have groups where inputs have none
        first, names = next(
            (number + 1, list(block.groups[layer.name][1]))
            for number, layer in enumerate(layers)
            if layer.name in block.groups
        )
    assert names is not None
    drawn = sorted({names[position] for position in shown[first]})
    bits = {name: 1 << colour for colour, name in enumerate(drawn)}
    reached = flow(layers[first:], block, [bits.get(name, 0) for name in names], union)
    columns: list[list[int] | None] = [*([None] * first), *reached]
    return [
        tuple(
            tuple(colour for colour in range(len(drawn)) if values is not None and values[position] >> colour & 1)
            for position in positions
        )
        for values, positions in zip(columns, shown, strict=True)
    ]


def _links(layer: Moving, block: Explanation, before: Place, behind: Place) -> tuple[Link, ...]:
    """What joins the channels that are drawn on both sides."""
    tint = dict(zip(before.shown, before.colours, strict=True))
    new = dict(zip(behind.shown, behind.colours, strict=True))

    def link(start: int, end: int, sure: bool) -> Link:
        colours = tint[start] if tint[start] else new[end]
        return Link(start=start, end=end, colour=colours[0] if len(colours) == 1 else None, sure=sure)

    if not isinstance(layer, Convolution):
        moved = sorted((layer.indices[end], end) for end in behind.shown)
        return tuple(link(start, end, True) for start, end in moved if start in tint)
    pairs = ((start, end) for start in before.shown for end in behind.shown)
    mask = block.masks.get(layer.name)
    if layer.learned is None and mask is None:
        inputs, outputs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
        return tuple(link(start, end, True) for start, end in pairs if start // inputs == end // outputs)
    sure = layer.learned is None or not layer.learned.chooses_per_image
    if mask is None:
        return tuple(link(start, end, False) for start, end in pairs)
    return tuple(link(start, end, sure) for start, end in pairs if mask[end][start])


def _after(block: Explanation) -> dict[str, str]:
    """For each layer that moves or mixes channels, by its name, the norm and activation that follow it."""
    words: dict[str, list[str]] = {}
    last = ""
    for layer in block.primitives:
        if isinstance(layer, Moving):
            last = layer.name
            words[last] = []
        elif last and isinstance(layer, Norm):
            words[last].append("norm")
        elif last and isinstance(layer, Activation):
            words[last].append({"relu": "ReLU", "relu6": "ReLU6"}[layer.kind])
    return {name: ", ".join(found) for name, found in words.items()}
