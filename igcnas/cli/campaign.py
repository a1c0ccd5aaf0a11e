"""What the commands share that train a campaign: --workers, and the workers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from igcnas.cli.search_options import asked_workers
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.cli.common import Stop
    from igcnas.cli.progress.campaign import CampaignProgress
    from igcnas.search.campaign import Training
    from igcnas.search.evaluation import ProcessEvaluator, Slot
    from igcnas.search.worker import WorkerSetup
    from igcnas.training.settings import TrainingSettings

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


def workers_line(slots: Sequence[Slot]) -> str:
    """How many there are, for the plan of a command."""
    return f"workers   {counted(len(slots), 'training')} at once on {', '.join(sorted({s.device for s in slots}))}"


@contextmanager
def working(
    setup: WorkerSetup, slots: Sequence[Slot], *, stop: Stop, progress: CampaignProgress
) -> Iterator[ProcessEvaluator]:
    """The workers, and the progress of what they do. After `stop` whoever waits for them gets Interrupted."""
    from igcnas.search.evaluation import ProcessEvaluator
    from igcnas.search.evaluation.mps import Mps

    # The workers end before what they share their GPUs by.
    with (
        Mps(progress.note) as mps,
        ProcessEvaluator(
            setup,
            slots=slots,
            stop=stop,
            stop_seconds=_STOP_SECONDS,
            epoch_deadline=_EPOCH_SECONDS,
            note=progress.note,
        ) as evaluator,
    ):
        evaluator.keep(mps.share(slots))
        with progress:
            yield evaluator
