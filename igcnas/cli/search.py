"""igcnas search, run_search.py: the search itself, then the figure, the table and the export."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas import units
from igcnas.cli.common import Parser, Stop, is_file, study_to_search
from igcnas.cli.engine import before_training, begun_engine, chosen_engine
from igcnas.cli.ray_options import asked_ray
from igcnas.cli.ray_workers import before_training_elsewhere, connected, elsewhere
from igcnas.cli.recipe_options import as_begun
from igcnas.cli.search_options import (
    DESCRIPTION,
    EPILOG,
    add_arguments,
    allowed_repeats,
    asked_limits,
    asked_workers,
    check_arguments,
    default_name,
    study_settings,
)
from igcnas.cli.timing_options import alone, as_timed, asked_timing, is_timed, other_clock, times_line, with_times
from igcnas.cli.tuning import as_tuned, check_tuning, tune
from igcnas.network.budget import TIME

if TYPE_CHECKING:
    import optuna

    from igcnas.data.dataset import Dataset
    from igcnas.data.examination import Examined
    from igcnas.search.checks import Range
    from igcnas.search.cluster import Cluster
    from igcnas.search.evaluation import Slot, Spares
    from igcnas.search.report import Summary
    from igcnas.search.settings import StudySettings
    from igcnas.search.space import SearchSpace

_USUAL = 60  # networks: the default; twice as many where a study has these
UNREAD = "the search goes on, see igcnas status; to stop it: Ctrl-C, and the same command goes on later"


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
    parser.set_defaults(run=run, unread=UNREAD)


def standalone_parser(prog: str) -> argparse.ArgumentParser:
    """The same command under a name of its own, for run_search.py."""
    parser = Parser(
        prog=prog, description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.set_defaults(run=run, unread=UNREAD)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Search; draw; export."""
    from igcnas.search.additions import explain_missing

    others = asked_limits(arguments)
    asked = {"sampler": arguments.sampler, "data": arguments.data}
    explain_missing(arguments.studies_dir, space=arguments.space, limits=others, **asked)
    check_arguments(arguments)
    study_to_search(arguments.study, "", arguments.studies_dir)  # a name that cannot be need not wait for the data
    with _spares(arguments) as spares:
        return _run(arguments, spares, others, asked)


def _run(arguments: argparse.Namespace, spares: Spares, others: Mapping[str, float], asked: dict[str, str]) -> int:
    from igcnas.search.additions import record, used
    from igcnas.search.space import load_space

    space = load_space(arguments.space)
    dataset = _dataset(arguments)
    settings = study_settings(arguments, space, dataset)
    folder = study_to_search(arguments.study, default_name(settings), arguments.studies_dir)
    if dataset.own_validation and not _uses_own_validation(folder):
        dataset = _dataset(arguments, own_validation=False)
        settings = study_settings(arguments, space, dataset)
    from igcnas.data.examination import examine

    # Before anything is trained: what the end of the search needs of the test split must be there.
    examined = examine(dataset, fraction=settings.training.validation_fraction, seed=settings.training.seed)
    settings = as_tuned(_with_recipe(_with_engine(settings, arguments, folder), folder), folder)
    settings = with_times(as_timed(settings, arguments, folder), folder)
    from igcnas.search.checks import check_budget, check_pruner
    from igcnas.search.storage import lock_study
    from igcnas.system.files import going_on, make_folder

    limits = check_budget(space, settings)
    check_pruner(settings)
    check_tuning(arguments.tune_recipe, settings, folder, networks=arguments.networks)
    ray = asked_ray(arguments)
    slots = _slots(arguments, settings, space) if ray is None else []
    make_folder(folder, advice="give another --studies-dir")
    with going_on(), lock_study(folder), Stop() as stop, connected(ray) as cluster:
        from igcnas.cli.search_result import finish
        from igcnas.search.folder import guard_settings, let_go, open_study, placed
        from igcnas.search.patience import Patience
        from igcnas.search.records import records

        print(f"study     {folder}", flush=True)
        if arguments.tune_recipe is not None and settings.tuning is None:
            tuned = _tuned(arguments, folder, settings, stop)
            if tuned is None:
                return stop.status
            settings = tuned
        placed(folder, arguments.storage)
        guard_settings(folder, settings)
        record(folder, used(space, limits=others, **asked))
        if limits.largest < settings.budget.most:
            largest = settings.budget.first.show(limits.largest)
            print(f"warning: no network of space {space.name!r} costs more than {largest}; the budget cannot be filled")
        if cluster is None:
            devices = [slot.device for slot in slots]
            kind = devices[0].partition(":")[0]
            capture = before_training(
                settings.training.engine, asked=arguments.device, device=kind, devices=devices, at_once=stop.at_once
            )
        else:
            capture = before_training_elsewhere(settings.training.engine, cluster, arguments.device, stop.at_once)
        notes: list[Callable[[str], None]] = [print]
        patience = Patience(seconds=arguments.storage_wait, note=lambda text: notes[-1](text), stop=stop)
        study = open_study(folder, create_for=settings, patience=patience)
        for line in (times_line(settings), other_clock(settings.latency, records(study))):
            if line is not None:
                print(line)
        for callback in getattr(arguments, "callbacks", ()):  # of the Python interface
            callback.search_began(folder)
        try:
            summary, workers = _search(
                arguments,
                study,
                folder,
                space,
                settings,
                limits,
                slots,
                spares,
                stop,
                examined,
                capture,
                cluster,
                notes,
            )
        finally:
            let_go(study)
        return finish(arguments, folder, settings, summary, workers=workers, stop=stop, examined=examined)


