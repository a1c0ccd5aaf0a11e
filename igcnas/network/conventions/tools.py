"""The general counters: ptflops (both backends), fvcore, thop. Versions that this was checked with: constraints.txt.

thop is not a dependency: its closed form was compared once with version 0.1.1, on 87 networks.
"""

from __future__ import annotations

from igcnas.network.conventions.elements import elements
from igcnas.network.plan import Plan


def ptflops(network: Plan, *, functional: bool = False, mean: bool = False) -> int:
    """ptflops 0.7, backend pytorch.

    It counts a module and again the function that the module calls, if it knows both: nn.ReLU and poolings twice,
    nn.ReLU6 once. `functional`: of an implementation that calls the functions itself, all once. `mean`: of one whose
    global pooling is a mean, which it does not count.
    """
    e = elements(network)
    pooled = e.max_pool_in + e.average_pool_in + (0 if mean else e.global_pool)
    twice = 1 if functional else 2
    return e.macs + e.bias_outputs + 2 * e.norm + twice * (e.relu + pooled) + e.relu6


def ptflops_aten(network: Plan) -> int:
    """ptflops 0.7, backend aten: convolutions and linear layers with their biases."""
    e = elements(network)
    return e.macs + e.bias_outputs


def fvcore(network: Plan) -> int:
    """fvcore 0.1.5, FlopCountAnalysis: what it calls flops are multiply-accumulates; other poolings are not counted."""
    e = elements(network)
    return e.macs + 2 * e.norm + e.global_pool


def thop(network: Plan) -> int:
    """thop 0.1.1: 4 for each normalized element, outputs of average poolings, both of the global one."""
    e = elements(network)
    return e.macs + 4 * e.norm + e.average_pool_out + e.global_pool + e.global_pool_out
