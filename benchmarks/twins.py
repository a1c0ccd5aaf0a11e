"""Networks that differ in one thing: who decides which channels meet. One Kind for each learned grouping.

To add a kind: a function from (size, grouping) to an Architecture and a row in KINDS. `twin` has fixed groups, and the
others are compared with it; the size is the largest multiple of `unit` whose twin stays within the budget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, Block, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.grouping import (
    DENSE,
    Condensing,
    DynamicChannels,
    Group,
    Grouping,
    KroneckerGrouping,
    LearnedGrouping,
    MultiSpectral,
    SparseProduct,
)
from igcnas.network.grouping.rules import GroupingRules

PLAIN = GroupingRules()
FROZEN = GroupingRules(learning_rate=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """`grouping` from the size; `rules` of its training; `refit`: a size of its own at the budget, of any number.

    `network`: a structure of its own.
    """

    name: str
    grouping: Callable[[int], Grouping]
    rules: GroupingRules = PLAIN
    refit: bool = False
    network: Callable[[int, Grouping], Architecture] | None = None
    condense_classifier: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A network of some size with a place for a grouping, and what to put there.

    `generators`: the largest share of the twin's MACs that generators of masks add to a variant of the same size.
    """

    name: str
    network: Callable[[int, Grouping], Architecture]
    twin: Variant
    variants: tuple[Variant, ...]
    unit: int = 4
    generators: float = 0.0


def _architecture(name: str, stem: int, stages: tuple[Stage, ...], *, preactivation: bool = False) -> Architecture:
    return Architecture(
        family=name,
        input_shape=(1, 8, 8),
        num_classes=10,
        stem_channels=stem,
        stages=stages,
        preactivation=preactivation,
    )


def _stages(block: Block, width: int) -> tuple[Stage, ...]:
    return tuple(Stage(block=block, width=width, repeats=2, stride=stride) for stride in (1, 2, 1))


def inverted(size: int, grouping: Grouping) -> Architecture:
    """Six inverted residual blocks of `size` channels; expansion and projection have the grouping."""
    block = InvertedResidual(expansion=3, expand=grouping, project=grouping)
    return _architecture("twin-inverted", size, _stages(block, size))


def bottleneck(size: int, grouping: Grouping) -> Architecture:
    """Six bottleneck blocks of `size` channels with 16 in the middle, where the 3x3 convolution has the grouping."""
    return _architecture("twin-bottleneck", size, _stages(Bottleneck(mid=16, spatial=grouping), size))


def narrow_bottleneck(size: int, grouping: Grouping) -> Architecture:
    """The same with 8 channels in the middle: dense, these 3x3 convolutions cost what 16 channels in 4 groups cost."""
    return _architecture("twin-bottleneck", size, _stages(Bottleneck(mid=8, spatial=grouping), size))


def condense(size: int, grouping: Grouping, *, stem: int = 8) -> Architecture:
    """CondenseNet of two stages with growth 4 and 8 and `size` layers each; the 1x1 convolutions have the grouping."""
    block = DenseLayer(reduce=grouping, spatial=Group(groups=4))
    stages = tuple(Stage(block=block, width=4 * s, repeats=size, stride=s) for s in (1, 2))
    return _architecture("twin-condense", stem, stages, preactivation=True)


def slim_condense(size: int, grouping: Grouping) -> Architecture:
    """The same with a stem of 4 channels: this leaves room in the budget for the generators of DGC."""
    return condense(size, grouping, stem=4)


def basic(size: int, grouping: Grouping) -> Architecture:
    """Two basic blocks of `size` channels and three of twice as many, shortcuts padded; all convolutions have it.

    Of MSGC, the first convolution of a block has one head, as in the authors' residual networks.
    """
    return _basic(size, 2 * size, grouping)


def narrow_basic(size: int, grouping: Grouping) -> Architecture:
    """The same with one channel less in the wide blocks: dense, this fits the budget better than twice as many."""
    return _basic(size, 2 * size - 1, grouping)


def _basic(narrow: int, wide: int, grouping: Grouping) -> Architecture:
    first = replace(grouping, heads=1) if isinstance(grouping, MultiSpectral) else grouping
    block = BasicBlock(grouping=first, second=grouping, shortcut="pad")
    stages = (
        Stage(block=block, width=narrow, repeats=2),
        Stage(block=block, width=wide, repeats=3, stride=2),
    )
    return _architecture("twin-basic", narrow, stages)


def _always(grouping: Grouping) -> Callable[[int], Grouping]:
    return lambda _size: grouping


