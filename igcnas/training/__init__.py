"""Training of one network in a short complete schedule."""

from igcnas.settings import TrainingSettings
from igcnas.training.device import prepare_device, resolve_device
from igcnas.training.measuring import measure_gates
from igcnas.training.pretrained import load_pretrained
from igcnas.training.tensors import ImageTensors, TrainingData
from igcnas.training.trainer import EpochReport, TrainResult, accuracy, train

__all__ = [
    "EpochReport",
    "ImageTensors",
    "TrainResult",
    "TrainingData",
    "TrainingSettings",
    "accuracy",
    "load_pretrained",
    "measure_gates",
    "prepare_device",
    "resolve_device",
    "train",
]