def _dataset(arguments: argparse.Namespace, *, own_validation: bool = True) -> Dataset:
    from igcnas.data.loading import load_dataset

    return load_dataset(
        arguments.data,
        data_dir=arguments.data_dir,
        image_size=arguments.image_size,
        skip_bad=arguments.skip_bad,
        own_validation=own_validation,
        groups=arguments.groups,
    )


def _uses_own_validation(folder: Path) -> bool:
    """False for a study that was begun when a validation split still joined the training data: its splits stay."""
    from igcnas.search.settings import StudySettings

    if not is_file(folder / "settings.json"):
        return True
    begun = StudySettings.read(folder).data
    return begun.own_validation or begun.reading > 1


def _with_engine(settings: StudySettings, arguments: argparse.Namespace, folder: Path) -> StudySettings:
    """The settings with the engine that the options mean for this study."""
    from dataclasses import replace

    engine = chosen_engine(arguments.engine, begun=begun_engine(folder / "settings.json", "training"))
    return replace(settings, training=replace(settings.training, engine=engine))


def _with_recipe(settings: StudySettings, folder: Path) -> StudySettings:
    """The settings with the recipe as the study began with it, where it is the one that is asked for."""
    from dataclasses import replace

    from igcnas.search.settings import StudySettings

    if settings.training.recipe is None or not is_file(folder / "settings.json"):
        return settings
    return replace(settings, training=as_begun(settings.training, StudySettings.read(folder).training))


def _tuned(arguments: argparse.Namespace, folder: Path, settings: StudySettings, stop: Stop) -> StudySettings | None:
    """The settings with the recipe that was chosen; None after a stop."""
    from igcnas.cli.common import command_line
    from igcnas.search.evaluation import Interrupted

    try:
        return tune(arguments, folder, settings, stop)
    except Interrupted:
        print(f"stopped while the recipe was tuned; nothing is lost. To go on:\n  {command_line()}")
        return None


def _spares(arguments: argparse.Namespace) -> Spares:
    """As many processes as the search will have on a CPU, started while the data are read; none for a GPU."""
    from igcnas.search.evaluation import Spares, slots_for
    from igcnas.system import gpu

    if arguments.ray is not None:
        return Spares()
    if arguments.device != "cpu" and (arguments.device != "auto" or gpu.may_be_used()):
        return Spares()
    slots = slots_for(
        asked_workers(arguments),
        device="cpu",
        macs=1,
        batch_size=1,
        networks=arguments.networks,
        undisturbed=alone(asked_workers(arguments), asked_timing(arguments), timed=is_timed(arguments)),
    )
    return Spares(slots)


