"""Bytes and FLOPs of a network, the floor that they put under an epoch, and how much of it an engine achieves.

python -m benchmarks.roofline --device cpu --data digits --out benchmarks/results
python -m benchmarks.roofline --no-timing                        # the table of the published networks, in a second

The byte models are described in benchmarks/speed/traffic.py. The floor of a model is its bytes over the copy rate, that
of the FLOPs over the GEMM rate, both measured in the same call; an epoch is the training of all images, in steady
state, with its validation where an engine is timed. A share above 100 % means that tensors stayed in a cache, which the
model does not know: digits do, on most processors.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed.machine import Rates, available_cores, describe, machine, plain_rates, rates
from benchmarks.speed.networks import Named, known
from benchmarks.speed.outcome import Failure, Outcome
from benchmarks.speed.page import command, number, table, write
from benchmarks.speed.processes import Process, Setting
from benchmarks.speed.traffic import MODELS, Demand, composed, demand
from benchmarks.speed.variants import EAGER, FAST, VARIANTS, variant_of
from benchmarks.speed.workload import Workload
from benchmarks.trial import BUDGETS
from igcnas.errors import IgcnasError
from igcnas.network import literature
from igcnas.network.architecture import Architecture
from igcnas.network.plan import Plan, plan
from igcnas.training.device import resolve_device

IMAGES = 50_000
# What the floors of the published networks were predicted with: copy and bfloat16 GEMM of an H100, assumed.
ASSUMED = Rates(copy=3.0e12, gemm=399e12, copy_spread=0.0, gemm_spread=0.0, dtype="bfloat16", threads=0)
# Shares of the fused2 floor that were predicted of the engines.
PREDICTED = {("cpu", EAGER): "30 %", ("cpu", FAST): "100 %"}


@dataclass(slots=True)
class Results:
    """What the tables are made of."""

    device: str
    workload: Workload
    images: int
    machine: dict[str, Any]
    rates: Rates
    itemsize: int
    published: dict[str, Demand]
    demands: dict[str, Demand] = field(default_factory=dict)
    timed: dict[str, dict[str, Outcome | Failure]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "device": self.device,
            "workload": asdict(self.workload),
            "images": self.images,
            "itemsize": self.itemsize,
            "machine": self.machine,
            "rates": plain_rates(self.rates),
            "published": {name: _plain(found) for name, found in self.published.items()},
            "networks": {name: _plain(found) for name, found in self.demands.items()},
            "timed": {
                variant: {name: asdict(outcome) for name, outcome in row.items()} for variant, row in self.timed.items()
            },
            "absent": self.absent,
        }


def _plain(found: Demand) -> dict[str, Any]:
    return {**found._asdict(), "traffic": found.traffic._asdict()}


def published() -> dict[str, Plan]:
    """Networks of the literature at 32x32 with 10 classes, two of them also with composed blocks."""

    def of(build: Callable[..., Architecture], **words: Any) -> Plan:
        return plan(build(**words))

    d20, d38 = of(literature.igc), of(literature.igc, depth=38)
    return {
        "ResNet-20": of(literature.resnet, shortcut="pad"),
        "ResNet-18": of(literature.resnet, depth=18, skeleton="wide"),
        "IGC-L24M2 D20": d20,
        "IGC-L24M2 D20, composed": composed(d20),
        "IGC-L24M2 D38": d38,
        "IGC-L24M2 D38, composed": composed(d38),
        "IGC-L16M16 D20": of(literature.igc, L=16, M=16),
        "IGCV2 C64 K8 D20": of(literature.igcv2, width=64),
        "IGCV2 C144 K12 D20": of(literature.igcv2, width=144, K="12-12"),
        "MobileNetV2 1.0": of(literature.mobilenetv2, shortcut="identity"),
        "IGCV3-D 1.0": of(literature.igcv3),
        "IGCV3-D 0.5": of(literature.igcv3, width=0.5),
    }


def bytes_table(demands: dict[str, Demand], *, itemsize: int, images: int, found: Rates) -> str:
    """MMACs, MB an image and seconds an epoch of each network."""
    rows = []
    for name, asked in demands.items():
        rows.append(
            [
                name,
                number(asked.macs / 1e6),
                number(asked.dense_macs / 1e6),
                number(asked.params / 1e6),
                str(asked.convolutions),
                number(itemsize * asked.activations / 1e6),
                " / ".join(number(itemsize * elements / 1e6) for elements in asked.traffic),
                number(floor_of_flops(asked, images, found)),
                " / ".join(number(seconds) for seconds in floors(asked, itemsize, images, found)),
            ]
        )
    head = ["network", "MMAC", "dense MMAC", "Mparam", "convolutions", "activations, MB"]
    models = " / ".join(MODELS)
    return table([*head, f"MB an image, {models}", "FLOPs, s an epoch", f"bytes, s an epoch, {models}"], rows)


def floors(asked: Demand, itemsize: int, images: int, found: Rates) -> list[float]:
    """Seconds of an epoch that the bytes of each model take at the copy rate."""
    return [itemsize * elements * images / found.copy for elements in asked.traffic]


def floor_of_flops(asked: Demand, images: int, found: Rates) -> float:
    """Seconds of an epoch that the FLOPs take at the GEMM rate."""
    return asked.flops * images / (2 * found.gemm)


def engine_table(results: Results) -> str:
    """Steady epoch of each engine, and its share of the floors."""
    rows = []
    for variant, row in results.timed.items():
        for name, outcome in row.items():
            if isinstance(outcome, Failure):
                rows.append([name, variant, *["-"] * 6, outcome.reason])
                continue
            asked = results.demands[name]
            limits = floors(asked, results.itemsize, results.images, results.rates)
            flops = floor_of_flops(asked, results.images, results.rates)
            shares = [f"{100 * limit / outcome.steady:.0f} %" for limit in limits]
            spread = (max(outcome.epoch_seconds[1:]) - min(outcome.epoch_seconds[1:])) / outcome.steady
            moved = results.itemsize * asked.traffic.fused2 * results.images / outcome.steady
            kind = results.device.partition(":")[0]
            rows.append(
                [
                    name,
                    variant,
                    number(outcome.steady),
                    f"{len(outcome.epoch_seconds) - 1}",
                    f"{100 * spread:.0f} %",
                    number(moved / 1e9),
                    " / ".join(shares),
                    PREDICTED.get((kind, variant), "-"),
                    f"{100 * flops / outcome.steady:.0f} %",
                ]
            )
    head = ["network", "engine", "epoch, s", "n", "range", "GB/s, fused2", f"share of the floor, {' / '.join(MODELS)}"]
    return table([*head, "predicted, fused2", "of the GEMM rate"], rows)


def measure(arguments: argparse.Namespace) -> Results:
    """Demands, rates, and the engines' epochs."""
    device = resolve_device(arguments.device)
    workload = Workload(arguments.data, arguments.epochs, arguments.batch, 0)
    dataset = workload.dataset
    fraction = workload.settings.validation_fraction
    images = round(len(dataset.train.labels) * (1 - fraction))
    itemsize = 2 if device.type == "cuda" else 4
    shape = dataset.input_shape
    networks = known(shape, dataset.num_classes, arguments.budget or BUDGETS[shape[1] < 16])[: arguments.named]
    results = Results(
        device=device.type,
        workload=workload,
        images=images,
        machine=machine(device),
        rates=rates(device, small=arguments.small),
        itemsize=itemsize,
        published={name: demand(network) for name, network in published().items()},
        demands={network.name: demand(plan(network.architecture)) for network in networks},
    )
    if not arguments.no_timing:
        _time(results, arguments, networks, str(device))
    return results


