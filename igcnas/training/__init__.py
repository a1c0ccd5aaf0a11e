"""Training: one engine, for the short schedules of a search and for the recipes of the papers.

from igcnas.training.engine import Engine
from igcnas.training.tensors import TrainingData
data = TrainingData.split(dataset, device, fraction=0.1, seed=0, augmentation=recipe.augmentation)
engine = Engine(plan(architecture), data, recipe, seed=0)
engine.run(on_epoch=print)

settings, recipes: how networks are trained; no torch. engine: the loop over epochs; steps, graph, making: how one step
computes. runs: the folder of one training.
"""

from igcnas.moved import lending

__getattr__ = lending(
    __name__,
    {
        "Engine": "igcnas.training.engine",
        "TrainingData": "igcnas.training.tensors",
        "TrainingSettings": "igcnas.training.settings",
        "train": "igcnas.training.trainer",
    },
)