def _slots(arguments: argparse.Namespace, settings: StudySettings, space: SearchSpace) -> list[Slot]:
    """Where the workers run."""
    from igcnas.network.cost import count
    from igcnas.search.evaluation import slots_for

    classes = len(settings.data.classes)
    return slots_for(
        asked_workers(arguments),
        device=arguments.device,
        macs=settings.budget.get("macs") or count(space.largest(settings.data.input_shape, classes)).macs,
        batch_size=settings.training.batch_size,
        networks=arguments.networks,
        undisturbed=alone(asked_workers(arguments), settings.latency, timed=settings.timed),
    )


def _search(
    arguments: argparse.Namespace,
    study: optuna.Study,
    folder: Path,
    space: SearchSpace,
    settings: StudySettings,
    limits: Range,
    slots: list[Slot],
    spares: Spares,
    stop: Stop,
    examined: Examined,
    capture: bool | None,
    cluster: Cluster | None,
    notes: list[Callable[[str], None]],
) -> tuple[Summary, int]:
    """How it ended, and with how many workers."""
    from igcnas.cli.common import recorded
    from igcnas.cli.progress.search import SearchProgress
    from igcnas.cli.search_plan import announce
    from igcnas.search.callbacks import Listening
    from igcnas.search.controller import Search
    from igcnas.search.evaluation import Interrupted, ProcessEvaluator
    from igcnas.search.evaluation.mps import Mps
    from igcnas.search.records import best, counted, records, trained
    from igcnas.search.report import Summary
    from igcnas.search.worker import WorkerSetup

    every = records(study)
    setup = WorkerSetup(
        data=settings.data,
        training=settings.training,
        device=arguments.device,
        prunes=settings.pruner != "none",
        latency=settings.timed,
        timing=settings.latency,
        most_ns=settings.budget.get(TIME.name),
        capture=capture,
        limits=settings.measured_limits,
    )
    allowed = {"seeds": arguments.seeds, "repeats": allowed_repeats(arguments)}
    workers: ProcessEvaluator
    if cluster is None:
        workers = ProcessEvaluator(setup, slots=slots, stop=stop)
    else:
        workers = elsewhere(cluster, setup, most=_at_most(arguments), stop=stop)
    # The workers end before what they share their GPUs by.
    with Mps(print) as mps, workers as evaluator:
        search = Search(study, folder, space, settings, evaluator, _Silent(), stop=stop, limits=limits)
        evaluator.note = lambda text: search.progress.note(text)
        notes.append(evaluator.note)
        if search.is_complete(arguments.networks, **allowed):
            done = counted(every)
            usual = _USUAL if done < _USUAL else 2 * done
            print(
                f"the study already holds {units.counted(done, 'trained network')}; --networks {done + 1} is the least "
                f"that trains more, --networks {usual} is usual"
            )
            return search.run(arguments.networks, **allowed), evaluator.slots
        evaluator.keep(mps.share(slots))
        evaluator.start(spares)
        try:
            clock = announce(arguments, search, evaluator, settings, every, examined)
        except Interrupted:
            return Summary(trained=len(trained(every)), failed=0, interrupted=True), evaluator.slots
        shown = SearchProgress(clock, best(every, settings.budget), settings.costs, settings.measure)
        callbacks = getattr(arguments, "callbacks", ())
        run = recorded(
            folder,
            devices=[slot.device for slot in slots],
            workers=evaluator.slots,
            engine=settings.training.engine,
            elsewhere=() if cluster is None else sorted(evaluator.devices),
        )
        with run, shown as progress:
            search.progress = Listening(progress, callbacks) if callbacks else progress
            return search.run(arguments.networks, **allowed), evaluator.slots


def _at_most(arguments: argparse.Namespace) -> int:
    """Networks in training at once in a cluster: as asked, or as many as leave the sampler something to learn from."""
    from igcnas.search.evaluation.slots import useful_at_once

    asked = asked_workers(arguments)
    return useful_at_once(arguments.networks) if asked == "auto" else int(asked)


class _Silent:
    """A Progress before there is a display."""

    def note(self, text: str) -> None:
        """Print it."""
        print(text)

    def started(self, record: Any) -> None:
        """Not shown: what is probed is no training of the study."""

    def epoch(self, number: int, report: Any) -> None:
        """Not shown."""

    def finished(self, record: Any) -> None:
        """Not shown."""
