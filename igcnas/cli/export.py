"""igcnas export: one network of a study in files that other programs open."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.cli.common import add_study_argument, mega, study_folder
from igcnas.errors import StudyError
from igcnas.network.exported import exported_in
from igcnas.system.files import restore_folder
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.data.dataset import Dataset
    from igcnas.search.records import TrialRecord
    from igcnas.search.study import StudySettings


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "export",
        help="write the best network of a study as ONNX, safetensors, model.py, JSON and a card",
        description="Writes best/ (or trials/NUMBER/export/) in the folder of the study, checks that torch, ONNX "
        "Runtime and model.py agree, and reads the test split once.",
    )
    add_study_argument(parser)
    parser.add_argument("--trial", type=int, metavar="NUMBER", help="this network instead of the best (see trials.csv)")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NAME",
        help="one more form of the network, which an installed package adds (igcnas doctor lists them); several times "
        "for several",
    )
    parser.set_defaults(run=run, unread="the export goes on")


def run(arguments: argparse.Namespace) -> int:
    """Export; print where to."""
    print(f"wrote     {write(study_folder(arguments), arguments.trial, also=arguments.also)}")
    return 0


def write(folder: Path, number: int | None, *, also: Sequence[str] = ()) -> Path:
    """Export the best network, or the one of this number; the folder it went to. also: further forms by name."""
    from igcnas.data.examination import is_unbalanced, largest_class
    from igcnas.export.folder import export_network
    from igcnas.search.records import records, repeats, standard_error, trained
    from igcnas.search.study import StudySettings, open_study, trial_folder
    from igcnas.search.worker import check_weights
    from igcnas.training.runs.weights import read_state

    settings = StudySettings.read(folder)
    everything = records(open_study(folder))
    every = trained(everything)
    record: TrialRecord | None
    if number is None:
        record, target = _leader(everything, settings), folder / "best"
    else:  # of a network with repeats the first training is exported: all have one architecture
        first = {r.number: r.repeat_of for r in repeats(everything)}.get(number, number)
        record = next((r for r in every if r.number == first), None)
        target = trial_folder(folder, number if first is None else first) / "export"
    if record is None or record.val_accuracy is None:
        wanted = "no trained network" if number is None else f"no trained network of number {number}"
        raise StudyError(
            f"study {folder.name!r} holds {wanted}; run the search first, or see "
            f"igcnas status {shlex.quote(str(folder))}"
        )
    check_weights(trial_folder(folder, record.number), record.architecture)
    state = read_state(trial_folder(folder, record.number) / "weights.safetensors")
    dataset = settings.data.load_same(folder.name)
    mean, std = _statistics(settings, dataset)
    test = dataset.load_test()
    error = standard_error(record.val_accuracy, settings.data.validation_images)
    label, share = largest_class(test.labels)
    unbalanced = is_unbalanced(share, dataset.num_classes)
    always = f"answering {dataset.classes[label]!r} always would score {100 * share:.2f} % of the test images"
    report = export_network(
        folder=target,
        architecture=record.architecture,
        state=state,
        mean=mean,
        std=std,
        classes=dataset.classes,
        test=(test.images, test.labels),
        facts={
            "study": folder.name,
            "network": _chosen(record, every),
            "budget": f"{mega(settings.budget_macs)} MFLOPs",
            "data": settings.data.name,
            "validation accuracy": f"{record.val_accuracy:.2f} % +- {error:.2f} (one standard error, "
            f"{counted(settings.data.validation_images, 'image')}; chosen by it among "
            f"{counted(len(every), 'network')}, so it is optimistic)",
            "training": f"{counted(record.epochs, 'epoch')}, batch {settings.training.batch_size}, seed {record.seed}, "
            f"{record.seconds:.1f} s on {record.device}",
        }
        | ({"largest class": always} if unbalanced else {}),
        data={
            "name": settings.data.name,
            "fingerprint": settings.data.fingerprint,
            "streamed": False,
            "validation": settings.training.validation_fraction,
            "seed": settings.training.seed,
            "own_validation": settings.data.own_validation,
            "skip_bad": settings.data.skip_bad,
        },
        also=also,
    )
    for name, difference in report.parity.items():
        print(f"parity    {name}: largest relative difference {difference:.1e}")
    for name, accuracy in report.accuracies.items():
        print(f"test      {name}: {accuracy:.2f} % of {counted(len(test.labels), 'image')}")
    if unbalanced:
        print(f"balance   {always}")
    return target


def is_current(folder: Path) -> bool:
    """Whether best/ is the best network of all that the study holds: then the test split need not be read again."""
    from igcnas.search.records import records, trained
    from igcnas.search.study import StudySettings, open_study

    restore_folder(folder / "best")
    record = exported_in(folder / "best")
    if record is None:
        return False
    every = records(open_study(folder))
    champion = _leader(every, StudySettings.read(folder))
    return champion is not None and record.facts.get("network") == _chosen(champion, trained(every))


def _leader(every: list[TrialRecord], settings: StudySettings) -> TrialRecord | None:
    """The first training of the best network, all seeds considered."""
    from igcnas.search.repeating import standing

    leader = standing(every, budget_macs=settings.budget_macs, images=settings.data.validation_images)
    return None if leader is None else leader.first.record


def _chosen(record: TrialRecord, every: list[TrialRecord]) -> str:
    return f"number {record.number} of {len(every)} trained"


def _statistics(settings: StudySettings, dataset: Dataset) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, as the training normalised with."""
    import torch

    from igcnas.training.tensors import TrainingData

    data = TrainingData.of(dataset, settings.training, torch.device("cpu"))
    return data.mean.tolist(), data.std.tolist()
