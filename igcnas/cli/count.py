"""igcnas count: parameters and MACs of a named network, or of an architecture.json."""

from __future__ import annotations

import argparse
import json
from operator import itemgetter
from pathlib import Path
from textwrap import indent
from typing import Any

from igcnas.cli.counter_check import check, is_learned
from igcnas.errors import IgcnasError, unknown_name
from igcnas.network.architecture import Architecture
from igcnas.network.conventions import CONVENTIONS, figure, figures, msgc
from igcnas.network.cost import count_plan, layer_cost, parameter_parts, training_params
from igcnas.network.exported import read_exported
from igcnas.network.literature import family
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Convolution
from igcnas.results.table import Column, Table

_ALL = "all"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "count",
        help="parameters and MACs of a network of the literature, or of a file",
        description="Parameters and multiply-accumulates (MACs) of convolutions and linear layers for one image; "
        "biases, batch norm, activations and permutations count nothing. Other counters count some of these: "
        "--convention gives the figure that they print.",
        epilog="example: igcnas count igc L=24 M=2 depth=20 classes=10 --json",
    )
    parser.add_argument("family", metavar="FAMILY", help="a family (see igcnas networks) or an architecture.json")
    parser.add_argument("parameters", nargs="*", metavar="key=value", help="its parameters")
    parser.add_argument(
        "--convention", default="macs", metavar="NAME", help=f"also the figure of {', '.join(CONVENTIONS)}; or {_ALL}"
    )
    parser.add_argument("--layers", action="store_true", help="also each layer that counts")
    parser.add_argument(
        "--masks",
        metavar="RULE",
        help=f"also the figure of MSGC's counter with masks set by a rule: {', '.join(msgc.PROBES)}",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="also count the torch module with ptflops and compare; learned grouping in the form after training",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the counts."""
    convention = arguments.convention
    if convention not in (*CONVENTIONS, _ALL):
        raise IgcnasError(unknown_name("convention", convention, (*CONVENTIONS, _ALL)))
    architecture = _architecture(arguments.family, arguments.parameters)
    network = plan(architecture)
    total = count_plan(network)
    result: dict[str, Any] = {
        "family": arguments.family,
        "label": architecture.label(),
        "id": architecture.id,
        "params": total.params,
        "macs": total.macs,
        "exact": _exact(network),
        "training_params": training_params(network),
        "parts": parameter_parts(network)._asdict(),
        "convention": convention,
    }
    if convention == _ALL:
        result["figures"] = figures(network)
    else:
        result["figure"] = figure(network, convention)
    if arguments.masks is not None:
        result["masks"] = _masked(network, arguments.masks)
    if convention == "msgc":
        result["msgc"] = msgc.count(network).parts()
    if arguments.layers:
        rows = [(name, layer_cost(layer)) for name, layer in network.layers()]
        result["layers"] = [{"name": n, "macs": c.macs, "params": c.params} for n, c in rows if c.macs or c.params]
    if arguments.check:
        result |= check(network)
        result["lowered"] = is_learned(network)
    if arguments.json:
        print(json.dumps(result))
    else:
        _print(result)
    return 0


def _masked(network: Plan, rule: str) -> dict[str, Any]:
    """The parts of the authors' figure with forced masks, rounded."""
    if rule not in msgc.PROBES:
        raise IgcnasError(unknown_name("rule of masks", rule, msgc.PROBES))
    counted = msgc.count(network)
    if not counted.masked:
        raise IgcnasError(f"--masks {rule} is for networks of which each image masks convolutions, as those of msgc")
    measured = counted.measured(msgc.probe(counted, rule))
    return {"rule": rule, **{part: round(value) for part, value in measured._asdict().items()}}


def _print(result: dict[str, Any]) -> None:
    print(result["label"])
    for word, quantity in (("params", "params"), ("MACs", "macs")):
        expected = "" if result["exact"][quantity] else "  expected before training, which decides"
        print(f"{word:<7} {result[quantity]:>15,}{expected}")
    if result["training_params"] != result["params"]:
        print(f"params  {result['training_params']:>15,}  in training")
    for name, value in result.get("figures", {result["convention"]: result.get("figure")}).items():
        if name != "macs" or "figures" in result:
            shown = "-" if value is None else f"{value:,}"
            print(f"  {name:<14} {shown:>15}  {CONVENTIONS[name].summary}")
    if None in result.get("figures", {}).values():
        print("  -: that counter knows no convolution that chooses its channels for each image")
    for name, value in result.get("msgc", {}).items():
        print(f"    {name:<12} {value:>15,}")
    if "layers" in result:
        print(indent(Table.of(_LAYERS, result["layers"]).text(), "  "))
    if "masks" in result:
        rule, *parts = result["masks"].items()
        print(f"  masks {rule[1]}, as MSGC's authors count")
        for name, value in parts:
            print(f"    {name:<12} {value:>15,}")
    if "ptflops_aten" in result:
        verdict = "equal" if result["ptflops_aten"] == result["ptflops_expected"] else "DIFFERENT"
        form = "; learned layers as after training, with the groups of random weights" if result["lowered"] else ""
        print(f"ptflops {result['ptflops_aten']:>15,} (aten, which adds biases{form}): {verdict}")
        if verdict != "equal":
            print(f"igcnas  {result['ptflops_expected']:>15,} for the same")


_LAYERS = (
    Column.words("layer", itemgetter("name")),
    Column.numbers("MACs", itemgetter("macs"), ","),
    Column.numbers("params", itemgetter("params"), ","),
)


def _exact(network: Plan) -> dict[str, bool]:
    """Whether training leaves a count as it is: it decides at most who meets whom, not how many pairs do."""
    learned = [layer.learned for _, layer in network.layers() if isinstance(layer, Convolution)]
    return {
        "params": all(one is None or one.exact_params for one in learned),
        "macs": all(one is None or one.exact_macs for one in learned),
    }


def _architecture(name: str, parameters: list[str]) -> Architecture:
    return read_architecture(name) if name.endswith(".json") else family(name).from_text(parameters)


def read_architecture(name: str) -> Architecture:
    """The network of an architecture.json."""
    return read_exported(Path(name)).architecture
