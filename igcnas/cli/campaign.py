"""What the commands share that train a campaign: --workers, and the workers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from igcnas.cli.common import is_file, mega
from igcnas.cli.engine import before_training
from igcnas.cli.ray_options import add_ray
from igcnas.cli.ray_workers import before_training_elsewhere, connected, elsewhere
from igcnas.cli.search_options import asked_workers
from igcnas.system.names import new_name, stays_inside
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.cli.common import Stop
    from igcnas.cli.progress.campaign import CampaignProgress
    from igcnas.network.architecture import Architecture
    from igcnas.search.campaign import Campaign, Training
    from igcnas.search.cluster import RaySettings
    from igcnas.search.evaluation import ProcessEvaluator, Slot
    from igcnas.search.records import TrialRecord
    from igcnas.search.settings import StudySettings
    from igcnas.search.worker import WorkerSetup
    from igcnas.training.settings import TrainingSettings

Result = TypeVar("Result")

# A step must end before a checkpoint can be written; a second Ctrl-C does not wait.
_STOP_SECONDS = 30.0
# Of silence, after which a worker counts as hung: an epoch of a long training on many images may take hours on a CPU.
_EPOCH_SECONDS = 6 * 3600.0


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Define the option."""
    parser.add_argument(
        "--workers",
        default="auto",
        metavar="N",
        help="trainings at once, each in a process of its own, with the same results; auto: on a CPU one a core, on "
        "CUDA 1 to 8 a GPU, as many as there is memory for; 1 where eager steps use several threads of a CPU, with "
        "which their rounding changes (default: auto)",
    )
    add_ray(parser)


def slots_of(arguments: argparse.Namespace, missing: Sequence[Training[Any]], training: TrainingSettings) -> list[Slot]:
    """Where the workers run that train what is missing, as `--workers` and `--device` say."""
    from igcnas.network.cost import count
    from igcnas.search.evaluation import Slot, slots_for
    from igcnas.training.device import resolve_device, usual_threads

    asked = asked_workers(arguments)
    if not missing:
        return []
    if arguments.ray is not None:  # as many as will be wanted; the cluster says how many there are
        return [Slot(device="ray")] * (len(missing) if asked == "auto" else min(int(asked), len(missing)))
    device = resolve_device(arguments.device)
    networks = {one.architecture.id: one.architecture for one in missing}.values()
    _, height, width = next(iter(networks)).input_shape
    if asked == "auto" and device.type == "cpu" and training.engine == "eager" and usual_threads(height * width) > 1:
        asked = 1  # the same to the bit as ever: workers beside each other have one thread each
    return slots_for(
        asked,
        device=arguments.device,
        macs=max(count(network).macs for network in networks),
        batch_size=training.batch_size,
        networks=len(missing),
        listed=True,
    )


def begin(
    arguments: argparse.Namespace,
    campaign: Campaign[Result],
    notes: Sequence[str],
    *,
    study: StudySettings,
    records: Sequence[TrialRecord],
    training: TrainingSettings,
    images: int,
    output: TextIO,
) -> tuple[CampaignProgress, list[Slot]]:
    """The progress of a campaign on all images of a study, and where its workers run: nowhere if all is done.

    Args:
        arguments: with `--workers` and `--device`.
        campaign: what is trained.
        notes: what it says of damaged results; they are told first.
        study: whose times tell how long it takes.
        records: of the study.
        training: how each network is trained.
        images: of training and validation together.
        output: where progress is told.
    """
    from igcnas.cli.progress.campaign import CampaignProgress
    from igcnas.search.campaign import expected_seconds
    from igcnas.search.records import trained

    missing = campaign.missing()
    factor = training.epochs / study.training.epochs * images / (images - study.data.validation_images)
    known = {one.architecture.id: one.seconds for one in trained(records) if one.seconds is not None}
    slots = slots_of(arguments, missing, training)
    expected = expected_seconds(missing, known, factor=factor)
    progress = CampaignProgress(output, campaign, expected, workers=max(1, len(slots)))
    for text in notes:
        progress.note(text)
    return progress, slots


