"""A training by a recipe in a folder of its own.

runs/NAME/settings.json        what is trained, how, on what: guards a resume
          best.safetensors     weights of the epoch of the best validation accuracy, with the architecture inside
          last.safetensors     weights of the last epoch
          log.csv, curve.png, events.out.tfevents.*    the learning curve
          groups.csv           how learned groups changed, where that was asked for
          summary.json         the result, at the end
          checkpoint.pt        while it runs

The validation split steers `best`. The test split is read once, at the end. In a training on all images, train and
validation, nothing steers and the last weights are the result.

It is not a campaign of one (`igcnas.search.campaign`), because there a worker trains and a controller watches:
- several processes train one network together (torchrun starts them, and each calls `train_run`); a worker is alone;
- images may be streamed from disk by processes of their own; a worker has its data set on the device;
- at each epoch and checkpoint weights, table, picture and events are written from the network as it then is, and the
  bar shows steps; a worker tells epochs, and leaves its files at the end.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from igcnas.data.groups import portable
from igcnas.errors import StudyError, TrainingError
from igcnas.modules.build import build
from igcnas.modules.lowering import lower
from igcnas.network.cost import Cost, count, count_plan
from igcnas.network.plan import plan
from igcnas.statistics.noise import standard_error
from igcnas.system import bounds
from igcnas.system.files import remove, write_text
from igcnas.system.reading import as_kind, read_json
from igcnas.training.device import describe
from igcnas.training.distributed import World
from igcnas.training.engine import Engine
from igcnas.training.measuring import measure_gates
from igcnas.training.metrics import Scores, score
from igcnas.training.reports import EpochReport, StepReport
from igcnas.training.runs.curve import Events, value_of, write_picture, write_table
from igcnas.training.runs.data import RunData
from igcnas.training.runs.groups import GroupState, GroupWatch, totals
from igcnas.training.runs.settings import RunSettings
from igcnas.training.runs.weights import BEST, LAST, Checkpoint
from igcnas.training.settings import network_seed
from igcnas.units import counted

SUMMARY, CHECKPOINT = "summary.json", "checkpoint.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Who is told how a training goes; only in the first process."""

    on_start: Callable[[Engine], None] = lambda _engine: None
    on_epoch: Callable[[EpochReport], None] = lambda _report: None
    on_step: Callable[[StepReport], None] = lambda _report: None
    on_groups: Callable[[list[GroupState]], None] = lambda _states: None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Split:
    """Accuracies on a split, in percent."""

    images: bounds.Positive
    top1: bounds.Percent
    top1_standard_error: float
    top5: bounds.Percent | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What is said of a summary that is read back."""

    epochs: bounds.Epochs
    macs: bounds.Count
    params: bounds.Count
    measured_params: bounds.Count | None
    measured_macs: bounds.Count | None
    exceeds_expected: bool | None
    best_epoch: bounds.Epoch
    chosen_by: str
    validation: _Split | None
    test: _Split
    seconds: bounds.Seconds


def read_summary(folder: Path) -> dict[str, Any] | None:
    """The result of a finished training; None if it has not finished, or if its file cannot be read."""
    advice = "remove it"
    try:
        summary = read_json(folder / SUMMARY, dict[str, Any], advice=advice)
        as_kind(summary, _Told, where=SUMMARY, advice=advice)
    except StudyError:
        return None
    return summary


def train_run(
    settings: RunSettings,
    data: RunData,
    folder: Path,
    *,
    world: World,
    workers: int = 0,
    pretrained: Callable[[nn.Module], None] = lambda _network: None,
    checkpoint_seconds: float = 60.0,
    observer: Observer | None = None,
    stop: Callable[[], bool] = lambda: False,
    cut_off: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    follow_groups: str | None = None,
) -> dict[str, Any]:
    """Train, or go on; write all files; the summary. Every process calls it, with a folder that exists.

    cut_off: around the test, which loses nothing where it is cut off: the trained network is saved before.
    follow_groups: also write how learned groups change (igcnas/training/runs/groups.py); a part of the names of
    layers, which some must have.

    Raises Stopped after `stop`, TrainingError where the network diverges.
    """
    finished = world.share(read_summary(folder))
    if finished is not None:
        if world.first:
            remove(folder / CHECKPOINT)  # of a run that ended between the two
        return dict(finished)
    assert world.device is not None
    recipe, observer = settings.recipe, observer or Observer()
    source = data.source(
        world.device,
        fraction=settings.data.validation,
        seed=settings.data.seed,
        augmentation=recipe.augmentation,
        workers=workers,
    )
    engine = Engine(
        plan(settings.architecture),
        source,
        recipe,
        seed=network_seed(settings.seed, settings.architecture.id),
        checkpoint=folder / CHECKPOINT,
        checkpoint_seconds=checkpoint_seconds,
        world=world,
        pretrained=pretrained,
        detailed=True,
        keep_best=True,
        mixed=settings.precision == "auto",
        engine=settings.engine,
        stop=stop,
    )
    checkpoint = folder / CHECKPOINT
    if not engine.load() and world.share(checkpoint.exists() if world.first else None):
        # Not in silence: to begin again would write over the weights of all epochs so far.
        raise TrainingError(
            f"{checkpoint} is of another training, or of another version of igcnas; "
            "delete it to train from the first epoch again"
        )
    watch = None  # made by all, so that all of them learn that there is nothing to follow
    if follow_groups is not None:
        watch = GroupWatch(folder, engine.network, epochs=len(engine.curve), layer=follow_groups, writes=world.first)
    if not world.first:
        engine.run()
        engine.save()
        _test(engine, data)
        _measure(engine, data)
        return dict(world.share(None))
    files = _Files(settings, folder, engine)
    observer.on_start(engine)

    def on_epoch(report: EpochReport) -> None:
        files.on_epoch(report)
        observer.on_epoch(report)
        if watch is not None:
            states, news = watch.of(report.epoch)
            files.on_groups(report.epoch, states)
            if news:
                observer.on_groups(states)

    engine.run(on_epoch, observer.on_step, files.on_checkpoint)
    engine.save()
    with cut_off():
        test = _test(engine, data)
        _measure(engine, data)
        files.write_best()
    summary = _summary(settings, engine, test, len(data.classes))
    write_text(folder / SUMMARY, (json.dumps(summary, indent=2) + "\n"))
    remove(folder / CHECKPOINT)
    world.share(summary)
    return summary


def _test(engine: Engine, data: RunData) -> Scores:
    """The best network on the test split, all processes together."""
    assert engine.best_state is not None
    engine.network.load_state_dict(engine.best_state)
    engine.network.eval()
    batches = data.test_batches(engine.source, world=engine.world)
    return score(engine.network, batches, device=engine.device, world=engine.world)


def _measure(engine: Engine, data: RunData) -> None:
    """What each image used of the best network's gated layers goes into its weights, for lowering and export.

    On the validation images; without any, on the test images, whose labels play no part.
    """
    assert engine.best_state is not None
    source, world = engine.source, engine.world
    batches = source.validation_batches(world=world) if source.validates() else data.test_batches(source, world=world)
    images = (images.to(engine.device) for images, _ in batches)
    measure_gates(engine.plan, engine.network, images, total=world.total)
    engine.best_state = {name: t.detach().clone() for name, t in engine.network.state_dict().items()}


class _Files:
    """The files that a training writes while it runs."""

    def __init__(self, settings: RunSettings, folder: Path, engine: Engine) -> None:
        self.settings, self.folder, self.engine = settings, folder, engine
        self._told: list[EpochReport] = []
        self._events = Events(folder)
        self._drawn = 0

    def on_epoch(self, report: EpochReport) -> None:
        """One more line of the table and of the events."""
        self._told.append(report)
        write_table(self.folder, self._told)
        self._events.add(report)

    def on_groups(self, epoch: int, states: list[GroupState]) -> None:
        """How many changed, in the events."""
        self._events.add_groups(epoch, {what: moved for what, (moved, _) in totals(states).items()})

    def on_checkpoint(self) -> None:
        """Weights and picture: beside a checkpoint, so that all are of one moment."""
        engine = self.engine
        self._write(LAST, engine.network.state_dict(), len(engine.curve))
        if engine.best_state is not None:
            self.write_best()
        if len(engine.curve) > self._drawn:
            self._drawn = len(engine.curve)
            recipe = self.settings.recipe
            title = f"{self.settings.architecture.label()}\n{self.settings.data.name}, recipe {recipe.name}, "
            title += f"{counted(recipe.epochs, 'epoch')}, seed {self.settings.seed}"
            write_picture(self.folder, engine.curve, title=title, best_epoch=engine.best_epoch)

    def write_best(self) -> None:
        """The weights of the best epoch so far."""
        assert self.engine.best_state is not None
        self._write(BEST, self.engine.best_state, self.engine.best_epoch)

    def _write(self, name: str, state: dict[str, torch.Tensor], epoch: int) -> None:
        data, source = self.settings.data, self.engine.source
        checkpoint = Checkpoint(
            architecture=self.settings.architecture,
            state=state,
            mean=tuple(source.mean.tolist()),
            std=tuple(source.std.tolist()),
            classes=data.classes,
            epoch=epoch,
            epsilon=self.settings.recipe.norm.epsilon,
            data={
                "name": data.name,
                "fingerprint": data.fingerprint,
                "streamed": data.streamed,
                "validation": data.validation,
                "seed": data.seed,
                "own_validation": data.own_validation,
                "skip_bad": data.skip_bad,
                "groups": portable(data.groups),
                "crop": self.settings.recipe.augmentation.crop,
                "centre": self.settings.recipe.augmentation.centre,
            },
        )
        checkpoint.write(self.folder / name)


def measured_cost(settings: RunSettings, state: dict[str, torch.Tensor]) -> Cost:
    """Counts of the trained network after lowering."""
    network_plan = plan(settings.architecture)
    with torch.random.fork_rng(devices=[]):
        network = build(network_plan)
    network.load_state_dict(state)
    return count_plan(lower(network_plan, network.eval()).plan)


def _summary(settings: RunSettings, engine: Engine, test: Scores, classes: int) -> dict[str, Any]:
    best = engine.curve[engine.best_epoch - 1]
    assert engine.best_state is not None
    expected, measured = count(settings.architecture), measured_cost(settings, engine.best_state)
    validation = None
    if engine.source.validates():
        images = engine.source.validation_images()
        validation = _shown(images, best.val_accuracy, value_of(best, "val_top5"))
    return {
        "label": settings.architecture.label(),
        "id": settings.architecture.id,
        "recipe": settings.recipe.name,
        "epochs": settings.recipe.epochs,
        "batch_size": settings.recipe.batch_size,
        "learning_rate": settings.recipe.learning_rate,
        "seed": settings.seed,
        "data": settings.data.name,
        "classes": classes,
        "params": expected.params,
        "macs": expected.macs,
        "measured_params": measured.params,
        "measured_macs": measured.macs,
        "exceeds_expected": measured.macs > expected.macs,
        "best_epoch": engine.best_epoch,
        "chosen_by": "validation" if validation else "the last epoch",
        "validation": validation,
        "test": _shown(test.images, test.top1, test.top5),
        "train_loss": engine.curve[-1].train_loss,
        "seconds": round(engine.seconds, 3),
        "processes": engine.world.size,
        "device": describe(engine.device),
    }


def _shown(images: int, top1: float, top5: float | None) -> dict[str, Any]:
    error = standard_error(top1, images)
    return {"images": images, "top1": top1, "top1_standard_error": error, "top5": top5}
