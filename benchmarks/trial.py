"""A trial from architecture to validation accuracy, and trials an hour on the same cores: igcnas and what others run.

python -m benchmarks.trial --device cpu --data digits --networks 20 --out benchmarks/results

Every variant (benchmarks/speed/variants.py) trains the same networks, from the same first weights, on the same images,
with the same schedule, optimizer, batch size and epochs, and validates after each epoch. First part: one warm process a
variant; each network in turn by each of them, everything from architecture to accuracy on the clock. Second part: all
random networks at once on the same cores: as it is, with a thread a core, which is what torch chooses; with one thread
and loaders; and as independent processes of one thread, which load their images themselves. A page is written after
every network, so that a stopped run counts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.speed.machine import available_cores, machine, rates
from benchmarks.speed.networks import Named, known, sample
from benchmarks.speed.outcome import Failure, Outcome
from benchmarks.speed.page import write
from benchmarks.speed.processes import Process, Setting, run_fleet
from benchmarks.speed.results import Results
from benchmarks.speed.trial_page import page
from benchmarks.speed.variants import VARIANTS, Variant, variant_of
from benchmarks.speed.workload import KINDS, Workload
from igcnas.errors import IgcnasError
from igcnas.training.device import resolve_device

LOADERS = 2
# Where there are cores enough, a tuned loader has more processes.
_MOST_LOADERS = 8
BUDGETS = {True: 500_000, False: 100_000_000}


def arguments_of(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.trial", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto (default: cpu)")
    parser.add_argument("--data", default="digits", help=f"{', '.join(KINDS)} (default: digits)")
    parser.add_argument("--networks", type=int, default=20, help="random networks (default: 20)")
    parser.add_argument(
        "--named", type=int, default=None, metavar="N", help="networks of the literature (default: all)"
    )
    parser.add_argument("--space", default=None, help="search space of the random ones (default: all fixed groupings)")
    parser.add_argument("--budget", type=int, default=None, metavar="MACS", help="default: 500,000 on 8x8, else 100 M")
    parser.add_argument("--epochs", type=int, default=None, help="default: those of a search, 15 or 8")
    parser.add_argument("--batch", type=int, default=128, help="default: 128")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), metavar="NAME", help=", ".join(VARIANTS))
    parser.add_argument(
        "--threads", type=int, default=1, help="of a process in the first part; 0: as torch (default: 1)"
    )
    parser.add_argument(
        "--workers", type=int, default=None, metavar="N", help="processes of a fleet (default: one a core)"
    )
    parser.add_argument(
        "--slow-networks",
        type=int,
        default=2,
        help="networks of the slow variants: torch.compile, on CUDA also loaders (default: 2)",
    )
    parser.add_argument("--limit", type=float, default=600.0, help="seconds of one trial at most (default: 600)")
    parser.add_argument("--fleet-limit", type=float, default=1200.0, help="seconds of one fleet (default: 1200)")
    parser.add_argument("--minutes", type=float, default=None, help="start nothing new after so many minutes")
    parser.add_argument("--no-throughput", action="store_true", help="leave out the second part")
    parser.add_argument("--name", default=None, help="of the page (default: trial-DEVICE-DATA)")
    parser.add_argument("--out", type=Path, help="folder for the page and its JSON (default: print only)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(words)


def measure(arguments: argparse.Namespace) -> Results:
    """Both parts."""
    start = time.monotonic()
    device = resolve_device(arguments.device)
    workload = _workload(arguments)
    dataset = workload.dataset
    small = dataset.input_shape[1] < 16
    budget = arguments.budget or BUDGETS[small]
    shape, classes = dataset.input_shape, dataset.num_classes
    drawn = sample(shape, classes, budget, arguments.networks, seed=arguments.seed, space=arguments.space)
    chosen = [variant_of(name) for name in arguments.variants]
    results = Results(
        workload=workload,
        device=arguments.device,
        cores=available_cores(),
        machine=machine(device),
        rates=rates(device),
        networks=[*known(shape, classes, budget)[: arguments.named], *drawn],
        variants=[variant for variant in chosen if variant.missing(device.type) is None],
        absent={v.name: reason for v in chosen if (reason := v.missing(device.type)) is not None},
    )
    deadline = None if arguments.minutes is None else start + 60 * arguments.minutes
    _cold(results, arguments, str(device), deadline)
    if not arguments.no_throughput:
        _fleets(results, arguments, str(device), drawn or results.networks, deadline)
    return results


def _workload(arguments: argparse.Namespace) -> Workload:
    """Epochs as a search has them unless they are given."""
    first = Workload(arguments.data, arguments.epochs or 1, arguments.batch, arguments.seed)
    if arguments.epochs is not None:
        return first
    from igcnas.training.recipes import short_settings

    return Workload(
        arguments.data, short_settings(len(first.dataset.train.labels)).epochs, arguments.batch, arguments.seed
    )


def _cold(results: Results, arguments: argparse.Namespace, device: str, deadline: float | None) -> None:
    """Each network by each variant, in turns, in processes that are warm."""
    kind = device.partition(":")[0]
    processes: dict[str, Process] = {}
    try:
        for variant in results.variants:
            setting = _setting(results, variant, device, threads=arguments.threads, loaders=LOADERS)
            processes[variant.name] = Process(setting)
        for name, process in processes.items():
            failure = process.ready()
            if failure is not None:
                process.close()
                results.absent[name] = failure.reason
        for number, network in enumerate(results.networks):
            for variant in results.variants:
                process = processes.get(variant.name)
                if process is None or not process.alive or (kind in variant.slow and number >= arguments.slow_networks):
                    continue
                if deadline is not None and time.monotonic() > deadline:
                    results.absent["the rest"] = f"{arguments.minutes} minutes were over before {network.name}"
                    return
                process.ask(network, variant.repeat)
                found = process.answer(arguments.limit)
                assert found is not None
                results.trials.setdefault(variant.name, {})[network.name] = found
                _say(arguments, variant, network, found)
                if not process.alive and not (isinstance(found, Failure) and found.over):
                    processes[variant.name] = _again(process)
            _keep(results, arguments)
    finally:
        for process in processes.values():
            process.close()


def _again(process: Process) -> Process:
    """A process that died is replaced; one that never becomes ready is closed, and asked no more."""
    fresh = Process(process.setting)
    if fresh.ready() is not None:
        fresh.close()
    return fresh


def _fleets(
    results: Results, arguments: argparse.Namespace, device: str, networks: list[Named], deadline: float | None
) -> None:
    """Trials an hour: as it is, and as many processes of one thread as there are cores."""
    kind = device.partition(":")[0]
    workers = arguments.workers or (len(results.cores) if device == "cpu" else 1)
    for variant in results.variants:
        if variant.name in results.absent or variant.repeat:
            continue
        some = networks[: arguments.slow_networks] if kind in variant.slow else networks
        modes: list[tuple[str, int, Setting]] = []
        if not variant.ours:
            loads = f", {LOADERS} loaders" if "loader" in variant.name else ""
            for threads in dict.fromkeys((len(results.cores), 1)):
                setting = _setting(results, variant, device, threads=threads, loaders=LOADERS)
                modes.append((f"1 process, {threads} thread{'s' if threads > 1 else ''}{loads}", 1, setting))
        setting = _setting(results, variant, device, threads=1, loaders=0)
        modes.append((f"{workers} process{'es' if workers > 1 else ''} of 1 thread", workers, setting))
        for mode, processes, setting in modes:
            if deadline is not None and time.monotonic() > deadline:
                results.absent["the rest"] = f"{arguments.minutes} minutes were over before the fleet of {variant.name}"
                return
            fleet = run_fleet(setting, some, processes=processes, repeat=variant.repeat, limit=arguments.fleet_limit)
            results.fleets.append((variant.name, mode, fleet))
            if not arguments.json:
                print(f"{variant.name}, {mode}: {fleet.per_hour:,.0f} trials an hour", flush=True)
            _keep(results, arguments)


def _setting(results: Results, variant: Variant, device: str, *, threads: int, loaders: int) -> Setting:
    """threads 0: as torch has them on these cores; igcnas then has its own rule."""
    count = (
        max(LOADERS, min(_MOST_LOADERS, len(results.cores) // 2)) if loaders and "tuned" in variant.name else loaders
    )
    return Setting(
        variant=variant.name,
        workload=results.workload,
        device=device,
        cores=results.cores,
        threads=threads or None,
        loaders=count,
    )


def _say(arguments: argparse.Namespace, variant: Variant, network: Named, found: Outcome | Failure) -> None:
    if arguments.json:
        return
    text = (
        found.reason
        if isinstance(found, Failure)
        else f"{found.seconds:.2f} s, epoch {found.steady:.3f} s, {found.accuracy:.1f} %"
    )
    print(f"{network.name}, {variant.name}: {text}", flush=True)


def _keep(results: Results, arguments: argparse.Namespace) -> None:
    if arguments.out is not None:
        write(arguments.out, _name(arguments), page(results, arguments.words), results.plain())


def _name(arguments: argparse.Namespace) -> str:
    return arguments.name or f"trial-{arguments.device}-{arguments.data.partition(':')[0]}"


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    arguments = arguments_of(words)
    arguments.words = words
    try:
        results = measure(arguments)
    except IgcnasError as error:
        print(f"error: {error}")
        return 2
    _keep(results, arguments)
    print(json.dumps(results.plain()) if arguments.json else page(results, words))
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    raise SystemExit(main())