def campaign_folder(study: Path, name: str | None, *, usual: str, file: str) -> Path:
    """The folder of a campaign in that of its study, made if it is new; a strange name that one has already opens.

    name: as `--name` gives it, None for the `usual` one. file: that every such folder holds.
    """
    from igcnas.system.files import make_folder

    if name is None or (stays_inside(name) and is_file(study / name / file)):
        folder = study / (name or usual)
    else:
        folder = study / new_name(name, option="--name", elsewhere="it becomes a folder in that of the study")
    make_folder(folder, advice="give another --name")
    return folder


@contextmanager
def writing_alone(folder: Path) -> Iterator[None]:
    """While this command trains into the folder, no other does."""
    from igcnas.search.storage import lock_study
    from igcnas.system.files import going_on

    with going_on(), lock_study(folder, other="wait for it, or start another with --name NAME"):
        yield


def network_line(
    name: str, architecture: Architecture, val_accuracy: float | None, *, words: str, role: str = ""
) -> str:
    """What is trained, what it costs, and what it came to in the search (in percent). words: of the architecture."""
    from igcnas.network.cost import count

    found = "" if val_accuracy is None else f", {val_accuracy:.2f} % in the search"
    return f"network   {name}: {mega(count(architecture).macs)} MFLOPs{found}{role}; {words}"


def train(
    campaign: Campaign[Result],
    setup: WorkerSetup,
    slots: Sequence[Slot],
    *,
    stop: Stop,
    progress: CampaignProgress,
    run_folder: Path | None = None,
    ray: RaySettings | None = None,
) -> list[Result]:
    """Train what is missing; the results of all. Raises Interrupted after `stop`.

    slots: of `slots_of`. ray: on which cluster, with so many workers as there are slots; None for this machine.
    setup: of the workers, but for what is captured. run_folder: where the run is recorded.
    """
    from igcnas.cli.common import recorded
    from igcnas.search.evaluation import ProcessEvaluator
    from igcnas.search.evaluation.mps import Mps

    engine, devices = setup.training.engine, [slot.device for slot in slots]
    how: dict[str, Any] = {"stop": stop, "stop_seconds": _STOP_SECONDS, "epoch_deadline": _EPOCH_SECONDS}
    with ExitStack() as stack:
        workers: ProcessEvaluator
        cluster = stack.enter_context(connected(ray if slots else None))
        if cluster is not None:
            capture = before_training_elsewhere(
                engine, cluster, setup.device, stop.at_once, output=progress.display.output
            )
            setup = replace(setup, capture=capture)
            workers = elsewhere(cluster, setup, most=len(slots), **how, note=progress.note)
            stack.enter_context(workers)
            workers.start()
            progress.note(
                f"workers   {counted(workers.slots, 'training')} at once on {', '.join(sorted(workers.devices))}"
            )
            if run_folder is not None:
                found = sorted(workers.devices)
                run = recorded(run_folder, devices=[], workers=workers.slots, engine=engine, elsewhere=found)
                stack.enter_context(run)
            stack.enter_context(progress)
            return campaign.run(workers, progress)
        if slots:
            at_once, where = counted(len(slots), "training"), ", ".join(dict.fromkeys(devices))
            progress.note(f"workers   {at_once} at once on {where}")
            output, kind = progress.display.output, devices[0].partition(":")[0]
            capture = before_training(
                engine, asked=setup.device, device=kind, devices=devices, output=output, at_once=stop.at_once
            )
            setup = replace(setup, capture=capture)
            if run_folder is not None:
                stack.enter_context(recorded(run_folder, devices=devices, workers=len(slots), engine=engine))
        mps = stack.enter_context(Mps(progress.note))  # the workers end before what they share their GPUs by
        workers = stack.enter_context(ProcessEvaluator(setup, slots=slots, **how, note=progress.note))
        workers.keep(mps.share(slots))
        stack.enter_context(progress)
        return campaign.run(workers, progress)
