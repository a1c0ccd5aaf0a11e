"""Run by test_distributed.py, alone or under torchrun: some steps of a training, and what came of them."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch

from igcnas.data.augmentation import Augmentation
from igcnas.data.dataset import Dataset, Split
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, InvertedResidual
from igcnas.network.grouping import Interleaved, LearnedGrouping
from igcnas.network.plan import plan
from igcnas.training.distributed import World, join
from igcnas.training.engine import Engine
from igcnas.training.metrics import score
from igcnas.training.recipes import RECIPES
from igcnas.training.tensors import TrainingData


def steps(world: World, dtype: torch.dtype, *, moved: bool = False) -> dict[str, Any]:
    """Two epochs of three steps: losses, accuracies, weights. moved: each first weight by one rounding."""
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (70, 3, 12, 12), np.uint8)
    split = Split(images=images, labels=np.arange(70) % 7)
    data = Dataset(name="x", classes=tuple("abcdefg"), train=split, load_test=lambda: split, flip=True, pad=1)
    source = TrainingData.split(data, torch.device("cpu"), fraction=0.3, seed=0, augmentation=Augmentation())
    learned = InvertedResidual(
        expansion=2, expand=LearnedGrouping(groups=2), project=LearnedGrouping(groups=4, balanced=False)
    )
    architecture = Architecture(
        family="test",
        input_shape=(3, 12, 12),
        num_classes=7,
        stem_channels=8,
        stages=(
            Stage(block=BasicBlock(grouping=Interleaved(L=4, M=2), residual=True), width=8, repeats=2),
            Stage(block=learned, width=8, repeats=2, stride=2),
        ),
    )
    recipe = RECIPES["igc-cifar"].adapted(epochs=2, batch_size=16, learning_rate=0.05)
    engine = Engine(
        plan(architecture), source, recipe, seed=1, world=world, detailed=True, keep_best=True, engine="eager"
    )
    if dtype == torch.float64:
        engine.network.double()
        epoch, validation = TrainingData.epoch, TrainingData.validation_batches

        class Double(TrainingData):
            """The same batches with more digits."""

            def epoch(self, *a: Any, **k: Any) -> Any:
                """Wider."""
                return ((images.double(), labels) for images, labels in epoch(self, *a, **k))

            def validation_batches(self, *a: Any, **k: Any) -> Any:
                """Wider."""
                return ((images.double(), labels) for images, labels in validation(self, *a, **k))

        engine.source = Double(*(getattr(source, name) for name in TrainingData.__slots__))
    if moved:
        generator = torch.Generator().manual_seed(0)
        for parameter in engine.network.parameters():
            towards = torch.randn(parameter.shape, generator=generator).sign().mul(torch.inf).to(dtype)
            parameter.data = torch.nextafter(parameter.data, towards)
    engine.run()
    test = score(engine.network, engine.source.validation_batches(world=world), device=engine.device, world=world)
    return {
        "losses": [report.train_loss for report in engine.curve],
        "train": [report.train_accuracy for report in engine.curve],
        "top1": [report.val_accuracy for report in engine.curve],
        "images": test.images,
        "state": engine.network.state_dict(),
    }


if __name__ == "__main__":
    with join(torch.device("cpu")) as group:
        found = {str(dtype): steps(group, dtype) for dtype in (torch.float32, torch.float64)}
        if group.first:
            torch.save({**found, "size": group.size}, sys.argv[1])
