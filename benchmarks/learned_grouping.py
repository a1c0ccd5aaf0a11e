"""Each learned grouping beside its twin with fixed groups: accuracy on the digits over seeds, and the MACs in the end.

python -m benchmarks.learned_grouping --kinds flgc dgconv --seeds 20 --out benchmarks/results

A seed fixes the split into training and validation, the weights and the order of the images. All variants of a kind see
the same seeds, so that differences to the twin are paired. Writes learned-NAME.json, learned-NAME.md and a picture of
the assignment in one layer before and after training of the first seed; --pictures makes only that.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import platform
import shlex
import statistics
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
from scipy import stats

from benchmarks.twins import KINDS, Kind, Variant
from igcnas.data.loading import load_dataset
from igcnas.drawing.connections import Connections
from igcnas.drawing.learned import module_connections
from igcnas.drawing.matrices import connection_figure
from igcnas.modules.build import build
from igcnas.modules.layers import GatedConv, SalientConv
from igcnas.modules.lowering import lower
from igcnas.modules.reorganised import run_reorganised
from igcnas.network.architecture import Architecture
from igcnas.network.budget import macs_budget
from igcnas.network.cost import count, count_plan
from igcnas.network.plan import plan
from igcnas.network.width import widest
from igcnas.training.measuring import measure_gates
from igcnas.training.settings import TrainingSettings
from igcnas.training.tensors import TrainingData
from igcnas.training.trainer import train


def architecture(kind: Kind, variant: Variant, budget_macs: int) -> Architecture:
    """The network of a variant: as wide as the twin may be within the budget, or the variant itself if it is refit."""
    sized, unit = (variant, 1) if variant.refit else (kind.twin, kind.unit)
    network = variant.network or kind.network
    fit = widest(
        lambda n: (network if variant.refit else kind.network)(n * unit, sized.grouping(n * unit)),
        macs_budget(budget_macs),
        most=10_000,
    )
    if fit is None:
        raise SystemExit(f"no network of {kind.name} costs {budget_macs} MACs or less; raise --budget-mflops")
    made = network(fit.n * unit, variant.grouping(fit.n * unit))
    return dataclasses.replace(made, condense_classifier=variant.condense_classifier)


def settings(variant: Variant, seed: int, epochs: int) -> TrainingSettings:
    """As `igcnas search` trains on the digits."""
    return TrainingSettings(epochs=epochs, learning_rate=0.6, seed=seed, grouping=variant.rules)


def run_one(kind_name: str, index: int, seed: int, epochs: int, budget_macs: int) -> dict[str, Any]:
    """Train variant number `index` (0 is the twin) of a kind; validation accuracy in percent, MACs measured.

    Where each image chooses its channels, the network is also run as igcnas/modules/reorganised.py does, on all images.
    """
    torch.set_num_threads(1)
    kind = KINDS[kind_name]
    variant = (kind.twin, *kind.variants)[index]
    network, how = architecture(kind, variant, budget_macs), settings(variant, seed, epochs)
    data = TrainingData.of(load_dataset("digits"), how, torch.device("cpu"))
    result = train(network, data, how)
    network_plan = plan(network)
    images = data.normalize(data.validation.images)
    measure_gates(network_plan, result.network, [images])
    lowered = lower(network_plan, result.network)
    plain = build(lowered.plan).eval()
    plain.load_state_dict(lowered.state)
    with torch.no_grad():
        logits = result.network(images)
        difference = (plain(images) - logits).abs().max().item()
    run = {
        "seed": seed,
        "val_accuracy": result.val_accuracy,
        "measured_macs": count_plan(lowered.plan).macs,
        "seconds": round(result.seconds, 3),
        "lowered_difference": difference,
    }
    if any(isinstance(module, GatedConv | SalientConv) for module in result.network.modules()):
        gathered, macs = run_reorganised(network_plan, result.network, images)
        run["reorganised_difference"] = (gathered - logits).abs().max().item()
        run["reorganised_macs"] = statistics.mean(macs)
    return run


def draw(kind: Kind, variant: Variant, epochs: int, budget_macs: int, path: Path) -> None:
    """The assignment in one layer before and after the training of seed 0.

    Of the layers with the most groups after training, the one whose connections changed most, in the sum over pairs.
    """
    network, how = architecture(kind, variant, budget_macs), settings(variant, 0, epochs)
    torch.manual_seed(how.network_seed(network.id))  # the weights that the training starts from
    before = build(plan(network))
    data = TrainingData.of(load_dataset("digits"), how, torch.device("cpu"))
    after = train(network, data, how).network
    images = data.normalize(data.validation.images)
    states = [module_connections(module, images) for module in (before, after)]
    name = max(states[0], key=lambda path: _interest(states[0][path], states[1][path]))
    title = f"{kind.name}: {variant.name}\n{epochs} epochs of digits, seed 0, layer {name}"
    connection_figure(*(state[name] for state in states), title=title).savefig(path, dpi=100)


def _interest(before: Connections, after: Connections) -> tuple[int, float]:
    """Groups, and connections that changed."""
    return len(set(after.groups.tolist())), round(float(abs(after.values - before.values).sum()), 3)


def summary(kind: Kind, runs: list[list[dict[str, Any]]], budget_macs: int) -> Iterator[dict[str, Any]]:
    """One row for each variant."""
    twin = [run["val_accuracy"] for run in runs[0]]
    for variant, done in zip((kind.twin, *kind.variants), runs, strict=True):
        accuracies = [run["val_accuracy"] for run in done]
        differences = [a - b for a, b in zip(accuracies, twin, strict=True)]
        macs = [run["measured_macs"] for run in done]
        planned = count(architecture(kind, variant, budget_macs)).macs
        reorganised = [run["reorganised_difference"] for run in done if "reorganised_difference" in run]
        yield {
            "variant": variant.name,
            "n": len(done),
            "mean": statistics.mean(accuracies),
            "sd": _sd(accuracies),
            "to_twin": statistics.mean(differences),
            "to_twin_half_interval": _half_interval(differences),
            "planned_macs": planned,
            "measured_macs": {"mean": statistics.mean(macs), "smallest": min(macs), "largest": max(macs)},
            "over_plan": sum(m > planned for m in macs),
            "over_budget": sum(m > budget_macs for m in macs),
            "seconds": statistics.mean(run["seconds"] for run in done),
            "largest_lowered_difference": max(run["lowered_difference"] for run in done),
            "largest_reorganised_difference": max(reorganised, default=None),
        }


def _sd(values: list[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else math.nan


def _half_interval(values: list[float]) -> float:
    """Half of the 95 % interval of the mean (Student's t)."""
    n = len(values)
    return float(stats.t.ppf(0.975, n - 1)) * _sd(values) / math.sqrt(n) if n > 1 else math.nan


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [
        "| variant | n | accuracy | to the twin, 95 % interval | planned MACs | measured MACs (smallest to largest) "
        "| over plan | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        macs = row["measured_macs"]
        measured = f"{macs['mean']:,.0f}"
        if macs["smallest"] != macs["largest"]:
            measured += f" ({macs['smallest']:,} to {macs['largest']:,})"
        twin = "twin" if row is rows[0] else f"{row['to_twin']:+.2f} +- {row['to_twin_half_interval']:.2f}"
        lines.append(
            f"| {row['variant']} | {row['n']} | {row['mean']:.2f} sd {row['sd']:.2f} | {twin} "
            f"| {row['planned_macs']:,} | {measured} | {row['over_plan']} | {row['seconds']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def machine() -> dict[str, Any]:
    """Where it ran."""
    cpu = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in cpu.read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": names[0] if cpu.exists() and names else platform.processor(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads_per_training": 1,
    }


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), metavar="KIND")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="trainings of each variant (default: 5)")
    parser.add_argument("--epochs", type=int, default=15, metavar="N", help="of each training (default: 15)")
    parser.add_argument("--budget-mflops", type=float, default=0.2, metavar="N", help="of the twin (default: 0.2)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="trainings at a time (default: 1)")
    parser.add_argument("--pictures", action="store_true", help="train and draw the pictured networks, no tables")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), metavar="DIR")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # small images: more threads wait for one another
    arguments.out.mkdir(parents=True, exist_ok=True)
    budget_macs = round(arguments.budget_mflops * 1e6)
    with ProcessPoolExecutor(arguments.workers) as pool:
        for name in arguments.kinds:
            kind = KINDS[name]
            if not arguments.pictures:
                write_table(kind, pool, arguments, budget_macs)
            pictured = next(variant for variant in kind.variants if variant.name == _DRAWN[name])
            draw(kind, pictured, arguments.epochs, budget_macs, arguments.out / f"learned-{name}.png")


