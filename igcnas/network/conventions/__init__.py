"""The same network's figure as each counter would print it: papers disagree by 10 to 20 percent on what a FLOP is.

Each convention is a reading of the plan; nothing is built. `macs` is ours and that of most papers. The tools are taken
as they see the stock implementation: nn.ReLU, nn.MaxPool2d, nn.AvgPool2d and nn.AdaptiveAvgPool2d modules (our own
global pooling is a mean, which they do not see). Layers that training decides are counted as the plain layers that they
become; no tool sees them before. Layers that decide for each image have figures in their authors' conventions alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from igcnas.errors import IgcnasError, unknown_name
from igcnas.network.conventions import condensenet, msgc, tools
from igcnas.network.cost import count_plan
from igcnas.network.plan import Plan


class Convention(NamedTuple):
    """What a counter adds to the multiply-accumulates, in words and as a function."""

    summary: str
    figure: Callable[[Plan], int]


CONVENTIONS: dict[str, Convention] = {
    "macs": Convention(
        "multiply-accumulates of convolutions and linear layers, nothing else",
        lambda network: count_plan(network).macs,
    ),
    "ptflops": Convention(
        "ptflops, backend pytorch: + biases, 2 per normalized element, activations and pooling twice (ReLU6 once)",
        tools.ptflops,
    ),
    "ptflops-aten": Convention("ptflops, backend aten: + biases", tools.ptflops_aten),
    "fvcore": Convention("fvcore: + 2 per normalized element, elements of the global pooling", tools.fvcore),
    "thop": Convention("thop: + 4 per normalized element, elements and outputs of average poolings", tools.thop),
    "condensenet": Convention(
        "measure_model of CondenseNet and DGC: + biases, activations, pooling windows, saliency generators",
        condensenet.figure,
    ),
    "msgc": Convention(
        "counter of MSGC: + activations, pooled elements, mask generators; masked layers by the share they keep",
        msgc.figure,
    ),
}


def figure(network: Plan, convention: str) -> int:
    """What this counter prints; IgcnasError for an unknown one, or one that has no figure for such a network."""
    if convention not in CONVENTIONS:
        raise IgcnasError(unknown_name("convention", convention, CONVENTIONS))
    return CONVENTIONS[convention].figure(network)


def figures(network: Plan) -> dict[str, int | None]:
    """Every convention's figure; None where it has none for such a network."""
    found: dict[str, int | None] = {}
    for name, convention in CONVENTIONS.items():
        try:
            found[name] = convention.figure(network)
        except IgcnasError:
            found[name] = None
    return found
