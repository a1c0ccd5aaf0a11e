"""The shapes at which operators are timed: those of networks on digits, and some wider ones.

Kinds: pointwise (a grouped 1x1), depthwise (3x3), dense (3x3), block (the two convolutions of an IGC V1 block, with L
primary groups). Settings: alone; permuted, behind the permutation that interleaves the groups; normed, behind batch
norm and ReLU of its input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

KINDS = ("pointwise", "depthwise", "dense", "block")
SETTINGS = {
    "pointwise": ("alone", "permuted", "normed"),
    "depthwise": ("alone", "normed"),
    "dense": ("alone", "normed"),
    "block": ("alone", "normed"),
}
# (channels in, channels out, size, groups) of grouped 1x1 convolutions, and (channels, size, stride) of depthwise ones.
_POINTWISE = ((32, 32, 8, 8), (64, 64, 8, 4), (64, 64, 8, 16), (128, 128, 4, 8), (64, 64, 16, 4), (24, 144, 32, 2))
_DEPTHWISE = ((32, 8, 1), (64, 8, 1), (64, 16, 1), (64, 8, 2), (64, 32, 1))
# Channels and size of dense 3x3 convolutions; L, M and size of blocks.
_DENSE = ((16, 8), (32, 8), (64, 4))
_BLOCK = ((8, 2, 8), (24, 2, 8), (16, 4, 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One operator at one shape. groups of a block: its L primary groups."""

    kind: str
    setting: str
    batch: int
    in_channels: int
    out_channels: int
    size: int
    groups: int = 1
    stride: int = 1

    @property
    def out_size(self) -> int:
        """Height and width of the output."""
        return -(-self.size // self.stride)

    @property
    def shuffles(self) -> int:
        """Groups of the permutation behind which the groups of this convolution are interleaved."""
        return self.in_channels // self.groups

    @property
    def elements(self) -> tuple[int, int]:
        """Of input and output."""
        return (
            self.batch * self.in_channels * self.size**2,
            self.batch * self.out_channels * self.out_size**2,
        )

    def least_elements(self, both: bool) -> int:
        """What must be read and written at least: X + Y forward; with gradients as in `traffic`, fused2 if normed."""
        x, y = self.elements
        if not both:
            return x + y
        return 4 * x + 5 * y if self.setting == "normed" else 3 * (x + y)

    def text(self) -> str:
        """As in C64 8x8 G4 B128."""
        channels = f"C{self.in_channels}"
        if self.out_channels != self.in_channels:
            channels = f"{self.in_channels}->{self.out_channels}"
        groups = {"pointwise": f" G{self.groups}", "block": f" L{self.groups}"}.get(self.kind, "")
        return f"{channels} {self.size}x{self.size}{groups}{' s2' if self.stride == 2 else ''} B{self.batch}"


def cases(kinds: tuple[str, ...], batches: tuple[int, ...]) -> Iterator[Case]:
    """Every case of these kinds."""
    for kind in kinds:
        for setting in SETTINGS[kind]:
            for batch in batches:
                for in_channels, out_channels, size, groups, stride in _shapes(kind):
                    yield Case(
                        kind=kind,
                        setting=setting,
                        batch=batch,
                        in_channels=in_channels,
                        out_channels=out_channels,
                        size=size,
                        groups=groups,
                        stride=stride,
                    )


def _shapes(kind: str) -> Iterator[tuple[int, int, int, int, int]]:
    if kind == "pointwise":
        yield from ((i, o, size, groups, 1) for i, o, size, groups in _POINTWISE)
    elif kind == "depthwise":
        yield from ((c, c, size, c, stride) for c, size, stride in _DEPTHWISE)
    elif kind == "dense":
        yield from ((c, c, size, 1, 1) for c, size in _DENSE)
    else:
        yield from ((L * M, L * M, size, L, 1) for L, M, size in _BLOCK)
