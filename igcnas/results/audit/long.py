"""One long training of a network of a study: as the search trained it, with more epochs and another seed.

Same data, split, recipe and judgement (igcnas/search/worker/trainer.py). The seeds are none that a search uses, so
that the short training is never a part of the truth that it is held against.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from igcnas.errors import CaptureError, TrainingError
from igcnas.network.architecture import Architecture
from igcnas.network.plan import plan
from igcnas.results.audit.folder import Training, checkpoint_path, write_training
from igcnas.training.device import describe
from igcnas.training.engine import Engine, EpochReport
from igcnas.training.recipes import short_recipe
from igcnas.training.settings import TrainingSettings
from igcnas.training.settling import settled_accuracy
from igcnas.training.tensors import TrainingData

FIRST_REPEAT = 1000  # repeats of a search are counted from 0
_CHECKPOINT_SECONDS = 15.0


def train_long(
    architecture: Architecture,
    data: TrainingData,
    settings: TrainingSettings,
    folder: Path,
    *,
    number: int,
    seed: int,
    on_start: Callable[[int], None] = lambda _epochs: None,
    on_epoch: Callable[[EpochReport], None] = lambda _report: None,
    stop: Callable[[], bool] = lambda: False,
    note: Callable[[str], None] = lambda _text: None,
) -> Training:
    """Train the network with the seed-th of the audit's seeds, or go on from its checkpoint; write the result.

    on_start hears how many epochs an earlier run has done. On a CPU the result is the same to the bit however often it
    was killed. A training that diverges or finds no memory is a result, too. Raises Stopped, with the checkpoint
    written, after `stop`. note: told where a checkpoint cannot be taken up, and the training begins again.
    """
    network = plan(architecture)

    def result(
        *, val_accuracy: float | None = None, failed: str | None = None, engine: Engine | None = None
    ) -> Training:
        training = Training(
            number=number,
            seed=seed,
            architecture_id=architecture.id,
            epochs=settings.epochs,
            val_accuracy=val_accuracy,
            failed=failed,
            seconds=0.0 if engine is None else round(engine.seconds, 3),
            device=describe(data.mean.device),
            curve=[] if engine is None else [report.val_accuracy for report in engine.curve],
        )
        write_training(folder, training)
        return training

    try:
        engine = Engine(
            network,
            data,
            short_recipe(settings),
            seed=settings.network_seed(architecture.id, FIRST_REPEAT + seed),
            checkpoint=checkpoint_path(folder, number, seed),
            checkpoint_seconds=_CHECKPOINT_SECONDS,
            stop=stop,
            engine=settings.engine,
        )
        engine.load(note)
    except torch.OutOfMemoryError as error:
        return result(failed=f"out of memory: {str(error).splitlines()[0]}")
    on_start(len(engine.curve))
    try:
        engine.run(on_epoch)
    except CaptureError:
        raise  # the same command trains it step by step (igcnas/system/again.py)
    except TrainingError as error:
        return result(failed=str(error))
    val_accuracy = settled_accuracy(network, engine.network, data, engine.curve[-1].val_accuracy)
    return result(val_accuracy=val_accuracy, engine=engine)
