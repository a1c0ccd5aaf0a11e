"""The published figures of tests/data, and how igcnas computes each: for the tests and for docs/networks.md.

literature.csv has one figure a row: a network by family and parameters, a quantity, the value, and the section of the
sources it comes from with its kind: RUN (counted by running the authors' code), DERIVED (algebra), TEXT and IMG (read
in a readme or off a table). A value such as 24.10M is compared after rounding to its digits.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from igcnas.network.architecture import Stage
from igcnas.network.blocks import InvertedResidual
from igcnas.network.conventions import figure, msgc, tools
from igcnas.network.cost import count_plan, layer_cost, parameter_parts, training_params
from igcnas.network.grouping import Dense, Group, Interleaved, KroneckerGrouping, MultiSpectral
from igcnas.network.grouping.product import least_weights
from igcnas.network.literature import family
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Convolution, Layer, Sequence, SplitConvolution, walk

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
_UNITS = {"M": 10**6, "G": 10**9}


class Published(NamedTuple):
    """One row of literature.csv or, with a reason, of unmet.csv."""

    section: str
    network: str
    family: str
    parameters: str
    quantity: str
    value: str
    why: str = ""

    def plan(self) -> Plan:
        """The network's layers."""
        return plan(family(self.family).from_text(self.parameters.split()))

    def computed(self) -> int:
        """What igcnas says."""
        return QUANTITIES[self.quantity](self.plan())

    def equals(self, number: int) -> bool:
        """Whether a number is the published one, to the digits that were published."""
        unit = self.value[-1:]
        if unit not in _UNITS:
            return number == int(self.value)
        digits = len(self.value[:-1].partition(".")[2])
        return f"{number / _UNITS[unit]:.{digits}f}" == self.value[:-1]


def published(name: str = "literature.csv") -> list[Published]:
    """The rows of a table."""
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        return [Published(**row) for row in csv.DictReader(file)]


class Formula(NamedTuple):
    """One row of formulas.csv."""

    section: str
    formula: str
    arguments: str
    value: int

    def values(self) -> dict[str, int]:
        """The arguments by name."""
        return {key: int(text) for key, _, text in (word.partition("=") for word in self.arguments.split())}


def formulas() -> list[Formula]:
    """The rows of formulas.csv."""
    with (DATA / "formulas.csv").open(newline="", encoding="utf-8") as file:
        return [Formula(**{**row, "value": int(row["value"])}) for row in csv.DictReader(file)]  # type: ignore[arg-type]


def _learned(network: Plan) -> Iterator[Convolution]:
    for _, layer in network.layers():
        if isinstance(layer, Convolution) and layer.learned is not None:
            yield layer


def _generators(network: Plan, *, attention: bool) -> int:
    """Parameters of the mask generators, or of the attention generators, which are as large."""
    total = 0
    for layer in _learned(network):
        if isinstance(layer.learned, MultiSpectral) and (layer.learned.attention or not attention):
            both = layer.learned.overhead(layer.in_channels, layer.out_channels, layer.context_channels).params
            total += both // 2 if layer.learned.attention else both
    return total


