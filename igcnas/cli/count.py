"""igcnas count: parameters and MACs of a named network, or of an architecture.json."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from igcnas.architecture import Architecture
from igcnas.cost import count_plan, layer_cost
from igcnas.errors import IgcnasError
from igcnas.literature import family
from igcnas.plan import Plan, plan


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "count",
        help="parameters and MACs of a network of the literature, or of a file",
        description="Parameters and multiply-accumulates (MACs) of convolutions and linear layers for one image; "
        "biases, batch norm, activations and permutations count nothing.",
        epilog="example: igcnas count igc L=24 M=2 depth=20 classes=10 --json",
    )
    parser.add_argument("family", metavar="FAMILY", help="a family (see igcnas networks) or an architecture.json")
    parser.add_argument("parameters", nargs="*", metavar="key=value", help="its parameters")
    parser.add_argument("--layers", action="store_true", help="also each layer that counts")
    parser.add_argument("--check", action="store_true", help="also count the torch module with ptflops and compare")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the counts."""
    architecture = _architecture(arguments.family, arguments.parameters)
    network = plan(architecture)
    total = count_plan(network)
    result: dict[str, object] = {
        "family": arguments.family,
        "label": architecture.label(),
        "id": architecture.id,
        "params": total.params,
        "macs": total.macs,
        "convention": "macs",
    }
    if arguments.layers:
        rows = [(name, layer_cost(layer)) for name, layer in network.layers()]
        result["layers"] = [{"name": n, "macs": c.macs, "params": c.params} for n, c in rows if c.macs or c.params]
    if arguments.check:
        result["ptflops_aten"] = _ptflops(network)
        result["ptflops_expected"] = total.macs + total.bias_outputs
    if arguments.json:
        print(json.dumps(result))
        return 0
    print(architecture.label())
    print(f"params  {total.params:>15,}")
    print(f"MACs    {total.macs:>15,}")
    for row in result.get("layers", []):  # type: ignore[attr-defined]
        print(f"  {row['name']:<44} {row['macs']:>13,} MACs {row['params']:>11,} params")
    if arguments.check:
        verdict = "equal" if result["ptflops_aten"] == result["ptflops_expected"] else "DIFFERENT"
        print(f"ptflops {result['ptflops_aten']:>15,} (aten, with {total.bias_outputs} for the bias): {verdict}")
    return 0


def _architecture(name: str, parameters: list[str]) -> Architecture:
    return read_architecture(name) if name.endswith(".json") else family(name).from_text(parameters)


def read_architecture(name: str) -> Architecture:
    """The network of an architecture.json."""
    try:
        data = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise IgcnasError(f"cannot read {name}: {error.strerror}") from None
    except ValueError as error:
        raise IgcnasError(f"{name} is not JSON: {error}") from None
    # An exported architecture.json holds more than the architecture.
    return Architecture.from_dict(data.get("architecture", data) if isinstance(data, dict) else data)


def _ptflops(network: Plan) -> int:
    """MACs that ptflops counts on the module; learned grouping cannot be counted so (its mask is dense)."""
    if any(getattr(layer, "learned", None) for _, layer in network.layers()):
        raise IgcnasError("--check cannot count learned grouping before training: every counter sees the dense weight")
    import ptflops

    from igcnas.network import build

    macs, _ = ptflops.get_model_complexity_info(
        build(network),
        network.input_shape,
        as_strings=False,
        print_per_layer_stat=False,
        backend="aten",  # its default has changed between releases
    )
    return int(macs)
