"""A network as frozen, validated data: what is searched, stored, compared and exported.

Nothing about training is in it. Equal networks have equal ids, whoever made them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from igcnas.errors import ArchitectureError
from igcnas.network import blocks, grouping
from igcnas.network.blocks import Block
from igcnas.network.grouping import Grouping
from igcnas.system import bounds
from igcnas.system.checks import require, require_bool, require_positive, shown
from igcnas.system.reading import plain_json

FORMAT = 1
ACTIVATIONS = ("relu", "relu6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """`repeats` equal blocks of `width` output channels; the first has the stride."""

    block: Block
    width: int
    repeats: int
    stride: int = 1

    def __post_init__(self) -> None:
        if not blocks.KINDS.holds(self.block):  # the known kinds are looked for only where one is wrong
            raise ArchitectureError(f"block must be one of {blocks.KINDS.names()}, not {shown(self.block)}")
        require_positive(width=self.width, repeats=self.repeats, stride=self.stride)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Stem convolution, stages of blocks, an optional 1x1 head convolution, global average pooling, a linear layer.

    input_shape is (channels, height, width). head_channels = 0 means no head convolution. stem_pool: a 3x3 max pooling
    of stride 2 after the stem. preactivation: norm and activation stand in front of convolutions, so that the stem has
    none and they come once more at the end (CondenseNet). condense_classifier = n: training keeps one n-th of the
    inputs of the linear layer.
    """

    family: str
    input_shape: tuple[int, int, int]
    num_classes: int
    stem_channels: int
    stages: tuple[Stage, ...]
    stem_stride: int = 1
    head_channels: int = 0
    activation: str = "relu"
    stem_kernel: int = 3
    stem_pool: bool = False
    preactivation: bool = False
    classifier_bias: bool = True
    condense_classifier: int = 1

    def __post_init__(self) -> None:
        require(isinstance(self.family, str), f"family must be a name, but is {shown(self.family)}")
        require(
            isinstance(self.input_shape, tuple) and len(self.input_shape) == 3,
            f"input_shape must be (channels, height, width), but is {shown(self.input_shape)}",
        )
        require(
            isinstance(self.stages, tuple) and all(isinstance(stage, Stage) for stage in self.stages),
            "stages must be a tuple of Stage",
        )
        channels, height, width = self.input_shape
        require_positive(
            input_channels=channels,
            input_height=height,
            input_width=width,
            num_classes=self.num_classes,
            stem_channels=self.stem_channels,
            stem_stride=self.stem_stride,
            stages=len(self.stages),
            stem_kernel=self.stem_kernel,
            condense_classifier=self.condense_classifier,
        )
        require(self.stem_kernel % 2 == 1, f"stem_kernel must be odd, but is {self.stem_kernel}")
        require_bool(stem_pool=self.stem_pool, preactivation=self.preactivation, classifier_bias=self.classifier_bias)
        require(
            type(self.head_channels) is int and self.head_channels >= 0,
            f"head_channels must be 0 (none) or more, but is {shown(self.head_channels)}",
        )
        require(
            self.activation in ACTIVATIONS, f"activation must be one of {ACTIVATIONS}, but is {shown(self.activation)}"
        )
        require(self.stem_kernel <= bounds.KERNEL, f"stem_kernel must be at most {bounds.KERNEL}")
        self._require_bounded()
        in_channels = self.stem_channels
        for number, stage in enumerate(self.stages, start=1):
            # Blocks that do not grow are alike from the second on, and check both themselves.
            for _ in range(stage.repeats if stage.block.grows else 1):
                try:
                    stage.block.check(in_channels, stage.width)
                except ArchitectureError as error:
                    raise ArchitectureError(f"stage {number} of {self.family}: {error}") from None
                in_channels = stage.block.out_channels(in_channels, stage.width)

    def _require_bounded(self) -> None:
        """Before anything counts its layers one by one."""
        _, height, width = self.input_shape
        require(max(height, width) <= bounds.WIDTH_PIXELS, f"images have at most {bounds.WIDTH_PIXELS:,} pixels a side")
        require(self.head_channels <= bounds.CHANNELS, f"head_channels must be at most {bounds.CHANNELS:,}")
        require(len(self.stages) <= bounds.STAGES, f"{len(self.stages):,} stages are more than {bounds.STAGES}")
        require(self.depth <= bounds.BLOCKS, f"{self.depth:,} blocks are more than {bounds.BLOCKS:,}")
        channels, total = self.stem_channels, 0
        for stage in self.stages:
            first = stage.block.out_channels(channels, stage.width)
            last = channels + stage.repeats * (first - channels) if stage.block.grows else first
            channels, total = last, total + stage.repeats * max(first, last)
        most = bounds.ALL_CHANNELS
        require(total <= most, f"its blocks have {total:,} output channels together, more than {most:,}")

    @cached_property
    def id(self) -> str:
        """Twelve hex digits over the JSON without the family's name: of equal descriptions, not of equal networks.

        Networks that are equal however they are described have one `canonical_id` (canonical.py).

        Values that are defaults are left out, so that a later version, which knows more choices, gives the same id.
        """
        data = {"format": FORMAT, **_encode(self, sparse=True)}
        del data["family"]
        text = json.dumps(data, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def depth(self) -> int:
        """Blocks over all stages."""
        return sum(stage.repeats for stage in self.stages)

    def kinds(self) -> set[str]:
        """The kinds of its blocks and of the groupings in them."""
        own = [stage.block for stage in self.stages]
        values = [getattr(block, one.name) for block in own for one in dataclasses.fields(block)]  # type: ignore[arg-type]
        return {one.kind for one in (*own, *values) if isinstance(one, Block | Grouping)}

    def label(self) -> str:
        """One readable line: family, block of each stage where it changes, repeats and widths."""
        blocks = [label for label, _ in itertools.groupby(stage.block.label() for stage in self.stages)]
        shown = " / ".join(blocks)
        repeats = "-".join(str(stage.repeats) for stage in self.stages)
        widths = "-".join(str(stage.width) for stage in self.stages)
        return f"{self.family} {shown}, blocks {repeats}, widths {widths}"

    def title(self) -> str:
        """The same in words, for where there is room: blocks with their papers' parameters, and the stages."""
        blocks = " / ".join(dict.fromkeys(stage.block.title(stage.width) for stage in self.stages))
        repeats = ", ".join(str(stage.repeats) for stage in self.stages)
        widths = ", ".join(str(stage.width) for stage in self.stages)
        several = "stages of" if len(self.stages) > 1 else "one stage of"
        return f"{self.family}: {blocks}; {several} {repeats} blocks with {widths} channels"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"format": FORMAT, **_encode(self)}

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Architecture:
        """The network that `to_dict` described; validated like any other."""
        if not isinstance(data, dict):
            raise ArchitectureError(f"an architecture is a JSON object, but this is a {type(data).__name__}")
        if data.get("format") != FORMAT:
            raise ArchitectureError(
                f"architecture format {shown(data.get('format'))} is not known; this version reads {FORMAT}"
            )
        values = {key: value for key, value in data.items() if key != "format"}
        for key in ("stages", "input_shape"):
            if not isinstance(values.get(key, []), list):
                raise ArchitectureError(f"{key} must be a list, but is {shown(values[key])}")
        require(len(values.get("stages", ())) <= bounds.STAGES, f"stages must be at most {bounds.STAGES}")
        values["stages"] = tuple(_decode_stage(stage) for stage in values.get("stages", ()))
        values["input_shape"] = tuple(values.get("input_shape", ()))
        architecture: Architecture = _construct(Architecture, values)
        return architecture

    @staticmethod
    def unread(text: str, ident: str) -> Architecture:
        """The network of this id that `to_json` described, decoded when somebody asks for more than its id.

        For text that was decoded once before: one that is damaged raises where nobody expects it.
        """
        found = object.__new__(_Unread)
        found.__dict__.update(_text=text, id=ident)
        return found

    @staticmethod
    def from_json(text: str) -> Architecture:
        """The network that `to_json` described."""
        try:
            data = plain_json(text)
        except ValueError as error:
            raise ArchitectureError(f"an architecture is damaged ({error})") from None
        return Architecture.from_dict(data)


