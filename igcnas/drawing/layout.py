"""The numbers of a block as a scene: columns of channels from left to right, headings above, what they are below."""

from __future__ import annotations

import math
import textwrap
from collections import defaultdict
from dataclasses import dataclass, replace

from igcnas.drawing.palette import GREY, colours, light
from igcnas.drawing.scene import GLYPH, Dots, Item, Lines, Rects, Scene, Text
from igcnas.drawing.sketch import BlockSketch, Place, Transfer

_BOX = 12.0  # height of a channel
_WIDE = 18.0  # its width
_GAP = 4.0  # between channels
_PAD = 4.0  # between a frame and its channels
_ROOM = 8.0  # between partitions
_DOTS = 16.0  # where channels are left out
_MARGIN = 12.0
_LINE = 12.0
_TEXT = 9.5
_NUMBER = 7.5  # size of the number of a channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Where the channels of a place stand: the middle of each, frames (top, bottom), dots, all from 0 to height."""

    middles: dict[int, float]
    frames: tuple[tuple[float, float], ...]
    dots: tuple[float, ...]
    height: float


def block_scene(sketch: BlockSketch, *, numbered: bool = False) -> Scene:
    """The picture of a block. numbered: with the number of each channel, and a key below."""
    headings = [_wrapped(transfer) for transfer in sketch.transfers]
    half = [max(_WIDE / 2, 0.5 * GLYPH * _TEXT * len(_counted(place))) for place in sketch.places]
    xs = [round(_MARGIN + half[0])]
    for transfer, heading in zip(sketch.transfers, headings, strict=True):
        widest = max((len(line) for line in heading), default=0) * GLYPH * _TEXT * 1.06
        least = 96.0 if transfer.kind == "convolution" else 70.0
        xs.append(round(xs[-1] + max(least, widest + 10)))
    title = Text(x=_MARGIN, y=_MARGIN + 8, text=sketch.title, size=13, bold=True)
    right = xs[-1] + max(half[-1], 0.5 * GLYPH * _TEXT * len(sketch.transfers[-1].after))
    width = math.ceil(max(right + _MARGIN, 2 * _MARGIN + title.width, 420.0))
    shift = (width - right - _MARGIN) // 2
    xs = [round(x + shift) for x in xs]

    what = _quiet(sketch.what, _MARGIN + 22, width)
    stacks = [_column(place) for place in sketch.places]
    tall = max(stack.height for stack in stacks)
    top = what[-1].y + 18 + _LINE * max(map(len, headings)) + 6
    tops = [top + (tall - stack.height) // 2 for stack in stacks]
    items: list[Item] = []
    for number, transfer in enumerate(sketch.transfers):
        ends = (xs[number] + _WIDE / 2, xs[number + 1] - _WIDE / 2)
        starts = {channel: tops[number] + y for channel, y in stacks[number].middles.items()}
        stops = {channel: tops[number + 1] + y for channel, y in stacks[number + 1].middles.items()}
        items += _links(transfer, ends, starts, stops, sketch)
    for place, stack, x, y in zip(sketch.places, stacks, xs, tops, strict=True):
        items += _boxes(place, stack, x, y, sketch)
        items += _numbers(place, stack, x, y, sketch) if numbered else []
    for number, heading in enumerate(headings):
        items += _heading(heading, (xs[number] + xs[number + 1]) / 2, top - 12)
    below = top + tall + 14
    for place, x in zip(sketch.places, xs, strict=True):
        items.append(Text(x=x, y=below, text=_counted(place), size=_TEXT, anchor="middle"))
    for transfer, x in zip(sketch.transfers, xs[1:], strict=True):
        if transfer.after:
            y = below + _LINE
            items.append(Text(x=x, y=y, text=transfer.after, size=_TEXT - 1, anchor="middle", quiet=True))
    below += 2 * _LINE if any(transfer.after for transfer in sketch.transfers) else _LINE
    if sketch.shortcut:
        lines, label = _shortcut(sketch.shortcut, xs[0], xs[-1], below - 2)
        items += [lines, label]
        below = max(below + 2 * _LINE, math.ceil(label.box[3] + _LINE / 2))
    facts = _quiet(reach_words(sketch) + (_LEFT_OUT if sketch.elided else ""), below + _LINE / 2, width)
    if numbered:
        facts += _quiet(_KEY if sketch.of_inputs else _KEY_OF_FILTERS, facts[-1].y + 1.5 * _LINE, width)
    return Scene(
        width=width,
        height=facts[-1].y + 12,
        title=sketch.title,
        description=_description(sketch),
        items=(title, *what, *items, *facts),
    )


def _quiet(words: str, y: float, width: float) -> list[Text]:
    """Lines of explaining text from y on."""
    lines = textwrap.wrap(words, int((width - 2 * _MARGIN) / (GLYPH * _TEXT)))
    return [
        Text(x=_MARGIN, y=y + _LINE * number, text=line, size=_TEXT, quiet=True) for number, line in enumerate(lines)
    ]


def _column(place: Place) -> Column:
    """Channels from top to bottom; a gap with dots wherever some are left out."""
    middles: dict[int, float] = {}
    frames: list[tuple[float, float]] = []
    dots: list[float] = []
    y = 0.0
    size = place.channels // place.parts
    grouped = 1 < place.parts < place.channels
    last = -1
    for position in place.shown:
        part = place.part_of(position)
        new = last < 0 or place.part_of(last) != part
        if new and last >= 0:
            y = _close(place, last, y, frames, dots, grouped)
            skipped = part - place.part_of(last) - 1 if grouped else position - last - 1
            if skipped:
                dots.append(y + _DOTS / 2)
                y += _DOTS
            else:
                y += _ROOM if grouped else _GAP
        elif new and not grouped and position:
            dots.append(y + _DOTS / 2)
            y += _DOTS
        if new and grouped:
            frames.append((y, y))
            y += _PAD
            if position > part * size:
                dots.append(y + _DOTS / 2)
                y += _DOTS
        elif not new:
            if position > last + 1:
                dots.append(y + _DOTS / 2)
                y += _DOTS
            else:
                y += _GAP
        middles[position] = y + _BOX / 2
        y += _BOX
        last = position
    y = _close(place, last, y, frames, dots, grouped)
    if not grouped and last < place.channels - 1:
        dots.append(y + _DOTS / 2)
        y += _DOTS
    return Column(middles=middles, frames=tuple(frames) if place.framed else (), dots=tuple(dots), height=y)


def _close(
    place: Place, last: int, y: float, frames: list[tuple[float, float]], dots: list[float], grouped: bool
) -> float:
    """The end of a partition: dots for what it has more, and its frame; where the next may begin."""
    if not grouped:
        return y
    size = place.channels // place.parts
    if last % size != size - 1:
        dots.append(y + _DOTS / 2)
        y += _DOTS
    y += _PAD
    frames[-1] = (frames[-1][0], y)
    return y


def _boxes(place: Place, stack: Column, x: float, y: float, sketch: BlockSketch) -> list[Item]:
    """Frames, channels with a stripe for each colour, dots."""
    tint = colours(max(1, _tints(sketch)))
    items: list[Item] = []
    left, wide = x - _WIDE / 2, _WIDE
    if stack.frames:
        frames = tuple((left - _PAD, y + top, wide + 2 * _PAD, bottom - top) for top, bottom in stack.frames)
        items.append(Rects(boxes=frames, opacity=0.06, outline=0.8, radius=3))
    stripes: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    boxes, empty = [], []
    for position, members in zip(place.shown, place.colours, strict=True):
        top = y + stack.middles[position] - _BOX / 2
        boxes.append((left, top, wide, _BOX))
        shades = [tint[colour] for colour in members]
        if not shades:
            empty.append((left, top, wide, _BOX))
        for number, shade in enumerate(shades):
            part = wide / len(shades)
            stripes[shade].append((left + part * number, top, part, _BOX))
    items += [Rects(boxes=tuple(found), fill=shade) for shade, found in stripes.items()]
    if empty:
        items.append(Rects(boxes=tuple(empty), opacity=0.18))
    items.append(Rects(boxes=tuple(boxes), fill="none", outline=0.7))
    if stack.dots:
        centres = tuple((x, y + middle + step) for middle in stack.dots for step in (-4.0, 0.0, 4.0))
        items.append(Dots(centres=centres))
    return items


def _numbers(place: Place, stack: Column, x: float, y: float, sketch: BlockSketch) -> list[Item]:
    """The number in each box, on white where the box has several colours."""
    tint = colours(_tints(sketch))
    texts: list[Text] = []
    for position, members, number in zip(place.shown, place.colours, place.numbers, strict=True):
        white = len(members) == 1 and not light(tint[members[0]])
        base = y + stack.middles[position] + 0.36 * _NUMBER
        shade = "#ffffff" if white else "#000000"
        texts.append(Text(x=x, y=base, text=str(number), size=_NUMBER, anchor="middle", colour=shade))
    striped = [text for text, members in zip(texts, place.colours, strict=True) if len(members) > 1]
    tall = _NUMBER + 1
    pills = tuple((x - text.width / 2, text.y - 0.36 * _NUMBER - tall / 2, text.width, tall) for text in striped)
    return [*([Rects(boxes=pills, fill="#ffffff", opacity=0.85, radius=2)] if pills else []), *texts]


def _tints(sketch: BlockSketch) -> int:
    """Colours that are used."""
    used = [colour for place in sketch.places for members in place.colours for colour in members]
    return max(used, default=0) + 1


def _links(
    transfer: Transfer,
    ends: tuple[float, float],
    starts: dict[int, float],
    stops: dict[int, float],
    sketch: BlockSketch,
) -> list[Item]:
    """Lines of one colour together."""
    tint = colours(_tints(sketch))
    found: dict[tuple[str, bool], list[tuple[float, float, float, float]]] = defaultdict(list)
    for link in transfer.links:
        shade = GREY if link.colour is None else tint[link.colour]
        found[shade, link.sure].append((ends[0], starts[link.start], ends[1], stops[link.end]))
    thin = 1.2 if len(transfer.links) <= 40 else 0.8
    return [
        Lines(
            ends=tuple(lines),
            colour=shade,
            width=thin,
            opacity=0.8 if sure else 0.6,
            bent=transfer.kind == "permutation",
            dashed=not sure,
        )
        for (shade, sure), lines in found.items()
    ]


def _wrapped(transfer: Transfer) -> list[str]:
    """The heading in lines; what belongs together, as 'of M = 2', is not torn apart."""
    lines: list[str] = []
    for text in transfer.heading:
        tied = text.replace(" = ", "\u00a0=\u00a0").replace(" of ", " of\u00a0").replace(" -> ", "\u00a0->\u00a0")
        lines += [line.replace("\u00a0", " ") for line in textwrap.wrap(tied, 21)]
    return lines


def _heading(lines: list[str], x: float, bottom: float) -> list[Item]:
    """Lines that end above the columns, the first in bold."""
    first = bottom - _LINE * (len(lines) - 1)
    return [
        Text(x=x, y=first + _LINE * number, text=text, size=_TEXT, anchor="middle", bold=number == 0)
        for number, text in enumerate(lines)
    ]


def _shortcut(words: str, left: float, right: float, y: float) -> tuple[Lines, Text]:
    """A line from the input to the output below the columns, with its name."""
    bottom = y + 10
    label = Text(x=(left + right) / 2, y=bottom + 3.5, text=words, size=_TEXT, anchor="middle")
    start, _, stop, _ = label.box
    ends = [(left, y, left, bottom), (right, bottom, right, y)]
    if start - 4 > left:
        ends += [(left, bottom, start - 4, bottom), (stop + 4, bottom, right, bottom)]
    else:  # the name is longer than the line
        ends.append((left, bottom, right, bottom))
        label = replace(label, y=bottom + 14)
    ends += [(right - 3.5, y + 4, right, y), (right + 3.5, y + 4, right, y)]
    return Lines(ends=tuple(ends), width=1.0, opacity=0.7), label


def _counted(place: Place) -> str:
    return f"{place.channels:,} channel" + ("s" if place.channels != 1 else "")


def reach_words(sketch: BlockSketch) -> str:
    """Who meets whom, in a sentence."""
    unit = "Drawn once, stands twice. In each, " if sketch.times == 2 else ""
    found = sketch.reach
    if found is None:
        words = {
            "training": "training decides who meets whom: dashed links are those it chooses from.",
            "image": "each image decides who meets whom: dashed links are there for some images.",
        }[sketch.undecided]
    elif found.condition == "strict":
        words = "every pair of channels meets by exactly one path: strictly complementary."
    elif found.condition == "loose":
        mean = found.paths / found.pairs
        words = f"every pair of channels meets, by {mean:.4g} paths on average: loosely complementary."
    else:
        missing = found.pairs - found.meeting
        words = f"{missing:,} of {found.pairs:,} pairs of channels never meet ({missing / found.pairs:.0%})."
    return unit + words if unit else words[0].upper() + words[1:]


_KEY = (
    "Colours: the partition of the input that something comes from; a box has a stripe for each that has reached it. "
    "Frames: channels that a convolution mixes. Numbers: channels, as permutations move them."
)
_KEY_OF_FILTERS = "Colours: the group of each filter, and of its weights. Inputs have no group of their own."
_LEFT_OUT = " Dots: channels that are not drawn, with their links."


def _description(sketch: BlockSketch) -> str:
    """The picture in words."""
    steps = [", ".join(transfer.heading) for transfer in sketch.transfers]
    counts = [_counted(place) for place in sketch.places]
    chain = counts[0] + "".join(f"; {step}; {count}" for step, count in zip(steps, counts[1:], strict=True))
    dots = _LEFT_OUT if sketch.elided else ""
    shortcut = f" {sketch.shortcut[0].upper()}{sketch.shortcut[1:]}." if sketch.shortcut else ""
    return f"{sketch.what} From left to right: {chain}.{shortcut} {reach_words(sketch)}{dots}"
