"""Compile every CPU kernel at once, before trainings in several processes would each begin with it."""

from __future__ import annotations

import torch

from igcnas.execution import make_program
from igcnas.execution.cpu.gather import gather
from igcnas.execution.cpu.mark import set_mark
from igcnas.modules.build import build
from igcnas.network.grouping import MultiSpectral
from igcnas.network.plan import Plan
from igcnas.network.primitives import (
    Activation,
    Concat,
    Convolution,
    Gated,
    GlobalPool,
    Linear,
    Norm,
    PadShortcut,
    Permutation,
    Pool,
    Residual,
    Sequence,
)

# A network with a step of each kind.
_SIZE = (8, 8)
_BODY = (
    Permutation("permute", 8, 2),
    Convolution("depthwise", 8, 8, 3, 1, 8, _SIZE),
    Norm("norm", 8, _SIZE),
    Convolution("mix", 8, 8, 1, 1, 2, _SIZE),
    Norm("norm2", 8, _SIZE),
)
_STRIDED = Convolution("strided", 18, 18, 3, 2, 18, (4, 4))
_GATED = Convolution("gated", 8, 8, 3, 1, 1, _SIZE, learned=MultiSpectral(heads=1, keep=0.5), context_channels=8)
NETWORK = Plan(
    Sequence(
        "",
        (
            Convolution("stem", 1, 8, 3, 1, 1, _SIZE),
            Norm("norm", 8, _SIZE),
            Activation("act", "relu", 8, _SIZE),
            Residual("residual", Sequence("body", _BODY), Sequence("shortcut", ())),
            Gated("block", (_GATED, Norm("norm", 8, _SIZE), Activation("act", "relu6", 8, _SIZE))),
            Concat("concat", Sequence("body", (Convolution("conv", 8, 8, 3, 1, 1, _SIZE),))),
            Norm("norm2", 16, _SIZE),
            Pool("max", "max", 16, 3, 2, _SIZE),
            PadShortcut("pad", 16, 18, 2, (4, 4)),
            _STRIDED,
            Norm("norm3", 18, (2, 2)),
            Pool("average", "average", 18, 2, 2, (2, 2)),
            GlobalPool("pool", 18, (1, 1)),
            Linear("classifier", 18, 10),
        ),
    ),
    (1, *_SIZE),
)


def compile_all() -> None:
    """A batch from its bytes, forwards and backwards, and one in evaluation."""
    with torch.random.fork_rng(devices=[]):  # whoever calls draws as if nothing had been
        network = build(NETWORK)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    program = make_program(NETWORK, network, 16)
    images = torch.arange(1600).view(16, 1, 10, 10).to(torch.uint8)
    offsets, flips = torch.zeros((2, 16), dtype=torch.int64), torch.zeros(16, dtype=torch.bool)
    levels = torch.linspace(-1.0, 1.0, 256)[None]
    batch = gather(images, torch.arange(16), offsets, flips, torch.Size(_SIZE), levels)
    program.loss(batch, torch.sum)
    network.eval()
    program.answer(batch)
    set_mark()
