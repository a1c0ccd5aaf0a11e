"""igcnas search, run_search.py: the search itself, then the figure, the table and the export."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from igcnas.cli.common import Parser, add_studies_dir, mega
from igcnas.errors import IgcnasError

if TYPE_CHECKING:
    import optuna

    from igcnas.cli.progress import Clock
    from igcnas.data import Dataset
    from igcnas.evaluation import ProcessEvaluator
    from igcnas.records import TrialRecord
    from igcnas.search import Search, Summary
    from igcnas.space import SearchSpace
    from igcnas.study import StudySettings

_EPILOG = """Run the same command again and it goes on where it stopped, up to the same total.

examples:
  %(prog)s --budget-mflops 0.2
  %(prog)s --budget-mflops 40 --data cifar10 --data-dir ~/data --networks 100
  %(prog)s --budget-mflops 10 --data imagefolder:photos --image-size 64 --space igcv3 --study mine
"""
_DESCRIPTION = (
    "Search for the best small convolutional network under a compute budget. Writes studies/NAME/: the Optuna storage, "
    "pareto.png, trials.csv, and best/ with the exported network."
)
_SMALL_DATA = 10_000


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "search",
        help="search for the best network under a budget",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_arguments(parser)


def standalone_parser(prog: str) -> argparse.ArgumentParser:
    """The same command under a name of its own, for run_search.py."""
    parser = Parser(
        prog=prog, description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _add_arguments(parser)
    return parser


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--budget-mflops",
        type=float,
        required=True,
        metavar="N",
        help="most a network may cost for one image, in millions of multiply-accumulates of convolutions and linear "
        "layers (one multiply-accumulate counts once; batch norm and activations are free)",
    )
    add(
        "--space",
        default="all",
        metavar="NAME",
        help="search space: all, igcv1, igcv3, learned, or a .py file of your own",
    )
    add(
        "--data",
        default="digits",
        metavar="SPEC",
        help="digits (8x8 scans, needs no download), cifar10, cifar100, imagefolder:PATH or npz:FILE (default: digits)",
    )
    add("--data-dir", type=Path, metavar="DIR", help="where the CIFAR archives or their unpacked folders are")
    add("--image-size", type=int, metavar="N", help="resize and crop the images of an image folder to N x N pixels")
    add(
        "--networks",
        type=int,
        default=60,
        metavar="N",
        help="stop when the study holds N trained networks, earlier runs included (default: %(default)s)",
    )
    add(
        "--objective",
        choices=("front", "accuracy"),
        default="front",
        help="front: accuracy against MACs up to the budget; accuracy: all at the budget (default: %(default)s)",
    )
    add("--epochs", type=int, metavar="N", help="epochs of each training (default: 15; 8 from 10,000 images on)")
    add("--device", default="auto", metavar="NAME", help="auto (CUDA, else CPU), cpu, cuda or cuda:N (default: auto)")
    add("--sampler", choices=("tpe", "random"), default="tpe", help="who proposes structures (default: %(default)s)")
    add("--no-baselines", action="store_true", help="do not train the known networks first")
    add(
        "--seed", type=int, default=0, metavar="N", help="of proposals, trainings and the validation split (default: 0)"
    )
    add("--study", metavar="NAME", help="name of the study (default: from data, space, budget and objective)")
    add_studies_dir(parser)
    add("--no-export", action="store_true", help="leave out best/ at the end")
    add("--json", action="store_true", help="at the end print one JSON object as the last line")
    parser.set_defaults(run=run)


class _Stop:
    """Set by Ctrl-C or SIGTERM, asked by the search where it is safe to stop; a second Ctrl-C does not wait."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        return self.asked

    def __enter__(self) -> _Stop:
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


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
    settings = _settings(arguments, space, dataset)
    folder = arguments.studies_dir / (arguments.study or _default_name(settings))
    from igcnas.search import check_budget
    from igcnas.storage import lock_study
    from igcnas.training import resolve_device

    limits = check_budget(space, settings)
    resolve_device(arguments.device)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IgcnasError(f"cannot make {folder}: {error.strerror}; give another --studies-dir") from None
    with lock_study(folder), _Stop() as stop:
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


def _settings(arguments: argparse.Namespace, space: SearchSpace, dataset: Dataset) -> StudySettings:
    from igcnas.settings import TrainingSettings
    from igcnas.study import DataSettings, StudySettings

    small = len(dataset.train.labels) < _SMALL_DATA
    training = TrainingSettings(
        epochs=(15 if small else 8) if arguments.epochs is None else arguments.epochs,
        batch_size=64 if small else 128,
        learning_rate=0.6 if small else 0.2,
        validation_fraction=0.25 if small else 0.1,
        seed=arguments.seed,
    )
    return StudySettings(
        space=space.to_dict(),
        space_path=arguments.space,
        budget_macs=round(arguments.budget_mflops * 1e6),
        objective=arguments.objective,
        sampler=arguments.sampler,
        baselines=not arguments.no_baselines,
        seed=arguments.seed,
        data=DataSettings.of(
            dataset, training, spec=arguments.data, data_dir=arguments.data_dir, image_size=arguments.image_size
        ),
        training=training,
    )


def _default_name(settings: StudySettings) -> str:
    parts = [settings.data.name, settings.space["name"], f"{settings.budget_macs / 1e6:g}M"]
    if settings.objective != "front":
        parts.append(settings.objective)
    return "-".join("".join(c if c.isalnum() or c in "._" else "_" for c in part) for part in parts)


def _search(
    arguments: argparse.Namespace,
    study: optuna.Study,
    folder: Path,
    space: SearchSpace,
    settings: StudySettings,
    stop: _Stop,
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
        with progress_for(clock, best(every, settings.budget_macs)) as progress:
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
        print(f"  {_command()}")
        return 130
    if summary.exhausted:
        print(f"the space holds no further network for this budget; the search ends with {summary.trained}")
    champion = best(records(open_study(folder)), settings.budget_macs)
    if champion is None:
        raise IgcnasError(f"no network was trained; see the reasons with: igcnas status {folder}")
    files = plot.write(folder)
    # What is there already stays: the test split is read once for each network that is chosen.
    exported = (folder / "best" / "architecture.json").exists() and not summary.new
    if not arguments.no_export and not exported:
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


def _command() -> str:
    import shlex

    if sys.argv[0].endswith("__main__.py"):
        return shlex.join(["python", "-m", "igcnas", *sys.argv[1:]])
    return shlex.join(["python", *sys.argv] if sys.argv[0].endswith(".py") else sys.argv)