_BALANCED = _always(LearnedGrouping(groups=4))
_FREE = _always(LearnedGrouping(groups=4, balanced=False))
_ANNEALED = GroupingRules(temperature_end=0.1)
_SLOW = GroupingRules(learning_rate=0.1)
_MASKED = GroupingRules(gradient="masked")
_GATES = _always(KroneckerGrouping(groups=4))
_FREE_GATES = _always(KroneckerGrouping(groups=4, balanced=False))
_STAGED = _always(Condensing(groups=4, factor=4))
_HEADS = _always(MultiSpectral(heads=4, keep=0.5))
_ATTENTION = _always(MultiSpectral(heads=4, keep=0.5, attention=True))
_QUIET = GroupingRules(noise_end=0.0)
_SALIENT = _always(DynamicChannels(heads=4, keep=0.25))
_DENSE = Variant(name="dense, within the budget, narrower or shallower", grouping=_always(DENSE), refit=True)
_WIDE = Variant(name="dense, same widths, more MACs", grouping=_always(DENSE))

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="flgc",
            network=inverted,
            twin=Variant(name="group convolutions, permuted (IGC V3)", grouping=_always(Group(groups=4))),
            variants=(
                # Branches of a quarter of the width are four groups, and nothing permutes between the two.
                Variant(name="group convolutions, not permuted", grouping=lambda size: SparseProduct(K=(size // 4,))),
                Variant(name="random equal groups, frozen", grouping=_BALANCED, rules=FROZEN),
                Variant(name="balanced, full gradient", grouping=_BALANCED),
                Variant(name="balanced, masked gradient", grouping=_BALANCED, rules=_MASKED),
                Variant(name="balanced, full, temperature 1 to 0.1", grouping=_BALANCED, rules=_ANNEALED),
                Variant(name="balanced, full, a tenth of the learning rate", grouping=_BALANCED, rules=_SLOW),
                Variant(name="free, full gradient", grouping=_FREE),
                Variant(name="free, masked gradient", grouping=_FREE, rules=_MASKED),
                Variant(name="free, full, temperature 1 to 0.1", grouping=_FREE, rules=_ANNEALED),
                Variant(
                    name="free, full, no group empty",
                    grouping=_always(LearnedGrouping(groups=4, balanced=False, nonempty=True)),
                ),
                _DENSE,
                _WIDE,
            ),
        ),
        Kind(
            name="dgconv",
            network=bottleneck,
            unit=1,
            twin=Variant(name="group convolutions", grouping=_always(Group(groups=4))),
            variants=(
                Variant(name="random gates, frozen", grouping=_GATES, rules=FROZEN),
                Variant(name="balanced, gates from 1e-8", grouping=_GATES),
                Variant(name="balanced, gates from 0.1", grouping=_GATES, rules=GroupingRules(gate_scale=0.1)),
                Variant(
                    name="balanced, gates from 0.1, a tenth of the learning rate",
                    grouping=_GATES,
                    rules=GroupingRules(gate_scale=0.1, learning_rate=0.1),
                ),
                Variant(name="free, exponent 0.02 (paper)", grouping=_FREE_GATES),
                Variant(
                    name="free, exponent 0.02, gates from 0.1",
                    grouping=_FREE_GATES,
                    rules=GroupingRules(gate_scale=0.1),
                ),
                Variant(name="free, exponent 1", grouping=_FREE_GATES, rules=GroupingRules(ratio_exponent=1.0)),
                Variant(name="free, no penalty", grouping=_FREE_GATES, rules=GroupingRules(ratio_exponent=0.0)),
                Variant(
                    name="dense, within the budget, 8 in the middle",
                    grouping=_always(DENSE),
                    refit=True,
                    network=narrow_bottleneck,
                ),
                _WIDE,
            ),
        ),
        Kind(
            name="condensing",
            network=condense,
            unit=1,
            twin=Variant(name="group convolutions, not permuted", grouping=_always(Group(groups=4))),
            variants=(
                Variant(
                    name="chosen by the first random weights",
                    grouping=_STAGED,
                    rules=GroupingRules(condense_until=0.0),
                ),
                Variant(name="in stages over half of training (paper)", grouping=_STAGED),
                Variant(name="in stages, group lasso 1e-5", grouping=_STAGED, rules=GroupingRules(group_lasso=1e-5)),
                Variant(name="in stages, group lasso 1e-3", grouping=_STAGED, rules=GroupingRules(group_lasso=1e-3)),
                Variant(name="in stages, classifier keeps half", grouping=_STAGED, condense_classifier=2),
                _DENSE,
                _WIDE,
            ),
        ),
        Kind(
            name="msgc",
            network=basic,
            generators=0.02,
            twin=Variant(name="group convolutions, not permuted", grouping=_always(Group(groups=2))),
            variants=(
                Variant(name="plain pruning, 1 head", grouping=_always(MultiSpectral(heads=1, keep=0.5))),
                Variant(name="1 and 4 heads", grouping=_HEADS),
                Variant(name="1 and 4 heads, attention (paper)", grouping=_ATTENTION),
                Variant(name="1 and 4 heads, noise falls to 0", grouping=_HEADS, rules=_QUIET),
                Variant(name="1 and 4 heads, attention, noise falls to 0", grouping=_ATTENTION, rules=_QUIET),
                Variant(
                    name="dense, within the budget, narrower",
                    grouping=_always(DENSE),
                    refit=True,
                    network=narrow_basic,
                ),
                _WIDE,
            ),
        ),
        Kind(
            name="dgc",
            network=slim_condense,
            unit=1,
            generators=0.1,
            twin=Variant(name="group convolutions, not permuted", grouping=_always(Group(groups=4))),
            variants=(
                Variant(name="4 heads (paper)", grouping=_SALIENT),
                Variant(
                    name="4 heads, a quarter kept from the first step",
                    grouping=_SALIENT,
                    rules=GroupingRules(dgc_from=0.0, dgc_until=0.0),
                ),
                Variant(name="plain pruning, 1 head", grouping=_always(DynamicChannels(heads=1, keep=0.25))),
                _DENSE,
                _WIDE,
            ),
        ),
    )
}
