"""What a training on a GPU must show, whatever runs there: right, without waiting, and nothing kept when it is over.

python -m pytest -q -m cuda tests/test_cuda_device.py
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from igcnas.data.loading import load_dataset
from igcnas.errors import TrainingError
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, Block, InvertedResidual
from igcnas.network.grouping import Condensing, Group, Grouping, Interleaved, LearnedGrouping
from igcnas.network.plan import plan
from igcnas.training.engine import Engine, Stopped
from igcnas.training.recipes import RECIPES
from igcnas.training.reports import StepReport
from igcnas.training.tensors import TrainingData

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]
CUDA = torch.device("cuda")
RECIPE = RECIPES["flgc-cifar"].adapted(epochs=2, batch_size=128, learning_rate=0.1)


def network(project: Grouping, *, block: Block | None = None) -> Architecture:
    block = block or InvertedResidual(expansion=2, expand=Group(groups=2), project=project)
    stages = (Stage(block=block, width=8, repeats=2, stride=2),)
    return Architecture(family="test", input_shape=(1, 8, 8), num_classes=10, stem_channels=8, stages=stages)


NETWORKS = {
    "fixed": network(Group(groups=2)),
    "interleaved": network(Group(groups=2), block=BasicBlock(grouping=Interleaved(L=4, M=2))),
    "flgc": network(LearnedGrouping(groups=2)),
    "condensed": network(Condensing(groups=2, factor=4)),
}


@pytest.fixture(autouse=True)
def _exact_products() -> Iterator[None]:
    """Float32 as it is, so that a GPU can be compared with a CPU."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def engine(name: str, *, device: torch.device = CUDA, **settings: Any) -> Engine:
    """Digits that may be mirrored, in float32."""
    digits = load_dataset("digits")
    data = TrainingData.split(digits, device, fraction=0.25, seed=0, augmentation=RECIPE.augmentation)
    return Engine(plan(NETWORKS[name]), dataclasses.replace(data, flip=True), RECIPE, seed=3, mixed=False, **settings)


both_kinds = pytest.mark.parametrize("capture", [False, True], ids=["eager", "captured"])


def losses(made: Engine) -> list[float]:
    found: list[float] = []
    made.run(on_step=lambda _report: found.append(made._losses[-1].item()))
    return found


@both_kinds
@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_on_a_gpu_is_about_that_on_a_cpu(name: str, capture: bool) -> None:
    made = engine(name, capture=capture)
    assert made.steps.kind == ("graph" if capture else "eager")
    found, wanted = losses(made), losses(engine(name, device=torch.device("cpu"), engine="eager"))
    assert len(found) == 16
    # Rounding grows from step to step, and a learned choice may turn on it.
    assert found[:6] == pytest.approx(wanted[:6], rel=5e-3)
    assert found == pytest.approx(wanted, rel=0.15)


class StopAt:
    def __init__(self, step: int) -> None:
        self.left = step

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@both_kinds
def test_a_training_that_was_stopped_goes_on(tmp_path: Path, capture: bool) -> None:
    whole = losses(engine("condensed", capture=capture))
    with pytest.raises(Stopped):
        engine("condensed", capture=capture, checkpoint=tmp_path / "c.pt", stop=StopAt(11)).run()
    resumed = engine("condensed", capture=capture, checkpoint=tmp_path / "c.pt")
    assert resumed.load()
    assert losses(resumed) == pytest.approx(whole[11:], rel=1e-3)


@both_kinds
@pytest.mark.parametrize("name", NETWORKS)
def test_no_step_waits_for_the_device(name: str, capture: bool) -> None:
    def told(report: StepReport) -> None:
        """The first steps compile and allocate; what comes after the last one of an epoch may wait."""
        waits = report.step < 3 or report.step == report.steps
        torch.cuda.set_sync_debug_mode("default" if waits else "error")

    try:
        engine(name, capture=capture).run(on_step=told)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@both_kinds
def test_the_memory_of_a_trial_is_free_when_it_is_over(capture: bool) -> None:
    def trial(name: str) -> None:
        engine(name, capture=capture).run()
        gc.collect()
        torch.cuda.empty_cache()

    trial("fixed")  # contexts, handles, workspaces
    allocated, reserved = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
    for name in ("interleaved", "fixed", "condensed", "fixed"):
        trial(name)
        assert torch.cuda.memory_allocated() <= allocated + 2**20, name
        assert torch.cuda.memory_reserved() <= reserved + 2**22, name


def test_a_trial_that_does_not_fit_is_a_training_error_and_the_next_one_runs() -> None:
    wide = InvertedResidual(expansion=6, expand=Group(groups=2), project=Group(groups=2))
    stage = Stage(block=wide, width=256, repeats=8, stride=1)
    big = Architecture(family="test", input_shape=(1, 8, 8), num_classes=10, stem_channels=64, stages=(stage,))
    total = torch.cuda.get_device_properties(CUDA).total_memory
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + 2**30) / total))
    try:
        with pytest.raises(TrainingError, match="out of memory"):
            Engine(plan(big), engine("fixed").source, RECIPE.adapted(batch_size=1024), seed=3).run()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    gc.collect()
    engine("fixed").run()


def test_modules_stay_on_the_device() -> None:
    made = engine("flgc")
    made.run()
    assert all(tensor.device.type == "cuda" for tensor in made.network.state_dict().values())