def write_table(kind: Kind, pool: ProcessPoolExecutor, arguments: argparse.Namespace, budget_macs: int) -> None:
    """Train all variants of a kind over the seeds; write and print what came out."""
    pending = [
        [pool.submit(run_one, kind.name, index, seed, arguments.epochs, budget_macs) for seed in range(arguments.seeds)]
        for index in range(1 + len(kind.variants))
    ]
    runs = [[future.result() for future in row] for row in pending]
    rows = list(summary(kind, runs, budget_macs))
    record = {
        "command": shlex.join(["python", "-m", "benchmarks.learned_grouping", *sys.argv[1:]]),
        "machine": machine(),
        "data": "digits, 8x8, a quarter held out for validation by the seed",
        "training": dataclasses.asdict(settings(kind.twin, 0, arguments.epochs)),
        "budget_macs": budget_macs,
        "summary": rows,
        "runs": [
            {"variant": v.name, "rules": dataclasses.asdict(v.rules), "runs": done}
            for v, done in zip((kind.twin, *kind.variants), runs, strict=True)
        ],
    }
    (arguments.out / f"learned-{kind.name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    text = table(rows)
    (arguments.out / f"learned-{kind.name}.md").write_text(text, encoding="utf-8")
    print(f"{kind.name}\n\n{text}", flush=True)


# The variant of each kind that is drawn.
_DRAWN = {
    "flgc": "balanced, full gradient",
    "dgconv": "balanced, gates from 1e-8",
    "condensing": "in stages over half of training (paper)",
    "msgc": "1 and 4 heads, noise falls to 0",
    "dgc": "4 heads (paper)",
}

if __name__ == "__main__":
    main()
