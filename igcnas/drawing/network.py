"""A whole network in parts, as numbers: stem, stages, head and classifier, which add up to the counts of its plan."""

from __future__ import annotations

from dataclasses import dataclass

from igcnas.network.architecture import Architecture
from igcnas.network.cost import count_plan
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Layer, Sequence, halve


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stage, or what stands before or behind the stages.

    kind: 'stem', 'stage', 'head' or 'classifier'. widths: channels that leave each of its blocks, or it. size: height
    and width of what leaves it; None behind the pooling.
    """

    kind: str
    name: str
    label: str
    widths: tuple[int, ...]
    size: tuple[int, int] | None
    stride: int
    macs: int
    params: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPicture:
    """A network in parts. trained: whether the counts are those of the trained network; else as planned."""

    title: str
    input_shape: tuple[int, int, int]
    parts: tuple[Part, ...]
    macs: int
    params: int
    trained: bool


def compute_network(architecture: Architecture, *, trained: Plan | None = None) -> NetworkPicture:
    """The parts of a network. `trained`: its plan after lowering, whose counts then stand in place of the planned."""
    whole = plan(architecture)
    counted = {child.name: child for child in (trained or whole).root.layers}

    def cost(*names: str) -> tuple[int, int]:
        layers: tuple[Layer, ...] = tuple(child for name, child in counted.items() if name in names)
        found = count_plan(Plan(Sequence("", layers), whole.input_shape))
        return found.macs, found.params

    _, *size = whole.input_shape
    here = halve((size[0], size[1]), architecture.stem_stride)
    here = halve(here, 2) if architecture.stem_pool else here
    kernel = architecture.stem_kernel
    label = f"{kernel}x{kernel}" + (", pool" if architecture.stem_pool else "")
    stride = architecture.stem_stride * (2 if architecture.stem_pool else 1)
    macs, params = cost("stem")
    parts = [
        Part(
            kind="stem",
            name="stem",
            label=label,
            widths=(architecture.stem_channels,),
            size=here,
            stride=stride,
            macs=macs,
            params=params,
        )
    ]
    channels = architecture.stem_channels
    for number, stage in enumerate(architecture.stages, start=1):
        widths = []
        for _ in range(stage.repeats):
            channels = stage.block.out_channels(channels, stage.width)
            widths.append(channels)
        here = halve(here, stage.stride)
        macs, params = cost(f"stage{number}")
        parts.append(
            Part(
                kind="stage",
                name=f"stage {number}",
                label=stage.block.label(),
                widths=tuple(widths),
                size=here,
                stride=stage.stride,
                macs=macs,
                params=params,
            )
        )
    if architecture.head_channels:
        macs, params = cost("head", "last")
        parts.append(
            Part(
                kind="head",
                name="head",
                label="1x1",
                widths=(architecture.head_channels,),
                size=here,
                stride=1,
                macs=macs,
                params=params,
            )
        )
    macs, params = cost("pool", "classifier", *(() if architecture.head_channels else ("last",)))
    parts.append(
        Part(
            kind="classifier",
            name="classifier",
            label="pool, linear",
            widths=(architecture.num_classes,),
            size=None,
            stride=1,
            macs=macs,
            params=params,
        )
    )
    total = count_plan(trained or whole)
    return NetworkPicture(
        title=architecture.label(),
        input_shape=whole.input_shape,
        parts=tuple(parts),
        macs=total.macs,
        params=total.params,
        trained=trained is not None,
    )
