"""Training: one engine, for the short schedules of a search and for the recipes of the papers.

from igcnas.training import Engine, TrainingData
data = TrainingData.split(dataset, device, fraction=0.1, seed=0, augmentation=recipe.augmentation)
engine = Engine(plan(architecture), data, recipe, seed=0)
engine.run(on_epoch=print)
"""

from igcnas.settings import TrainingSettings
from igcnas.training.device import prepare_device, resolve_device, unused_gpu
from igcnas.training.distributed import ALONE, World, join, launched
from igcnas.training.engine import Engine, EpochReport, StepReport, Stopped
from igcnas.training.measuring import measure_gates
from igcnas.training.metrics import Scores, accuracy, score
from igcnas.training.pretrained import load_pretrained
from igcnas.training.settling import settle_gates, settle_on, settled_accuracy
from igcnas.training.source import Source
from igcnas.training.tensors import ImageTensors, TrainingData
from igcnas.training.trainer import TrainResult, train

__all__ = [
    "ALONE",
    "Engine",
    "EpochReport",
    "ImageTensors",
    "Scores",
    "Source",
    "StepReport",
    "Stopped",
    "TrainResult",
    "TrainingData",
    "TrainingSettings",
    "World",
    "accuracy",
    "join",
    "launched",
    "load_pretrained",
    "measure_gates",
    "prepare_device",
    "resolve_device",
    "score",
    "settle_gates",
    "settle_on",
    "settled_accuracy",
    "train",
    "unused_gpu",
]
