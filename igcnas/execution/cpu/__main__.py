"""Compile every CPU kernel now, which the first training would else do: python -m igcnas.execution.cpu."""

from __future__ import annotations

import time

import torch

from igcnas.execution import make_program
from igcnas.grouping import MultiSpectral
from igcnas.network import build
from igcnas.plan import Plan
from igcnas.primitives import (
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
            Pool("average", "average", 18, 2, 2, (2, 2)),
            GlobalPool("pool", 18, (1, 1)),
            Linear("classifier", 18, 10),
        ),
    ),
    (1, *_SIZE),
)


def main() -> None:
    """Two batches, forwards and backwards, and one in evaluation."""
    start = time.perf_counter()
    network = build(NETWORK)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    program = make_program(NETWORK, network, 16)
    images = torch.randn(16, 1, *_SIZE)
    program.loss(images, torch.sum)
    network.eval()
    program.answer(images)
    print(f"the CPU kernels are compiled ({time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
