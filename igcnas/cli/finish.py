"""igcnas finish: the best network of a study trained to the end on all data, tested once, and handed over."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from igcnas.cli.campaign import add_workers, begin, campaign_folder, network_line, train, writing_alone
from igcnas.cli.common import add_study_argument, command_line, is_file, study_folder
from igcnas.cli.output import add_output_arguments, begin_result, tell
from igcnas.cli.ray_options import asked_ray, ray_words
from igcnas.cli.search_options import asked_workers
from igcnas.errors import IgcnasError
from igcnas.results.finishing.plan import FILE, FINAL, FOLDER
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.cli.common import Stop
    from igcnas.results.finishing.plan import FinishSettings
    from igcnas.results.finishing.testing import Finished
    from igcnas.results.finishing.training import FinalResult
    from igcnas.search.campaign import Campaign
    from igcnas.search.study import Study

EPILOG = """Run the same command again and it goes on where it stopped.

examples:
  %(prog)s digits-all-0.2M
  %(prog)s mine --trial 12 --epochs 300 --seeds 3
  %(prog)s mine --front 3
  %(prog)s mine --teacher 4x
"""
_UNREAD = "the finish goes on, into the folder of the study"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "finish",
        help="train the best network to the end on all data, test it once, and hand it over",
        description="Trains the network that a study puts first, or others of it, long, on training and validation "
        "images together; reads the test split once, at the end; and writes final/ in the folder of the study, with "
        "all that an export has, and what was gained over the training of the search. Several networks go to "
        "final-NUMBER/. Other settings are another finish: final/ stays that of the first, and they go to "
        "final-FINISH/.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_study_argument(parser)
    add = parser.add_argument
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--trial", action="append", type=int, metavar="N", help="this network instead of the best; several times"
    )
    chosen.add_argument(
        "--front", type=int, metavar="K", help="K networks of the front: the most accurate, and others along it"
    )
    add("--epochs", type=int, metavar="N", help="epochs (default: 150; 100 from 10,000 images on)")
    add(
        "--recipe",
        metavar="NAME",
        help="a name of igcnas recipes, or a FILE.json of your own (default: that of the study, longer)",
    )
    add(
        "--seeds",
        type=int,
        default=1,
        metavar="N",
        help="trainings of each network; the first is handed over, the others tell the spread (default: %(default)s)",
    )
    add(
        "--teacher",
        default="usual",
        metavar="WHO",
        help="whose answers a network learns beside the labels: none; auto, the most accurate network of the study "
        "that costs more; the number of one; 4x, the same network at four times the multiply-accumulates, trained "
        "first; or usual, which is 4x from 10,000 images on where the recipe is that of the study, else none, and "
        "where a finish goes on as it was begun (default: %(default)s)",
    )
    add("--name", metavar="NAME", help=f"folder of the trainings, in that of the study (default: {FOLDER}EPOCHS)")
    add("--device", default="auto", metavar="NAME", help="auto (CUDA, else CPU), cpu, cuda or cuda:N (default: auto)")
    add_workers(parser)
    add_output_arguments(parser)
    add("--json", action="store_true", help="print the result as one JSON object, and progress to stderr")
    parser.set_defaults(run=run, unread=_UNREAD)


def run(arguments: argparse.Namespace) -> int:
    """Print what came out."""
    status, found = finished(arguments)
    if found is not None and arguments.json:
        begin_result()
        print(json.dumps(found))
    return status


def finished(arguments: argparse.Namespace) -> tuple[int, dict[str, Any] | None]:
    """Choose, train, test, hand over; the exit status, and what came out, None where it was stopped."""
    from igcnas.results.finishing.teacher import USUAL, check_teacher

    asked_workers(arguments)
    asked_ray(arguments)
    check_teacher(arguments.teacher)
    for name in ("front", "epochs", "seeds"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise IgcnasError(f"--{name} {value} must be 1 or more")
    from igcnas.results.finishing.choosing import chosen
    from igcnas.results.finishing.plan import FinishSettings
    from igcnas.search.study import Study
    from igcnas.training.device import resolve_device

    study = Study.read(study_folder(arguments))
    if arguments.ray is None:
        resolve_device(arguments.device)
    options = {name: getattr(arguments, name) for name in ("front", "epochs", "recipe", "seeds", "teacher")}
    settings = chosen(study, trials=arguments.trial, **options)
    from igcnas.data.examination import examine

    training = study.settings.training
    examine(study.data, fraction=training.validation_fraction, seed=training.seed)
    folder = campaign_folder(study.folder, arguments.name, usual=f"{FOLDER}{settings.recipe.epochs}", file=FILE)
    if arguments.teacher == USUAL and is_file(folder / FILE):  # perhaps of a version that meant another by it
        begun = FinishSettings.read(folder)
        if begun.taught != settings.taught:
            settings = chosen(study, trials=arguments.trial, **options | {"teacher": begun.taught})
    return _finish(arguments, study, folder, settings)


def after_search(arguments: argparse.Namespace, study: Study) -> tuple[int, dict[str, Any] | None]:
    """What `igcnas search --finish` does at its end: the leader, as `igcnas finish` does without options."""
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    words = ["finish", str(study.folder), "--device", arguments.device, "--workers", str(arguments.workers)]
    words += [*ray_words(arguments), *(["--json"] if arguments.json else [])]
    return finished(parser.parse_args(words))


def _finish(
    arguments: argparse.Namespace, study: Study, folder: Path, settings: FinishSettings
) -> tuple[int, dict[str, Any] | None]:
    """The exit status, and what came out, which is printed here but for --json."""
    from igcnas.cli.common import Stop
    from igcnas.results.finishing import table
    from igcnas.results.finishing.plan import guard
    from igcnas.search.evaluation import Interrupted

    output = sys.stderr if arguments.json else sys.stdout
    with writing_alone(folder), Stop() as stop:
        asked, settings = settings, guard(folder, settings)
        _announce(output, study, folder, settings, moved=asked.members != settings.members)
        try:
            results = _trained(arguments, study, folder, settings, stop, output)
        except Interrupted:
            begin_result()
            print(f"stopped; nothing is lost. To go on:\n  {command_line()}", file=output)
            return stop.status, None
        try:
            with stop.at_once():
                found = _handed_over(study, folder, settings, results, output)
        except KeyboardInterrupt:
            begin_result()
            print(f"stopped; every training is done. To test and export:\n  {command_line()}", file=output)
            return stop.status, None
    if not arguments.json:
        begin_result()
    places = _say(output, study, folder, settings, found)
    return 0, table.plain(found, settings, places)


def _say(output: TextIO, study: Study, folder: Path, settings: FinishSettings, found: Sequence[Finished]) -> list[Path]:
    """The result, where it lies, and what it is for; the folders of the exports."""
    from igcnas.cli.data_lines import balance_lines
    from igcnas.results.finishing import table
    from igcnas.results.finishing.handover import kept_of_another, place

    tell(output, table.text(found, settings))
    data = study.settings.data
    for line in table.balance_line(found, data.classes) if found[0].class_images else balance_lines(data):
        tell(output, line)
    places = [place(study, folder, settings, member) for member in settings.asked]
    for member, tested, where in zip(settings.asked, found, places, strict=True):
        tell(output, f"wrote     {where} (card.md tells how it was made, and how well it answers)")
        kept = kept_of_another(study, folder, settings, member)
        if kept is not None:
            there = "" if kept.accuracy is None else f" ({kept.accuracy:.2f} % of the test images)"
            owner = f"of {kept.finish}/" if kept.finish else "what it was"
            tell(
                output,
                f"note      {kept.folder.name}/ stays {owner}{there}; this finish ({tested.plain_accuracies[0]:.2f} %) "
                f"is used by: igcnas predict {shlex.quote(str(where))} PICTURE",
            )
    first, usual = shlex.quote(str(places[0])), shlex.quote(str(study.folder))
    used = usual if places[0] == study.folder / FINAL else first
    tell(output, f"next      igcnas predict {used} PICTURE tells what it sees on a picture")
    tell(output, f"          igcnas evaluate {used} shows which classes it confuses, on the test images")
    tell(output, f"          igcnas report {usual} puts all of this on one page")
    return places


def _announce(output: TextIO, study: Study, folder: Path, settings: FinishSettings, *, moved: bool) -> None:
    """What is about to happen."""
    from igcnas.results.finishing.teacher import NONE

    tell(output, f"folder    {folder}; Ctrl-C stops, the same command goes on")
    if moved:
        tell(output, "note      the study has gone on since; the networks stay those chosen at the start")
    for one in settings.members:
        teacher = settings.member(one.teacher).title if one.teacher else ""
        role = f", taught by {teacher}" if teacher else "" if one.asked else ", to teach"
        words = one.architecture.title()
        tell(output, network_line(one.title, one.architecture, one.val_accuracy, words=words, role=role))
    if settings.taught != NONE:
        tell(
            output,
            "note      to teach takes longer than to learn; --teacher none leaves it out, with a --name of its own",
        )
    tell(output, f"recipe    {settings.recipe_words} (the search: {study.settings.training.epochs})")
    tell(
        output,
        f"plan      {counted(settings.seeds, 'seed')}, on training and validation images; the test split is read once, "
        "at the end",
    )


def _trained(
    arguments: argparse.Namespace,
    study: Study,
    folder: Path,
    settings: FinishSettings,
    stop: Stop,
    output: TextIO,
) -> dict[str, list[FinalResult]]:
    """The trainings of each member, by its name: those whom nobody teaches first."""
    from igcnas.results.finishing.training import check_teachers, taught, untaught

    results: dict[str, list[FinalResult]] = {}
    for make in (untaught, taught):
        notes: list[str] = []
        campaign = make(folder, settings, note=notes.append)
        if not campaign.trainings:
            continue
        for one in _run(arguments, study, folder, settings, campaign, notes, stop=stop, output=output):
            results.setdefault(one.member, []).append(one)
        check_teachers(settings, results)
    return results


def _run(
    arguments: argparse.Namespace,
    study: Study,
    folder: Path,
    settings: FinishSettings,
    campaign: Campaign[FinalResult],
    notes: list[str],
    *,
    stop: Stop,
    output: TextIO,
) -> list[FinalResult]:
    from igcnas.search.worker import WorkerSetup

    short, recipe = study.settings.training, settings.recipe
    progress, slots = begin(
        arguments,
        campaign,
        notes,
        study=study.settings,
        records=study.records,
        training=dataclasses.replace(short, epochs=recipe.epochs, batch_size=recipe.batch_size),
        images=len(study.data.train.labels),
        output=output,
    )
    if slots:
        progress.note(f"time      about {progress.left()}, from the times of the study")
    setup = WorkerSetup(data=study.settings.data, training=short, device=arguments.device, images="all")
    return train(campaign, setup, slots, stop=stop, progress=progress, run_folder=folder, ray=asked_ray(arguments))


def _handed_over(
    study: Study, folder: Path, settings: FinishSettings, results: dict[str, list[FinalResult]], output: TextIO
) -> list[Finished]:
    from igcnas.results.finishing.handover import hand_over, is_there
    from igcnas.results.finishing.testing import FILE as TEST
    from igcnas.results.finishing.testing import measured, read_finished

    if read_finished(folder) is None:
        tell(output, "test      reading the test split, once")
    else:
        tell(output, f"test      read before: {folder / TEST}")
    found = measured(study, folder, settings, results)
    for member, one in zip(settings.asked, found, strict=True):
        if not is_there(study, folder, settings, member):
            hand_over(study, folder, settings, member, results=results[member.name], tested=one)
    return found
