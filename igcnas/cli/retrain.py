"""igcnas retrain: finalists and published networks from scratch, with several seeds, on the test split."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.cli.campaign import add_workers, begin, campaign_folder, network_line, train, writing_alone
from igcnas.cli.common import add_study_argument, command_line, study_folder
from igcnas.cli.output import add_output_arguments, begin_result
from igcnas.cli.ray_options import asked_ray
from igcnas.cli.search_options import asked_workers
from igcnas.errors import IgcnasError
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.cli.progress.campaign import CampaignProgress
    from igcnas.results.retraining import RetrainSettings
    from igcnas.search.records import TrialRecord
    from igcnas.search.settings import StudySettings

_LONGER = 4  # times the epochs of the study
EPILOG = """Run the same command again and it goes on where it stopped.

examples:
  %(prog)s digits-all-0.2M
  %(prog)s digits-all-0.2M --top 3 --seeds 9 --epochs 100 --margin 0.2
  %(prog)s digits-all-0.2M --trials 3,17 --name two
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "retrain",
        help="train the finalists and the published networks again, with several seeds, and test them",
        description="Trains the best networks of a study and every published network that fits its budget from "
        "scratch, with several seeds and one recipe, on training and validation images together; reads the test split "
        "once for each, at its end; and prints means, intervals, corrected tests and what they leave undecided. "
        "Writes retrain-N/ in the folder of the study: table.md, table.csv, accuracies.png and .svg, weights.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_study_argument(parser)
    add = parser.add_argument
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--top", type=int, metavar="N", help="the N best of the search by mean validation accuracy (default: 5)"
    )
    chosen.add_argument("--trials", metavar="N,N", help="these networks of the study instead (see trials.csv)")
    add("--seeds", type=int, default=5, metavar="N", help="trainings of each network (default: %(default)s)")
    add("--epochs", type=int, metavar="N", help=f"epochs of each training (default: {_LONGER} times the study's)")
    add(
        "--margin",
        type=float,
        default=0.5,
        metavar="X",
        help="points of accuracy within which networks count as equivalent (default: %(default)s)",
    )
    add("--name", metavar="NAME", help="folder of this retraining, in that of the study (default: retrain-EPOCHS)")
    add("--device", default="auto", metavar="NAME", help="auto (CUDA, else CPU), cpu, cuda or cuda:N (default: auto)")
    add_workers(parser)
    add("--json", action="store_true", help="print the table as one JSON object, and progress to stderr")
    add_output_arguments(parser)
    parser.set_defaults(run=run, unread="the retraining goes on, into the folder of the study")


def run(arguments: argparse.Namespace) -> int:
    """Choose, train, print."""
    trials = _trials(arguments)
    asked_workers(arguments)
    asked_ray(arguments)
    study_path = study_folder(arguments)
    from igcnas.search.folder import open_study
    from igcnas.search.records import records
    from igcnas.search.settings import StudySettings

    study = StudySettings.read(study_path)
    every = records(open_study(study_path))
    settings = _settings(arguments, study, every, trials)
    from igcnas.training.device import resolve_device

    resolve_device(arguments.device)
    dataset = study.data.load_same(study_path.name)
    from igcnas.data.examination import examine

    examine(dataset, fraction=study.training.validation_fraction, seed=study.training.seed)
    folder = campaign_folder(
        study_path, arguments.name, usual=f"retrain-{settings.training.epochs}", file="settings.json"
    )
    return _retrain(arguments, folder, settings, study, every, images=len(dataset.train.labels))


