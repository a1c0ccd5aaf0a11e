"""What the commands share that train a campaign: --workers, and the workers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from igcnas.cli.engine import before_training
from igcnas.cli.search_options import asked_workers
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.cli.common import Stop
    from igcnas.cli.progress.campaign import CampaignProgress
    from igcnas.search.campaign import Campaign, Training
    from igcnas.search.evaluation import Slot
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


def slots_of(arguments: argparse.Namespace, missing: Sequence[Training[Any]], training: TrainingSettings) -> list[Slot]:
    """Where the workers run that train what is missing, as `--workers` and `--device` say."""
    from igcnas.network.cost import count
    from igcnas.search.evaluation import slots_for
    from igcnas.training.device import resolve_device, usual_threads

    asked, device = asked_workers(arguments), resolve_device(arguments.device)
    if not missing:
        return []
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


def train(
    campaign: Campaign[Result],
    setup: WorkerSetup,
    slots: Sequence[Slot],
    *,
    stop: Stop,
    progress: CampaignProgress,
    run_folder: Path | None = None,
) -> list[Result]:
    """Train what is missing; the results of all. Raises Interrupted after `stop`.

    slots: of `slots_of`. setup: of the workers, but for what is captured. run_folder: where the run is recorded.
    """
    from igcnas.cli.common import recorded
    from igcnas.search.evaluation import ProcessEvaluator
    from igcnas.search.evaluation.mps import Mps

    engine, devices = setup.training.engine, [slot.device for slot in slots]
    with ExitStack() as stack:
        if slots:
            at_once, where = counted(len(slots), "training"), ", ".join(dict.fromkeys(devices))
            progress.note(f"workers   {at_once} at once on {where}")
            output, kind = progress.display.output, devices[0].partition(":")[0]
            capture = before_training(engine, asked=setup.device, device=kind, devices=devices, output=output)
            setup = replace(setup, capture=capture)
            if run_folder is not None:
                stack.enter_context(recorded(run_folder, devices=devices, workers=len(slots), engine=engine))
        mps = stack.enter_context(Mps(progress.note))  # the workers end before what they share their GPUs by
        workers = stack.enter_context(
            ProcessEvaluator(
                setup,
                slots=slots,
                stop=stop,
                stop_seconds=_STOP_SECONDS,
                epoch_deadline=_EPOCH_SECONDS,
                note=progress.note,
            )
        )
        workers.keep(mps.share(slots))
        stack.enter_context(progress)
        return campaign.run(workers, progress)
