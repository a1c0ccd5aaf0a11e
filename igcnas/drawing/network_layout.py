"""The parts of a network as a scene: a strip from left to right.

A box for each block, as high as the square root of the channels that leave it; below each part what it takes of the
MACs and of the parameters of the network.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass

from igcnas.drawing.network import NetworkPicture, Part
from igcnas.drawing.palette import BLUE, ORANGE, SKY
from igcnas.drawing.scene import BOLD, GLYPH, Item, Lines, Rects, Scene, Text
from igcnas.units import counted

_MARGIN = 12.0
_TEXT = 9.5
_LINE = 12.0
_TALL = 84.0  # of the box with the most channels
_BARS = 60.0  # of the largest share
_BAR = 20.0
_BETWEEN = 10.0  # the two bars of a part
_CELL = 9.0  # width of a block, at least
_SPACE = 10.0  # between parts
_STAGE, _MACS, _PARAMS = SKY, BLUE, ORANGE
_SLOT = 64.0  # width of a part with its two bars, at least
_LABEL = 20  # letters of a line above a stage


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slot:
    """Where a part stands: its left side, its width, the left side of its blocks and the width of each."""

    left: float
    width: float
    start: float
    cell: float

    @property
    def centre(self) -> float:
        return self.left + self.width / 2

    def stop(self, part: Part) -> float:
        """The right side of its blocks."""
        return self.start + self.cell * len(part.widths)


def network_scene(picture: NetworkPicture) -> Scene:
    """The strip."""
    slots = _slots(picture)
    strip = slots[-1].left + slots[-1].width - _MARGIN
    head = _head(picture, max(400.0, strip))
    lines = max(len(textwrap.wrap(part.label, _LABEL)) for part in picture.parts)
    top = head[-1].y + 26 + _LINE * lines + 8
    words = top + _TALL + 14
    base = words + 2 * _LINE + 30 + _BARS
    width = max(strip + 2 * _MARGIN, 2 * _MARGIN + max(text.width for text in head))
    items = [
        *_boxes(picture, slots, top),
        *_bars(picture, slots, base),
        Lines(ends=((_MARGIN, base, _MARGIN + strip, base),), width=0.8, opacity=0.5),
        *_words(picture, slots, top - 8 - _LINE * lines, lines, words),
        Rects(boxes=((_MARGIN, base + 20, 10, 9),), fill=_MACS),
        Rects(boxes=((_MARGIN + 60, base + 20, 10, 9),), fill=_PARAMS),
        Text(x=_MARGIN + 15, y=base + 28, text="MACs", size=_TEXT),
        Text(x=_MARGIN + 75, y=base + 28, text="parameters; shares of the network", size=_TEXT),
    ]
    return Scene(
        width=math.ceil(width),
        height=base + 38,
        title=picture.title,
        description=_description(picture),
        items=(*head, *items),
    )


def _slots(picture: NetworkPicture) -> list[_Slot]:
    """Places of the parts, as wide as their blocks, their text and their bars need."""
    slots: list[_Slot] = []
    x = _MARGIN
    for part in picture.parts:
        cell = _CELL if len(part.widths) > 1 else 16.0
        texts = [*textwrap.wrap(part.label, _LABEL), part.name, _channels(part)]
        width = math.ceil(max(_SLOT, max(map(len, texts)) * GLYPH * _TEXT, cell * len(part.widths)))
        blocks = cell * len(part.widths)
        slots.append(_Slot(left=x, width=width, start=x + (width - blocks) / 2, cell=cell))
        x += width + _SPACE
    return slots


def _boxes(picture: NetworkPicture, slots: list[_Slot], top: float) -> list[Item]:
    """A box for each block, and lines from part to part."""
    most = max(width for part in picture.parts for width in part.widths)
    middle = top + _TALL / 2
    stages: list[tuple[float, float, float, float]] = []
    others: list[tuple[float, float, float, float]] = []
    for part, slot in zip(picture.parts, slots, strict=True):
        for number, width in enumerate(part.widths):
            height = 2 * round(max(3.0, _TALL * math.sqrt(width / most)) / 2)
            box = (slot.start + slot.cell * number, middle - height / 2, slot.cell, height)
            (stages if part.kind == "stage" else others).append(box)
    joints = tuple(
        (slot.stop(part) + 2, middle, following.start - 2, middle)
        for part, slot, following in zip(picture.parts, slots, slots[1:], strict=False)
    )
    return [
        Lines(ends=joints, width=1.2, opacity=0.6),
        Rects(boxes=tuple(others), opacity=0.15, outline=0.8),
        Rects(boxes=tuple(stages), fill=_STAGE, opacity=0.55, outline=0.8),
    ]


def _bars(picture: NetworkPicture, slots: list[_Slot], base: float) -> list[Item]:
    """Shares of MACs and of parameters, all on one scale, with the amounts below."""
    shares = [_share(part.macs, picture.macs) for part in picture.parts]
    shares += [_share(part.params, picture.params) for part in picture.parts]
    largest = max(shares) or 1.0
    bars: dict[str, list[tuple[float, float, float, float]]] = {_MACS: [], _PARAMS: []}
    percents: list[Item] = []
    amounts: list[Item] = []
    for part, slot in zip(picture.parts, slots, strict=True):
        kinds = ((_MACS, part.macs, picture.macs, -1), (_PARAMS, part.params, picture.params, 1))
        for shade, amount, total, side in kinds:
            height = _BARS * _share(amount, total) / largest
            centre = slot.centre + side * (_BAR + _BETWEEN) / 2
            bars[shade].append((centre - _BAR / 2, base - height, _BAR, height))
            percents.append(Text(x=centre, y=base - height - 3, text=_percent(amount, total), size=8, anchor="middle"))
            amounts.append(Text(x=centre, y=base + 10, text=short(amount), size=8, anchor="middle", quiet=True))
    return [*(Rects(boxes=tuple(found), fill=shade) for shade, found in bars.items()), *percents, *amounts]


def _words(picture: NetworkPicture, slots: list[_Slot], above: float, lines: int, below: float) -> list[Item]:
    """Names and labels above the boxes, blocks, channels and sizes below."""
    names: list[Item] = []
    labels: list[Item] = []
    for part, slot in zip(picture.parts, slots, strict=True):
        x = slot.centre
        wrapped = textwrap.wrap(part.label, _LABEL)
        y = above + _LINE * (lines - len(wrapped))
        names.append(Text(x=x, y=y, text=part.name, size=_TEXT, anchor="middle", bold=True))
        for number, line in enumerate(wrapped, start=1):
            labels.append(Text(x=x, y=y + _LINE * number, text=line, size=_TEXT, anchor="middle"))
        size = "" if part.size is None else f"{part.size[0]}x{part.size[1]}"
        found = [line for line in (_blocks(part), _channels(part), size) if line]
        for number, line in enumerate(found):
            labels.append(Text(x=x, y=below + _LINE * number, text=line, size=_TEXT, anchor="middle"))
    return [*names, *labels]


def _head(picture: NetworkPicture, width: float) -> list[Text]:
    """The title in as many lines as it takes, and the totals."""
    tied = picture.title.replace("blocks ", "blocks\u00a0").replace("widths ", "widths\u00a0")
    title = textwrap.wrap(tied, int(width / (BOLD * 12)), break_on_hyphens=False)
    channels, height, across = picture.input_shape
    counted = "measured after training" if picture.trained else "as planned"
    totals = f"{picture.macs:,} MACs, {picture.params:,} parameters, {counted}. Images: {channels}x{height}x{across}."
    lines = [
        Text(x=_MARGIN, y=_MARGIN + 8 + 16 * number, text=text.replace("\u00a0", " "), size=12, bold=True)
        for number, text in enumerate(title)
    ]
    quiet = textwrap.wrap(totals, int(width / (GLYPH * _TEXT)))
    y = _MARGIN + 6 + 16 * len(title)
    return [
        *lines,
        *(
            Text(x=_MARGIN, y=y + _LINE * number, text=text, size=_TEXT, quiet=True)
            for number, text in enumerate(quiet)
        ),
    ]


def _share(amount: int, total: int) -> float:
    return amount / total if total else 0.0


def _percent(amount: int, total: int) -> str:
    share = 100 * _share(amount, total)
    return "0%" if not amount else "<1%" if share < 0.95 else f"{share:.0f}%"


def short(amount: int) -> str:
    """A count in few letters: 864, 12.4k, 3.1M.

    >>> short(864), short(12_360), short(3_100_000), short(2_000_000_000)
    ('864', '12.4k', '3.1M', '2G')
    """
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if amount >= 0.9995 * unit:
            return f"{amount / unit:.3g}{name}"
    return str(amount)


def _blocks(part: Part) -> str:
    return f"{len(part.widths)} block{'s' * (len(part.widths) > 1)}" if part.kind == "stage" else ""


def _channels(part: Part) -> str:
    if part.kind == "classifier":
        return f"{counted(part.widths[0], 'class', 'classes')}"
    first, last = part.widths[0], part.widths[-1]
    return f"{last:,} channels" if first == last else f"{first:,} to {last:,} ch."


def _description(picture: NetworkPicture) -> str:
    """The strip in words."""
    parts = []
    for part in picture.parts:
        blocks = f", {_blocks(part)}" if _blocks(part) else ""
        size = f", {part.size[0]}x{part.size[1]}" if part.size else ""
        shares = _percent(part.macs, picture.macs), _percent(part.params, picture.params)
        parts.append(
            f"{part.name} ({part.label}{blocks}, {_channels(part)}{size}): {shares[0]} of MACs, "
            f"{shares[1]} of parameters"
        )
    return "; ".join(parts) + ". Boxes are blocks, as high as the square root of their channels."
