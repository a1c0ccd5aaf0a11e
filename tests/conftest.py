"""What every test shares: one torch thread, one hypothesis profile, and random architectures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from igcnas.network.architecture import ACTIVATIONS, Architecture, Stage
from igcnas.network.blocks import BasicBlock, Block, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.blocks.bottleneck import STRIDED
from igcnas.network.blocks.inverted import SHORTCUTS
from igcnas.network.grouping import (
    Condensing,
    Dense,
    DynamicChannels,
    Group,
    Grouping,
    Interleaved,
    KroneckerGrouping,
    LearnedGrouping,
    MultiSpectral,
)

# Before torch is loaded, and for the processes that tests start: several tests run at once, and threads that wait for
# work would take the cores from them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
with suppress(ModuleNotFoundError):  # `make test-without-torch`
    import torch

    torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a job that a script put into the background, with all it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.pop("IGCNAS_STUDIES", None)  # tests have folders of their own
settings.register_profile("ci", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("ci")

# Every width is a multiple of 4, so that 2 and 4 groups fit everywhere.
_WIDTHS = st.sampled_from((4, 8, 12, 16))
_GROUPS = st.sampled_from((1, 2, 4))


@st.composite
def _interleaved(draw: st.DrawFn, width: int, learned: bool) -> Grouping:
    L = draw(st.sampled_from([L for L in range(1, width + 1) if width % L == 0]))
    return Interleaved(L=L, M=width // L, learned=learned and draw(st.booleans()))


def _simple(learned: bool) -> st.SearchStrategy[Grouping]:
    """For 1x1 convolutions."""
    fixed = st.one_of(st.builds(Dense), st.builds(Group, groups=_GROUPS))
    if not learned:
        return fixed
    numbers = st.sampled_from((1, 2, 3, 4))
    free = st.builds(LearnedGrouping, groups=numbers, balanced=st.just(False), nonempty=st.booleans())
    rounded = st.builds(LearnedGrouping, groups=numbers, multiple=st.sampled_from((1, 2, 16)))
    condensing = st.builds(Condensing, groups=_GROUPS, factor=numbers)
    return st.one_of(fixed, st.builds(LearnedGrouping, groups=_GROUPS), free, rounded, condensing)


@st.composite
def _bottleneck(draw: st.DrawFn, learned: bool) -> Block:
    """`mid` is a power of two, so that it can have Kronecker gates."""
    kronecker = st.builds(KroneckerGrouping, groups=_GROUPS, balanced=st.booleans())
    spatial = st.one_of(st.builds(Group, groups=_GROUPS), kronecker) if learned else st.builds(Group, groups=_GROUPS)
    return Bottleneck(
        mid=draw(st.sampled_from((4, 8, 16))),
        spatial=draw(spatial),
        reduce=draw(_simple(learned)),
        restore=draw(_simple(learned)),
        kernel=draw(st.sampled_from((1, 3, 5))),
        strided=draw(st.sampled_from(STRIDED)),
    )


@st.composite
def _blocks(draw: st.DrawFn, width: int, learned: bool) -> Block:
    skeleton = draw(st.sampled_from(("basic", "inverted", "bottleneck", "dense")))
    if skeleton == "basic":
        grouping = draw(st.one_of(_simple(False), _interleaved(width, learned)))
        return BasicBlock(grouping=grouping, kernel=draw(st.sampled_from((1, 3, 5))), residual=draw(st.booleans()))
    if skeleton == "bottleneck":
        return draw(_bottleneck(learned))
    if skeleton == "dense":
        return DenseLayer(
            reduce=draw(_simple(learned)),
            spatial=draw(_simple(False)),
            bottleneck=draw(st.integers(1, 4)),
            kernel=draw(st.sampled_from((1, 3))),
        )
    return InvertedResidual(
        expansion=draw(st.integers(1, 4)),
        expand=draw(_simple(learned)),
        project=draw(st.one_of(_simple(learned), _interleaved(width, learned))),
        kernel=draw(st.sampled_from((3, 5))),
        expand_activation=draw(st.booleans()),
        always_expand=draw(st.booleans()),
        shortcut=draw(st.sampled_from(SHORTCUTS)),
    )


@st.composite
def architectures(draw: st.DrawFn, *, learned: bool) -> Architecture:
    """Small random networks of all skeletons; `learned` lets groupings be learned, too."""
    stages = []
    for width in draw(st.lists(_WIDTHS, min_size=1, max_size=3)):
        stage: dict[str, Any] = {"repeats": draw(st.integers(1, 2)), "stride": draw(st.integers(1, 3))}
        stages.append(Stage(block=draw(_blocks(width, learned)), width=width, **stage))
    return Architecture(
        family="random",
        input_shape=(draw(st.sampled_from((1, 3))), draw(st.integers(8, 33)), draw(st.integers(8, 33))),
        num_classes=draw(st.integers(1, 12)),
        stem_channels=draw(_WIDTHS),
        stem_stride=draw(st.integers(1, 2)),
        stages=tuple(stages),
        head_channels=draw(st.sampled_from((0, 7, 20))),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        condense_classifier=draw(st.integers(1, 3)) if learned else 1,
    )


def _gated() -> st.SearchStrategy[Grouping]:
    """Groupings that each image decides; one in six is none."""
    heads, keep = st.sampled_from((1, 2, 4)), st.sampled_from((0.25, 0.5, 1.0))
    spectral = st.builds(MultiSpectral, heads=heads, keep=keep, attention=st.booleans(), reduction=st.integers(1, 4))
    dynamic = st.builds(DynamicChannels, heads=heads, keep=keep)
    fixed = st.one_of(st.builds(Dense), st.builds(Group, groups=_GROUPS))
    return st.one_of(spectral, spectral, spectral, dynamic, dynamic, fixed)


@st.composite
def _gated_blocks(draw: st.DrawFn) -> Block:
    gated, kind = _gated(), draw(st.sampled_from((BasicBlock, Bottleneck, DenseLayer, InvertedResidual)))
    if kind is BasicBlock:
        residual = draw(st.booleans())
        second = draw(st.one_of(st.none(), gated)) if residual else None
        return BasicBlock(grouping=draw(gated), second=second, residual=residual)
    if kind is Bottleneck:
        return Bottleneck(mid=8, reduce=draw(gated), spatial=draw(gated), restore=draw(gated))
    if kind is DenseLayer:
        return DenseLayer(reduce=draw(gated), spatial=draw(gated), bottleneck=draw(st.integers(1, 3)))
    return InvertedResidual(
        expansion=draw(st.integers(1, 3)),
        expand=draw(st.one_of(_simple(False), gated)),
        project=draw(gated),
        always_expand=draw(st.booleans()),
        shortcut=draw(st.sampled_from(SHORTCUTS)),
    )


@st.composite
def gated_architectures(draw: st.DrawFn) -> Architecture:
    """Small random networks of all skeletons in which each image decides some groupings."""
    stages = tuple(
        Stage(block=draw(_gated_blocks()), width=width, repeats=draw(st.integers(1, 2)), stride=draw(st.integers(1, 2)))
        for width in draw(st.lists(st.sampled_from((4, 8)), min_size=1, max_size=2))
    )
    return Architecture(
        family="random",
        input_shape=(1, draw(st.integers(4, 9)), draw(st.integers(4, 9))),
        num_classes=3,
        stem_channels=draw(st.sampled_from((4, 8))),
        stages=stages,
        preactivation=any(isinstance(stage.block, DenseLayer) for stage in stages),
    )


@pytest.fixture(scope="module")
def forked_workers() -> Iterator[None]:
    """Workers of this file are forks of the process that tests: support/forking.py says why. On Linux."""
    if not sys.platform.startswith("linux"):
        yield
        return
    from support.forking import Fork

    from igcnas.search.evaluation import child

    used = SimpleNamespace(Popen=Fork, PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "subprocess", used)
        patch.setattr(child, "pays_for", lambda _slots: False)
        yield
