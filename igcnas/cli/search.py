"""igcnas search, run_search.py: the search itself, then the figure, the table and the export."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.cli.common import Parser, mega
from igcnas.cli.search_options import (
    DESCRIPTION,
    EPILOG,
    add_arguments,
    allowed_repeats,
    asked_workers,
    check_arguments,
    default_name,
    study_settings,
)
from igcnas.cli.stopping import Stop
from igcnas.errors import IgcnasError

if TYPE_CHECKING:
    import optuna

    from igcnas.cli.clock import Clock
    from igcnas.evaluation import ProcessEvaluator, Slot
    from igcnas.records import TrialRecord
    from igcnas.search import Search, Summary
    from igcnas.space import SearchSpace
    from igcnas.study import StudySettings
    from igcnas.worker import Probed


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
    check_arguments(arguments)
    from igcnas.space import load_space

    space = load_space(arguments.space)
    from igcnas.data import load_dataset

    dataset = load_dataset(arguments.data, data_dir=arguments.data_dir, image_size=arguments.image_size)
    settings = study_settings(arguments, space, dataset)
    folder = arguments.studies_dir / (arguments.study or default_name(settings))
    from igcnas.search import check_budget, check_pruner
    from igcnas.storage import lock_study

    limits = check_budget(space, settings)
    check_pruner(settings)
    slots = _slots(arguments, settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IgcnasError(f"cannot make {folder}: {error.strerror}; give another --studies-dir") from None
    with lock_study(folder), Stop() as stop:
        from igcnas.cli.search_result import finish
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
        summary = _search(arguments, study, folder, space, settings, slots, stop)
        return finish(arguments, folder, settings, summary, workers=len(slots))


def _slots(arguments: argparse.Namespace, settings: StudySettings) -> list[Slot]:
    """Where the workers run."""
    from igcnas.evaluation import slots_for

    _, height, width = settings.data.input_shape
    return slots_for(
        asked_workers(arguments),
        device=arguments.device,
        pixels=height * width,
        batch_size=settings.training.batch_size,
        networks=arguments.networks,
        undisturbed=settings.objective == "accuracy,latency",
    )


def _search(
    arguments: argparse.Namespace,
    study: optuna.Study,
    folder: Path,
    space: SearchSpace,
    settings: StudySettings,
    slots: list[Slot],
    stop: Stop,
) -> Summary:
    from igcnas.cli.progress import progress_for
    from igcnas.evaluation import Interrupted, ProcessEvaluator
    from igcnas.records import best, counted, records, trained
    from igcnas.search import Search, Summary
    from igcnas.worker import WorkerSetup

    every = records(study)
    setup = WorkerSetup(
        data=settings.data,
        training=settings.training,
        device=arguments.device,
        prunes=settings.pruner != "none",
        latency=settings.objective == "accuracy,latency",
    )
    allowed = {"seeds": arguments.seeds, "repeats": allowed_repeats(arguments)}
    with ProcessEvaluator(setup, slots=slots, stop=stop) as evaluator:
        search = Search(study, folder, space, settings, evaluator, _Silent(), stop=stop)
        evaluator.note = lambda text: search.progress.note(text)
        if search.is_complete(arguments.networks, **allowed):
            done = counted(every)
            print(f"the study already holds {done} trained networks; --networks {done + 20} would train more")
            return search.run(arguments.networks, **allowed)
        try:
            clock = _announce(arguments, search, evaluator, settings, every)
        except Interrupted:
            return Summary(trained=len(trained(every)), failed=0, interrupted=True)
        with progress_for(clock, best(every, settings.budget_macs), settings.budget_macs) as progress:
            search.progress = progress
            return search.run(arguments.networks, **allowed)


def _announce(
    arguments: argparse.Namespace,
    search: Search,
    evaluator: ProcessEvaluator,
    settings: StudySettings,
    every: list[TrialRecord],
) -> Clock:
    """Say what is about to happen and for how long, from a few steps of the known and of some random networks."""
    from igcnas.cli.clock import Clock
    from igcnas.records import counted, repeats

    done, again = counted(every), allowed_repeats(arguments)
    known = [one.fit.architecture for one in search.known_networks()]
    seen = {record.architecture.id for record in every}
    new = [network for network in known if network.id not in seen][: max(0, arguments.networks - done)]
    samples = search.samples(3)
    probed = evaluator.probe((*samples, *new))
    seconds = probed.seconds if probed is not None else (0.0,) * (len(samples) + len(new))
    if probed is not None and arguments.workers == "auto":
        _keep_affordable(evaluator, probed)
    clock = Clock(
        done,
        arguments.networks,
        sum(seconds[: len(samples)]) / max(1, len(samples)),
        {network.id: time for network, time in zip(new, seconds[len(samples) :], strict=True)},
        repeats=max(0, again - len(repeats(every))),
        workers=evaluator.slots,
    )
    shape = "x".join(map(str, settings.data.input_shape))
    print(
        f"data      {settings.data.name}: {shape}, {len(settings.data.classes)} classes, "
        f"{settings.data.validation_images} validation images"
    )
    print(
        f"space     {settings.space['name']}, {mega(search.lowest_target)} to {mega(settings.budget_macs)} MFLOPs"
        if settings.spread
        else f"space     {settings.space['name']}, networks at {mega(settings.budget_macs)} MFLOPs"
    )
    pruned = f", pruned from epoch {settings.min_epochs} on" if settings.pruner != "none" else ""
    earlier = f" ({done} are there)" if done else ""
    print(
        f"plan      {arguments.networks} networks of {settings.training.epochs} epochs{pruned}{earlier}; sampler "
        f"{settings.sampler}; {again or 'no'} repeats of the best at most"
    )
    print(f"known     {_names(search)}")
    print(f"workers   {_workers(evaluator)}")
    print(
        f"time      about {clock.left()} on {evaluator.device_name} (from a few steps of {len(seconds)} networks); "
        "Ctrl-C stops, the same command goes on",
        flush=True,
    )
    return clock


def _keep_affordable(evaluator: ProcessEvaluator, probed: Probed) -> None:
    """On a CPU no more workers than there is memory for, now that it is measured what one takes."""
    from igcnas.evaluation import affordable

    if probed.peak_memory_mb is None or not evaluator.devices <= {"cpu"}:
        return
    most = affordable(probed.peak_memory_mb)
    if most is not None and most < evaluator.slots:
        evaluator.keep(most)


def _workers(evaluator: ProcessEvaluator) -> str:
    """How many networks are trained at once, and where."""
    count, where = evaluator.slots, ", ".join(sorted(evaluator.devices))
    if count == 1:
        return f"1 on {where}: the same seed proposes the same networks"
    return f"{count} on {where}: what is proposed depends on which training ends first; --workers 1 repeats itself"


def _names(search: Search) -> str:
    """The known networks at each target."""
    targets: dict[int, list[str]] = {}
    for known in search.known_networks():
        targets.setdefault(known.target_macs, []).append(known.name)
    return "; ".join(f"{', '.join(names)} at {mega(target)}" for target, names in targets.items()) or "none"


class _Silent:
    """A Progress before there is a display."""

    def note(self, text: str) -> None:
        """Print it."""
        print(text)

    def started(self, record: Any) -> None:
        """Nothing."""

    def epoch(self, number: int, report: Any) -> None:
        """Nothing."""

    def finished(self, record: Any) -> None:
        """Nothing."""
