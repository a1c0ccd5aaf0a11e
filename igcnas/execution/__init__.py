"""The fast reading of a plan: forward and backward steps run by hand, without autograd on activations.

A stock network makes a pass over memory for each layer: convolution, norm, activation, permutation, sum. Here a value
is stored raw, and what is pending on it - the norm's affine map, the activation, the order of the channels - is applied
by whoever reads it. Gradients are the same: a norm's gradient is linear in two tensors that exist, and is never stored.

values: a stored tensor and what is pending on it. nodes/: the steps, each with its own backward. weights: where a
convolution gets its kernel from. reading: from a plan and its torch module to the list of steps. program: runs them.
composing: which convolutions in a row become one. operators: what the steps ask of a device; cpu/: the one that there
is. The parameters stay those of the torch module, which remains the oracle (`engine='eager'`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from igcnas.execution.program import Program
    from igcnas.network.plan import Plan


def make_program(network_plan: Plan, network: nn.Module, batch: int) -> Program:
    """The program of a network on a CPU for batches of this size."""
    from igcnas.execution.cpu.operators import CpuOperators
    from igcnas.execution.program import Program

    return Program(network_plan, network, CpuOperators(batch))
