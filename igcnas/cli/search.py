"""igcnas search, run_search.py: the search itself, then the figure, the table and the export."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.cli.common import Parser, command_line, mega
from igcnas.cli.search_options import DESCRIPTION, EPILOG, add_arguments, default_name, study_settings
from igcnas.cli.stopping import Stop
from igcnas.errors import IgcnasError

if TYPE_CHECKING:
    import optuna

    from igcnas.cli.progress import Clock
    from igcnas.evaluation import ProcessEvaluator
    from igcnas.records import TrialRecord
    from igcnas.search import Search, Summary
    from igcnas.space import SearchSpace
    from igcnas.study import StudySettings


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "search",
        help="search for the best network under a budget",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def standalone_parser(prog: str) -> argparse.ArgumentParser:
    """The same command under a name of its own, for run_search.py."""
    parser = Parser(
        prog=prog, description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Search; draw; export."""
    if not 0 < arguments.budget_mflops < math.inf:
        raise IgcnasError(f"--budget-mflops {arguments.budget_mflops:g} must be a positive number, as in 0.2")
    if arguments.networks < 1:
        raise IgcnasError(f"--networks {arguments.networks} must be at least 1")
    from igcnas.space import load_space

    space = load_space(arguments.space)
    from igcnas.data import load_dataset

    dataset = load_dataset(arguments.data, data_dir=arguments.data_dir, image_size=arguments.image_size)
    settings = study_settings(arguments, space, dataset)
    folder = arguments.studies_dir / (arguments.study or default_name(settings))
    from igcnas.search import check_budget
    from igcnas.storage import lock_study
    from igcnas.training import resolve_device

    limits = check_budget(space, settings)
    resolve_device(arguments.device)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IgcnasError(f"cannot make {folder}: {error.strerror}; give another --studies-dir") from None
    with lock_study(folder), Stop() as stop:
        from igcnas.study import guard_settings, open_study

        guard_settings(folder, settings)
        print(f"study     {folder}", flush=True)
        if limits.largest < settings.budget_macs:
            largest = f"{limits.largest / 1e6:g}"
            print(
                f"warning: no network of space {space.name!r} costs more than {largest} MFLOPs; "
                "the budget cannot be filled"
            )
        study = open_study(folder, create_for=settings)
        summary = _search(arguments, study, folder, space, settings, stop)
        return _finish(arguments, folder, settings, summary)


def _search(
    arguments: argparse.Namespace,
    study: optuna.Study,
    folder: Path,
    space: SearchSpace,
    settings: StudySettings,
    stop: Stop,
) -> Summary:
    from igcnas.cli.progress import progress_for
    from igcnas.evaluation import Interrupted, ProcessEvaluator
    from igcnas.records import best, records, trained
    from igcnas.search import Search, Summary
    from igcnas.worker import WorkerSetup

    every = records(study)
    done = len(trained(every))
    setup = WorkerSetup(data=settings.data, training=settings.training, device=arguments.device)
    with ProcessEvaluator(setup, stop=stop) as evaluator:
        search = Search(study, folder, space, settings, evaluator, _Silent(), stop=stop)
        if done >= arguments.networks:
            print(f"the study already holds {done} trained networks; --networks {done + 20} would train more")
            return search.run(arguments.networks)
        try:
            clock = _announce(arguments, search, evaluator, settings, every)
        except Interrupted:
            return Summary(trained=done, failed=0, interrupted=True)
        with progress_for(clock, best(every, settings.budget_macs), settings.budget_macs) as progress:
            search.progress = progress
            return search.run(arguments.networks)


def _announce(
    arguments: argparse.Namespace,
    search: Search,
    evaluator: ProcessEvaluator,
    settings: StudySettings,
    every: list[TrialRecord],
) -> Clock:
    """Say what is about to happen and for how long, from a few steps of the known and of some random networks."""
    from igcnas.cli.progress import Clock
    from igcnas.records import trained

    done = len(trained(every))
    known = search.known_networks()
    seen = {record.architecture.id for record in every}
    new = {name: network for name, network in known.items() if network.id not in seen}
    new = dict(list(new.items())[: arguments.networks - done])
    samples = search.samples(3)
    seconds = evaluator.probe((*samples, *new.values())) or [0.0] * (len(samples) + len(new))
    each = sum(seconds[: len(samples)]) / max(1, len(samples))
    clock = Clock(done, arguments.networks, each, dict(zip(new, seconds[len(samples) :], strict=True)))
    shape = "x".join(map(str, settings.data.input_shape))
    print(
        f"data      {settings.data.name}: {shape}, {len(settings.data.classes)} classes, "
        f"{settings.data.validation_images} validation images"
    )
    print(
        f"space     {settings.space['name']}, {mega(search.lowest_target)} to {mega(settings.budget_macs)} MFLOPs"
        if settings.objective == "front"
        else f"space     {settings.space['name']}, networks at {mega(settings.budget_macs)} MFLOPs"
    )
    names = ", ".join(known) or "none"
    earlier = f" ({done} are there)" if done else ""
    print(f"plan      {arguments.networks} networks of {settings.training.epochs} epochs{earlier}; known: {names}")
    print(
        f"time      about {clock.left()} on {evaluator.device_name} (from a few steps of {len(seconds)} networks); "
        "Ctrl-C stops, the same command goes on",
        flush=True,
    )
    return clock


class _Silent:
    """A Progress before there is a display."""

    def note(self, text: str) -> None:
        """Print it."""
        print(text)

    def started(self, record: Any) -> None:
        """Nothing."""

    def epoch(self, report: Any) -> None:
        """Nothing."""

    def finished(self, record: Any) -> None:
        """Nothing."""


def _finish(arguments: argparse.Namespace, folder: Path, settings: StudySettings, summary: Summary) -> int:
    from igcnas.cli import export, plot
    from igcnas.records import best, records
    from igcnas.study import open_study

    tally = summary.tally
    if tally.asked:
        print(
            f"proposals {tally.asked} structures; {tally.misfits} targets too low for them and {tally.repeats} repeats "
            "cost no training"
        )
    if summary.interrupted:
        print(f"stopped with {summary.trained} of {arguments.networks} networks; nothing is lost. To go on:")
        print(f"  {command_line()}")
        return 130
    if summary.exhausted:
        print(f"the space holds no further network for this budget; the search ends with {summary.trained}")
    champion = best(records(open_study(folder)), settings.budget_macs)
    if champion is None:
        raise IgcnasError(f"no network was trained; see the reasons with: igcnas status {folder}")
    files = plot.write(folder)
    if not arguments.no_export and not export.is_current(folder):
        files.append(export.write(folder, None))
    print(
        f"best      {champion.val_accuracy:.2f} % at {mega(champion.final_macs)} MFLOPs: "
        f"{champion.architecture.label()}"
    )
    for path in files:
        print(f"wrote     {path}")
    if arguments.json:
        result = {"study": str(folder), "trained": summary.trained, "failed": summary.failed, "best": champion.number}
        result |= {"val_accuracy": champion.val_accuracy, "macs": champion.final_macs, "id": champion.architecture.id}
        print(json.dumps(result))
    return 0