def _time(results: Results, arguments: argparse.Namespace, networks: list[Named], device: str) -> None:
    """Every engine on every network, in turns."""
    processes: dict[str, Process] = {}
    try:
        for name in arguments.variants:
            reason = variant_of(name).missing(results.device)
            if reason is None:
                setting = Setting(
                    variant=name,
                    workload=results.workload,
                    device=device,
                    cores=available_cores(),
                    threads=arguments.threads,
                    loaders=2,
                )
                process = Process(setting)
                failure = process.ready()
                if failure is None:
                    processes[name] = process
                    continue
                process.close()
                reason = failure.reason
            results.absent[name] = reason
        for network in networks:
            for name, process in processes.items():
                if process.alive:
                    process.ask(network, 0)
                    found = process.answer(arguments.limit)
                    assert found is not None
                    results.timed.setdefault(name, {})[network.name] = found
            _keep(results, arguments)
    finally:
        for process in processes.values():
            process.close()


def page(results: Results, words: Sequence[str] | None) -> str:
    """All tables."""
    dtype = "bfloat16" if results.itemsize == 2 else "float32"
    parts = [
        f"# Roofline on {results.device}\n",
        command("benchmarks.roofline", words),
        describe(results.machine, results.rates),
        (__doc__ or "").partition("\n\n")[2].partition("\n\n")[2],
        f"## Networks of the literature at 32x32, {IMAGES:,} images, bfloat16\n",
        "Seconds for the rates that are assumed of an H100, 3.0 TB/s and 798 TFLOP/s: predictions.\n",
        bytes_table(results.published, itemsize=2, images=IMAGES, found=ASSUMED),
        f"## {results.workload.dataset.name}, {results.images:,} images to train on, {dtype}\n",
        bytes_table(results.demands, itemsize=results.itemsize, images=results.images, found=results.rates),
    ]
    if results.timed:
        shares = _median_shares(results)
        parts += [
            f"## Engines, batches of {results.workload.batch_size}\n",
            engine_table(results),
            "Median share of the fused2 floor: " + ", ".join(f"{k} {v:.0f} %" for k, v in shares.items()) + ".\n",
        ]
    if results.absent:
        parts.append("Not measured: " + "; ".join(f"{name}: {why}" for name, why in results.absent.items()) + ".\n")
    return "\n".join(parts)