def _retrain(
    arguments: argparse.Namespace,
    folder: Path,
    settings: RetrainSettings,
    study: StudySettings,
    every: list[TrialRecord],
    *,
    images: int,
) -> int:
    """images: of training and validation together."""
    from igcnas.cli.common import Stop
    from igcnas.results.retraining import guard, retraining, tabulate
    from igcnas.search.evaluation import Interrupted
    from igcnas.search.worker import WorkerSetup
    from igcnas.system.files import going_on

    output = sys.stderr if arguments.json else sys.stdout
    with writing_alone(folder), Stop() as stop:
        asked, settings = settings, guard(folder, settings)
        notes: list[str] = []
        campaign = retraining(folder, settings, note=notes.append)
        progress, slots = begin(
            arguments,
            campaign,
            notes,
            study=study,
            records=every,
            training=settings.training,
            images=images,
            output=output,
        )
        if slots:
            _announce(progress, folder, settings, study_epochs=study.training.epochs)
            if [one.name for one in asked.finalists] != [one.name for one in settings.finalists]:
                progress.note("note      the study has gone on since; the networks stay those chosen at the start")
        setup = WorkerSetup(
            data=study.data,
            training=settings.training,
            device=arguments.device,
            images="all",
            limits=study.measured_limits,
        )
        said = "trainings; nothing is lost. To go on:"
        try:
            results = train(
                campaign, setup, slots, stop=stop, progress=progress, run_folder=folder, ray=asked_ray(arguments)
            )
        except Interrupted:
            begin_result()
            progress.note(f"stopped with {len(campaign.results())} of {len(campaign.trainings)} {said}")
            progress.note(f"  {command_line()}")
            return stop.status
        begin_result()
        if stop():  # in the last moment: the table is not made
            progress.note(f"stopped with all {len(results)} {said}")
            progress.note(f"  {command_line()}")
            return stop.status
    table = tabulate(settings, results)
    if table is None:
        raise IgcnasError(f"no training gave a network: {results[0].failed}; see the files in {folder}")
    from igcnas.results.retraining import figure, report
    from igcnas.system.files import write_text

    if arguments.json:
        print(json.dumps({"folder": str(folder), **report.plain(table)}))
    else:
        print(report.text(table, settings))
    title = f"{folder.parent.name}, {folder.name}"
    with going_on():
        write_text(folder / "table.md", report.markdown(table, settings, title=title))
        write_text(folder / "table.csv", report.comma_separated(table))
        figure.save(folder / "accuracies.png", table, settings, title=folder.parent.name)
    if not arguments.json:
        for name in ("table.md", "table.csv", "accuracies.png", "accuracies.svg"):
            print(f"wrote     {folder / name}")
    return 0


def _announce(progress: CampaignProgress, folder: Path, settings: RetrainSettings, *, study_epochs: int) -> None:
    """What is about to happen."""
    progress.note(f"folder    {folder}; Ctrl-C stops, the same command goes on")
    for one in settings.finalists:
        words = one.architecture.label()
        progress.note(network_line(one.name, one.architecture, one.val_accuracy, words=words))
    earlier = f" ({progress.done} are there)" if progress.done else ""
    progress.note(
        f"plan      {counted(progress.total, 'training')}{earlier}: {counted(len(settings.finalists), 'network')}, "
        f"{counted(settings.seeds, 'seed')}, {counted(settings.training.epochs, 'epoch')} (the search: "
        f"{study_epochs}), on training and validation images"
    )
    progress.note(f"time      about {progress.left()}, from the times of the study; the test results come at the end")


def _trials(arguments: argparse.Namespace) -> tuple[int, ...] | None:
    """The numbers after --trials, each once."""
    if arguments.top is not None and arguments.top < 1:
        raise IgcnasError(f"--top {arguments.top} must be 1 or more; 5 is usual")
    if arguments.trials is None:
        return None
    words = [word.strip() for word in arguments.trials.split(",")]
    if not all(word.isdecimal() for word in words):
        raise IgcnasError(f"--trials {arguments.trials!r} must be numbers of networks with commas, such as 3,17")
    return tuple(dict.fromkeys(map(int, words)))


def _settings(
    arguments: argparse.Namespace, study: StudySettings, every: list[TrialRecord], trials: tuple[int, ...] | None
) -> RetrainSettings:
    import dataclasses

    from igcnas.results.retraining.plan import RetrainSettings, choose_finalists

    top = None if trials is not None else 5 if arguments.top is None else arguments.top
    epochs = _LONGER * study.training.epochs if arguments.epochs is None else arguments.epochs
    return RetrainSettings(
        data_name=study.data.name,
        data_fingerprint=study.data.fingerprint,
        budget_macs=study.budget_macs,
        limits=study.limits,
        training=dataclasses.replace(study.training, epochs=epochs),
        seeds=arguments.seeds,
        top=top,
        trials=trials,
        margin=arguments.margin,
        finalists=choose_finalists(every, study, top=top, trials=trials),
    )
