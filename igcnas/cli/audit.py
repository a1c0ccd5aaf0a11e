"""igcnas audit: does the short training of a study rank its networks rightly?"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from igcnas.cli.campaign import add_workers, slots_of, train
from igcnas.cli.common import add_study_argument, command_line, mega, study_folder
from igcnas.cli.output import add_output_arguments, begin_result
from igcnas.cli.ray_options import asked_ray
from igcnas.cli.search_options import asked_workers
from igcnas.errors import IgcnasError, StudyError
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.cli.common import Stop
    from igcnas.cli.progress.campaign import CampaignProgress
    from igcnas.data.dataset import Dataset
    from igcnas.results.audit.folder import AuditSettings, LongResult, Sample
    from igcnas.results.audit.rows import Row
    from igcnas.search.records import TrialRecord
    from igcnas.search.settings import StudySettings

_LONGER = 10  # times the epochs of the study
EPILOG = """Run the same command again and it goes on where it stopped; with more --seeds it trains those that are new.

examples:
  %(prog)s digits-0.2M
  %(prog)s digits-0.2M --networks 40 --seeds 3 --epochs 100
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "audit",
        help="tell whether the short training of a study ranks its networks rightly",
        description="Trains a sample of the networks of a study long, with several seeds, and compares the order with "
        "that of the short training: Kendall's tau-b and Spearman's rho with intervals, over all and at equal cost, "
        "beside what seed noise allows and beside MACs, parameters and zero-cost scores. Writes audit.md, audit.csv, "
        "audit.png and audit.svg.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_study_argument(parser)
    add = parser.add_argument
    add("--networks", type=int, default=20, metavar="N", help="size of the sample (default: %(default)s)")
    add("--epochs", type=int, metavar="N", help=f"of a long training (default: {_LONGER} times those of the study)")
    add("--seeds", type=int, default=2, metavar="N", help="long trainings of each network (default: %(default)s)")
    add(
        "--bands",
        type=int,
        default=3,
        metavar="N",
        help="bands of MACs to sample and compare in (default: %(default)s)",
    )
    add("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    add_workers(parser)
    add("--out", type=Path, metavar="DIR", help="folder of this audit (default: audit-EPOCHS in that of the study)")
    add("--json", action="store_true", help="print the result as one JSON object, and progress to stderr")
    add_output_arguments(parser)
    parser.set_defaults(run=run, unread="the audit goes on, into its folder")


def run(arguments: argparse.Namespace) -> int:
    """Train; compare; write; print."""
    for name in ("networks", "seeds", "bands", "epochs"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            raise IgcnasError(f"--{name} {value} must be at least 1")
    asked_workers(arguments)
    asked_ray(arguments)
    from igcnas.results.audit.rows import first_trainings
    from igcnas.search.folder import open_study
    from igcnas.search.records import records
    from igcnas.search.settings import StudySettings

    study = study_folder(arguments)
    settings = StudySettings.read(study)
    every = records(open_study(study))
    from igcnas.cli.common import Stop
    from igcnas.results.audit.folder import AuditSettings, open_folder
    from igcnas.search.evaluation import Interrupted
    from igcnas.search.storage import lock_study
    from igcnas.system.files import going_on, make_folder
    from igcnas.training.device import resolve_device

    epochs = _LONGER * settings.training.epochs if arguments.epochs is None else arguments.epochs
    if epochs <= settings.training.epochs:
        raise IgcnasError(
            f"--epochs {epochs} is not longer than the {counted(settings.training.epochs, 'epoch')} of the study; "
            f"give more"
        )
    wanted = AuditSettings(
        networks=arguments.networks,
        bands=arguments.bands,
        training=dataclasses.replace(settings.training, epochs=epochs),
        data_fingerprint=settings.data.fingerprint,
        short_epochs=settings.training.epochs,
    )
    folder = arguments.out or study / f"audit-{epochs}"
    output = sys.stderr if arguments.json else sys.stdout
    make_folder(folder, advice="give another --out")
    with going_on(), lock_study(folder, other="give another --out"), Stop() as stop:
        sample = open_folder(folder, wanted, first_trainings(every))
        resolve_device(arguments.device)
        dataset = settings.data.load_same(study.name)
        try:
            trainings = _train(arguments, folder, wanted, sample, every, settings, output, stop)
        except Interrupted:
            begin_result()
            print(f"stopped; nothing is lost. To go on:\n  {command_line()}", file=output)
            return stop.status
        begin_result()
        try:
            with stop.at_once():
                return _finish(arguments, folder, wanted, sample, every, dataset, trainings, settings)
        except KeyboardInterrupt:
            print(
                f"stopped; the trainings are done, what is left is their comparison:\n  {command_line()}", file=output
            )
            return stop.status


def _train(
    arguments: argparse.Namespace,
    folder: Path,
    wanted: AuditSettings,
    sample: Sample,
    every: list[TrialRecord],
    settings: StudySettings,
    output: TextIO,
    stop: Stop,
) -> list[LongResult]:
    from igcnas.cli.progress.campaign import CampaignProgress
    from igcnas.results.audit.long import long_trainings
    from igcnas.search.worker import WorkerSetup

    def note(text: str) -> None:
        print(f"note      {text}", file=output)

    networks = {record.number: record for record in every}
    campaign = long_trainings(folder, sample, networks, wanted.training, seeds=arguments.seeds, note=note)
    missing = campaign.missing()
    longer = wanted.training.epochs / wanted.short_epochs
    seconds = {record.architecture.id: longer * (record.seconds or 0.0) for record in reversed(every)}
    expected = {one.stem: seconds[one.architecture.id] for one in missing}
    slots = slots_of(arguments, missing, wanted.training)
    progress = CampaignProgress(output, campaign, expected, workers=len(slots))
    _announce(progress, sample, arguments.seeds, wanted, folder)
    setup = WorkerSetup(data=settings.data, training=wanted.training, device=arguments.device)
    return train(campaign, setup, slots, stop=stop, progress=progress, run_folder=folder, ray=asked_ray(arguments))


def _announce(progress: CampaignProgress, sample: Sample, seeds: int, wanted: AuditSettings, folder: Path) -> None:
    """What is about to happen."""
    bands = ", ".join(
        f"{sum(m.band == band for m in sample.members)} of {mega(low)} to {mega(high)} MFLOPs"
        for band, (low, high) in enumerate(sample.limits)
    )
    progress.note(f"sample    {counted(len(sample.members), 'network')}: {bands}")
    there = f" ({progress.done} are there)" if progress.done else ""
    progress.note(
        f"plan      {counted(progress.total, 'training')} of {counted(wanted.training.epochs, 'epoch')}: "
        f"{counted(seeds, 'seed')}{there}"
    )
    if progress.done < progress.total:
        progress.note(
            f"time      about {progress.left()}, if this machine is as fast as that of the search; Ctrl-C stops, the "
            "same command goes on"
        )
    progress.note(f"folder    {folder}")


def _finish(
    arguments: argparse.Namespace,
    folder: Path,
    wanted: AuditSettings,
    sample: Sample,
    every: list[TrialRecord],
    dataset: Dataset,
    trainings: list[LongResult],
    settings: StudySettings,
) -> int:
    from igcnas.results.audit.figure import save_audit
    from igcnas.results.audit.result import compute
    from igcnas.results.audit.rows import rows
    from igcnas.results.audit.scores import all_scores, score_batch
    from igcnas.results.audit.table import Title, as_json, networks, page
    from igcnas.results.audit.verdict import verdict
    from igcnas.system.files import write_text
    from igcnas.training.device import prepare_device, resolve_device
    from igcnas.training.tensors import TrainingData

    device = resolve_device(arguments.device)
    _, height, width = settings.data.input_shape
    prepare_device(device, height * width)
    data = TrainingData.of(dataset, settings.training, device)
    batch = score_batch(data, settings.training.seed)
    architectures = {record.number: record.architecture for record in every}
    scores = {
        number: all_scores(found, batch, seed=settings.training.network_seed(found.id))
        for number in (member.number for member in sample.members)
        for found in [architectures[number]]
    }
    found, left_out = rows(sample, every, trainings, scores)
    _enough(found, left_out)
    result = compute(found, sample.limits, seed=settings.training.seed)
    title = Title(
        study=study_folder(arguments).resolve().name,
        data=settings.data.name,
        short_epochs=wanted.short_epochs,
        long_epochs=wanted.training.epochs,
        validation_images=settings.data.validation_images,
        device=", ".join(sorted({t.device for t in trainings})),
        seconds=sum(t.seconds for t in trainings),
        command=command_line(),
    )
    if arguments.json:
        print(json.dumps(as_json(result, title, left_out, folder)))
    else:
        print(verdict(result)[1])
        for line in left_out:
            print(f"left out  {line}")
    write_text(folder / "audit.csv", networks(result).csv())
    write_text(folder / "audit.md", page(result, title, left_out))
    save_audit(folder / "audit.png", result, title)
    if not arguments.json:
        for name in ("audit.md", "audit.csv", "audit.png", "audit.svg"):
            print(f"wrote     {folder / name}")
    return 0


def _enough(found: list[Row], left_out: list[str]) -> None:
    if len(found) < 3:
        reason = f" ({left_out[0]})" if left_out else ""
        raise StudyError(
            f"only {counted(len(found), 'network')} of the sample have long trainings{reason}; an order needs 3"
        )