def _median_shares(results: Results) -> dict[str, float]:
    shares = {}
    for variant, row in results.timed.items():
        found = [
            100 * floors(results.demands[name], results.itemsize, results.images, results.rates)[2] / outcome.steady
            for name, outcome in row.items()
            if isinstance(outcome, Outcome) and not math.isnan(outcome.steady)
        ]
        if found:
            shares[variant] = statistics.median(found)
    return shares


def _keep(results: Results, arguments: argparse.Namespace) -> None:
    if arguments.out is not None:
        name = arguments.name or f"roofline-{results.device}"
        write(arguments.out, name, page(results, arguments.words), results.plain())


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.roofline", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto (default: cpu)")
    parser.add_argument("--data", default="digits", help="as in benchmarks.trial (default: digits)")
    parser.add_argument("--named", type=int, default=None, metavar="N", help="networks that are timed (default: all)")
    parser.add_argument("--budget", type=int, default=None, metavar="MACS", help="as in benchmarks.trial")
    parser.add_argument("--variants", nargs="+", default=[EAGER, FAST], metavar="NAME", help=", ".join(VARIANTS))
    parser.add_argument("--epochs", type=int, default=6, help="of which the first is not counted (default: 6)")
    parser.add_argument("--batch", type=int, default=128, help="default: 128")
    parser.add_argument("--threads", type=int, default=1, help="default: 1")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds of one training (default: 300)")
    parser.add_argument("--no-timing", action="store_true", help="no engines")
    parser.add_argument("--small", action="store_true", help="rates without meaning, at once; for a test")
    parser.add_argument("--name", default=None, help="of the page (default: roofline-DEVICE)")
    parser.add_argument("--out", type=Path, help="folder for the page and its JSON (default: print only)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(words)
    arguments.words = words
    torch.set_num_threads(arguments.threads)
    try:
        results = measure(arguments)
    except IgcnasError as error:
        print(f"error: {error}")
        return 2
    _keep(results, arguments)
    print(json.dumps(results.plain()) if arguments.json else page(results, words))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