def _near_balanced(network: Plan) -> Plan:
    """Learned groups as equal as the channels allow: the first C mod G groups get one more on both sides."""

    def sizes(channels: int, groups: int) -> tuple[int, ...]:
        return tuple(channels // groups + (group < channels % groups) for group in range(groups))

    flat: list[Layer] = []
    for name, layer in walk(network.root):
        learned = getattr(layer, "learned", None)
        if isinstance(layer, Convolution) and learned is not None:
            groups = sizes(layer.in_channels, learned.groups), sizes(layer.out_channels, learned.groups)
            flat.append(SplitConvolution(name, *groups, layer.in_size))
        else:
            flat.append(layer)
    return Plan(Sequence("", tuple(flat)), network.input_shape)


def _split_weights(network: Plan) -> int:
    return sum(layer.connections for _, layer in network.layers() if isinstance(layer, SplitConvolution))


def _as_masked(network: Plan) -> tuple[int, int, int]:
    """FLGC while it trains: MACs of the dense convolutions, of what they become, of the products that are the masks."""
    dense = kept = products = 0
    for layer in _learned(network):
        pixels = layer.out_size[0] * layer.out_size[1]
        dense += layer.in_channels * layer.out_channels * pixels
        kept += layer_cost(layer).macs
        products += layer.in_channels * layer.out_channels * layer.learned.groups  # type: ignore[union-attr]
    return dense, kept, products


def _ptflops_masked(network: Plan) -> int:
    """A functional convolution counts nothing in this backend, the product of the assignments does."""
    _, kept, products = _as_masked(network)
    return tools.ptflops(network, mean=True) - kept + products


def _ptflops_aten_masked(network: Plan) -> int:
    dense, kept, products = _as_masked(network)
    return tools.ptflops_aten(network) - kept + dense + products


def _probe(rule: str, part: str) -> Callable[[Plan], int]:
    def probed(network: Plan) -> int:
        counted = msgc.count(network)
        return _whole(getattr(counted.measured(msgc.probe(counted, rule)), part))

    return probed


def _whole(value: object) -> int:
    number = int(value)  # type: ignore[call-overload]
    assert number == value, f"{value} is not a whole number"
    return int(number)


QUANTITIES: dict[str, Callable[[Plan], int]] = {
    "params": lambda network: count_plan(network).params,
    "macs": lambda network: count_plan(network).macs,
    "conv_params": lambda network: parameter_parts(network).convolutions,
    "norm_params": lambda network: parameter_parts(network).norms,
    "classifier_params": lambda network: parameter_parts(network).classifier,
    "params_without_classifier": lambda network: count_plan(network).params - parameter_parts(network).classifier,
    "params_without_norm": lambda network: count_plan(network).params - parameter_parts(network).norms,
    "backbone_params": lambda network: count_plan(network).params - parameter_parts(network).generators,
    "mask_generator_params": lambda network: _generators(network, attention=False),
    "attention_generator_params": lambda network: _generators(network, attention=True),
    "training_params": training_params,
    "assignment_params": lambda network: sum(
        layer.learned.decision_parameters(layer.in_channels, layer.out_channels)
        for layer in _learned(network)
        if layer.learned is not None
    ),
    "gate_params": lambda network: QUANTITIES["assignment_params"](network),
    "learned_connections": lambda network: sum(layer.connections for layer in _learned(network)),
    "learned_weights": lambda network: sum(layer.kernel**2 * layer.connections for layer in _learned(network)),
    "learned_dense_weights": lambda network: sum(layer.in_channels * layer.out_channels for layer in _learned(network)),
    "near_balanced_weights": lambda network: _split_weights(_near_balanced(network)),
    "near_balanced_params": lambda network: count_plan(_near_balanced(network)).params,
    "near_balanced_macs": lambda network: count_plan(_near_balanced(network)).macs,
    "ptflops": tools.ptflops,
    "ptflops_functional": lambda network: tools.ptflops(network, functional=True),
    "ptflops_mean": lambda network: tools.ptflops(network, mean=True),
    "ptflops_aten": tools.ptflops_aten,
    "ptflops_masked": _ptflops_masked,
    "ptflops_aten_masked": _ptflops_aten_masked,
    "condensenet": lambda network: figure(network, "condensenet"),
    "msgc": lambda network: figure(network, "msgc"),
    "msgc_original": lambda network: msgc.count(network).original,
    "msgc_main": lambda network: msgc.count(network).main,
    "msgc_dgc": lambda network: msgc.count(network).dgc,
    "msgc_mask": lambda network: msgc.count(network).mask,
    "msgc_possible": lambda network: _whole(msgc.count(network).possible),
    "msgc_ones_total": _probe("ones", "total"),
    "msgc_mod_dgc": _probe("mod", "dgc"),
    "msgc_mod_bonus": _probe("mod", "bonus"),
    "msgc_mod_total": _probe("mod", "total"),
    "msgc_head0_total": _probe("head0", "total"),
    "msgc_head0_bonus": _probe("head0", "bonus"),
}


def _block_params(block: InvertedResidual, width: int) -> int:
    stage = Stage(block=block, width=width, repeats=1)
    layers = Sequence("", stage.block.layers(width, width, 1, (8, 8), "relu6"))
    return sum(layer_cost(layer).params for _, layer in walk(layers))


def _inverted_block(*, c: int, g: int) -> int:
    grouping = Group(groups=g) if g > 1 else Dense()
    return _block_params(InvertedResidual(expansion=6, expand=grouping, project=grouping), c)


def _igc_block(*, L: int, M: int) -> int:
    layers = Interleaved(L=L, M=M).layers("conv", L * M, L * M, 3, 1, (8, 8))
    return sum(layer_cost(layer).params for _, layer in walk(Sequence("", layers)))


FORMULAS: dict[str, Callable[..., int]] = {
    "igc_block": _igc_block,
    "igcv2_balanced": lambda *, C, L: round(least_weights(C, L)),
    "inverted_block": _inverted_block,
    "kronecker_nonzeros": lambda *, K, s: KroneckerGrouping(groups=2 ** (K - s)).connections(2**K, 2**K),
}