class _Unread(Architecture):
    """An architecture until it is looked at; then it is one like any other."""

    def __getattribute__(self, name: str) -> Any:
        mine = object.__getattribute__(self, "__dict__")
        if name == "id":
            return mine["id"]
        if name == "__dict__":
            return mine
        read = Architecture.from_json(mine.pop("_text"))
        mine.update(read.__dict__)
        object.__setattr__(self, "__class__", Architecture)
        return getattr(self, name)


def _encode(value: Any, *, sparse: bool = False) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        encoded = {"kind": value.kind} if hasattr(value, "kind") else {}
        for field in dataclasses.fields(value):
            item = getattr(value, field.name)
            if not (sparse and item == field.default):
                encoded[field.name] = _encode(item, sparse=sparse)
        return encoded
    if isinstance(value, tuple):
        return [_encode(item, sparse=sparse) for item in value]
    return value


def _decode_stage(data: Any) -> Stage:
    if not isinstance(data, dict):
        raise ArchitectureError(f"a stage is a JSON object, but this is {shown(data)}")
    stage: Stage = _construct(Stage, {key: _decode(value) for key, value in data.items()})
    return stage


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    if not isinstance(value, dict):
        return value
    kind = value.get("kind")
    found: type[Any] | None = None
    if isinstance(kind, str):
        every = (blocks.KINDS, grouping.KINDS)
        owner = next((one for one in every if kind in one.own), None)  # no package is asked for a kind of igcnas
        found = owner.get(kind) if owner is not None else blocks.KINDS.get(kind) or grouping.KINDS.get(kind)
    if found is None:
        known = ", ".join(sorted({*blocks.KINDS.names(), *grouping.KINDS.names()}))
        raise ArchitectureError(
            f"unknown kind {shown(kind)} of block or grouping; known: {known}; one of another package is known "
            "where that package is installed"
        )
    return _construct(found, {key: _decode(item) for key, item in value.items() if key != "kind"})


def _construct(cls: type[Any], values: dict[str, Any]) -> Any:
    try:
        return cls(**values)
    except TypeError as error:
        given = shown(sorted(map(str, values)), 120)
        raise ArchitectureError(f"{cls.__name__} cannot be made from {given}: {error}") from None
