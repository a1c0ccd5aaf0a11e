"""Captured steps against eager ones, over stops, and refused: with a capture that is no graph of CUDA but as rigid.

A capture here is a list of operations on the tensors that were there (torch.fx): whatever the host decided is what it
was then, as in a CUDA graph, and capturing has no effect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from igcnas.data.loading import load_dataset
from igcnas.errors import CaptureError, TrainingError
from igcnas.modules.layers import LearnedModule
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, Block, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.grouping import (
    Condensing,
    DynamicChannels,
    Group,
    Interleaved,
    KroneckerGrouping,
    LearnedGrouping,
    MultiSpectral,
)
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.plan import plan
from igcnas.training.distributed import World
from igcnas.training.engine import Engine, Stopped
from igcnas.training.graph import WARM_UP, GraphSteps, Tensors, not_captured
from igcnas.training.recipes import short_recipe
from igcnas.training.settings import TrainingSettings
from igcnas.training.tensors import ImageTensors, TrainingData

CPU = torch.device("cpu")
RECIPE = dataclasses.replace(short_recipe(TrainingSettings(epochs=2, batch_size=128)), gradient_clip=1.0)
DATA = TrainingData.split(load_dataset("digits"), CPU, fraction=0.25, seed=0, augmentation=RECIPE.augmentation)
STEPS = 2 * DATA.steps(128)


def network(block: Block, **options: Any) -> Architecture:
    stages = (Stage(block=block, width=8, repeats=2, stride=2),)
    return Architecture(family="test", input_shape=(1, 8, 8), num_classes=10, stem_channels=8, stages=stages, **options)


def inverted(both: Any) -> Block:
    return InvertedResidual(expansion=2, expand=both, project=both)


FIXED = network(inverted(Group(groups=2)))
NETWORKS: dict[str, tuple[Architecture, dict[str, Any]]] = {
    "fixed": (FIXED, {}),
    "interleaved": (network(BasicBlock(grouping=Interleaved(L=4, M=2))), {}),
    "flgc": (
        network(inverted(LearnedGrouping(groups=2))),
        {"grouping": GroupingRules(temperature_start=2.0, temperature_end=0.2)},
    ),
    "dgconv": (network(Bottleneck(mid=8, spatial=KroneckerGrouping(groups=4, balanced=False))), {}),
    "condensing": (
        network(DenseLayer(reduce=Condensing(groups=4, factor=4), bottleneck=2), preactivation=True),
        {"grouping": GroupingRules(group_lasso=1e-4)},
    ),
    "msgc": (
        network(BasicBlock(grouping=MultiSpectral(heads=2, keep=0.5, attention=True))),
        {"grouping": GroupingRules(ramp_until=0.6, noise_end=0.0)},
    ),
    "dgc": (network(BasicBlock(grouping=DynamicChannels(heads=2, keep=0.25))), {}),
    "dgc, ties": (network(BasicBlock(grouping=DynamicChannels(heads=2, keep=0.25, ties="dropped"))), {}),
    "dropout": (FIXED, {"dropout": 0.5}),
    "weights of classes": (FIXED, {"class_weights": "balanced"}),
    "dampening": (FIXED, {"optimizer": dataclasses.replace(RECIPE.optimizer, nesterov=False, dampening=0.5)}),
}


class Recorded:
    """Operations that were recorded once, on the tensors that were there."""

    def __init__(self, steps: GraphSteps, compute: Callable[[], Tensors]) -> None:
        before = [(tensor, tensor.clone()) for tensor in kept(steps)]
        random = torch.get_rng_state()
        gradients = [parameter.grad for parameter in steps.parameters]
        self.operations = make_fx(compute)()
        self.outputs = tuple(torch.full_like(output, torch.nan) for output in self.operations())
        with torch.no_grad():
            for tensor, value in before:
                tensor.copy_(value)
        torch.set_rng_state(random)
        for parameter, gradient in zip(steps.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.replays, self.given_back = 0, False

    def replay(self) -> None:
        self.replays += 1
        with torch.no_grad():
            for output, value in zip(self.outputs, self.operations(), strict=True):
                output.copy_(value)

    def reset(self) -> None:
        self.given_back = True


def kept(steps: GraphSteps) -> list[torch.Tensor]:
    """All that a step changes."""
    state = [value for one in steps.optimizer.state.values() for value in one.values() if value is not None]
    return [*(p.detach() for p in steps.parameters), *steps.network.buffers(), *state]


class Captures:
    """What was captured; gives it to an engine. spoil: changes a capture before it is used."""

    def __init__(self, spoil: Callable[[Recorded], None] = lambda _recorded: None) -> None:
        self.made: list[Recorded] = []
        self.spoil = spoil
        self.steps: GraphSteps | None = None

    def __call__(self, compute: Callable[[], Tensors], _pool: object) -> Recorded:
        assert self.steps is not None
        self.made.append(Recorded(self.steps, compute))
        self.spoil(self.made[-1])
        return self.made[-1]


def eager(name: str, **options: Any) -> Engine:
    """With eager steps, whose numbers lie in tensors, as they do on a GPU."""
    architecture, changes = NETWORKS[name]
    source = options.pop("source", DATA)
    recipe = dataclasses.replace(RECIPE, **changes)
    made = Engine(plan(architecture), source, recipe, seed=3, engine="eager", detailed=True, **options)
    made.grouping_loss.place_numbers(CPU)
    made.steps.rates.place(CPU)  # type: ignore[attr-defined]
    return made


def captured(name: str, captures: Any = None, **options: Any) -> Engine:
    """With captured ones."""
    made = eager(name, **options)
    captures = captures or Captures()
    steps = GraphSteps(made.network, made.recipe, made._loss_of, detailed=True, capture=captures)
    steps.rates.place(CPU)
    captures.steps = made.steps = steps
    made.optimizer = steps.optimizer
    return made


def losses(made: Engine) -> list[float]:
    found: list[float] = []
    made.run(on_step=lambda _report: found.append(made._losses[-1].item()))
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_a_captured_training_is_the_eager_one(name: str) -> None:
    one, captures = eager(name), Captures()
    other = captured(name, captures)
    found = losses(other)
    assert found == pytest.approx(losses(one), rel=1e-5)
    for mine, theirs in zip(other.curve, one.curve, strict=True):
        assert dataclasses.astuple(mine) == pytest.approx(dataclasses.astuple(theirs), rel=1e-4)
    for key, tensor in one.network.state_dict().items():
        torch.testing.assert_close(other.network.state_dict()[key], tensor, rtol=1e-3, atol=1e-5)
    training, evaluation = captures.made
    assert training.replays == STEPS - WARM_UP == len(found) - WARM_UP
    assert evaluation.replays >= 1


class StopAt:
    def __init__(self, step: int) -> None:
        self.left = step

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("step", [2, WARM_UP + 1, 12])
def test_a_captured_training_that_was_stopped_goes_on_to_the_same_end(tmp_path: Path, step: int) -> None:
    whole = losses(captured("flgc"))
    with pytest.raises(Stopped):
        captured("flgc", checkpoint=tmp_path / "c.pt", stop=StopAt(step)).run()
    resumed = captured("flgc", checkpoint=tmp_path / "c.pt")
    assert resumed.load()
    assert losses(resumed) == pytest.approx(whole[step:], rel=1e-5)


def test_eager_steps_take_up_the_checkpoint_of_captured_ones(tmp_path: Path) -> None:
    whole = losses(eager("dampening"))
    with pytest.raises(Stopped):
        captured("dampening", checkpoint=tmp_path / "c.pt", stop=StopAt(7)).run()
    resumed = eager("dampening", checkpoint=tmp_path / "c.pt")
    assert resumed.load()
    assert losses(resumed) == pytest.approx(whole[7:], rel=1e-5)


def test_a_capture_that_is_refused_ends_the_training_with_its_reason() -> None:
    def refused(_compute: object, _pool: object) -> Recorded:
        raise RuntimeError("operation not permitted when stream is capturing\nmany more lines")

    with pytest.raises(CaptureError, match=r"the step .*\(operation not permitted when stream is capturing\)$"):
        captured("fixed", refused).run()


def test_too_little_memory_while_capturing_is_no_fault_of_the_capture() -> None:
    def full(_compute: object, _pool: object) -> Recorded:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(TrainingError, match=r"^out of memory") as found:
        captured("fixed", full).run()
    assert not isinstance(found.value, CaptureError)


def wrong_loss(recorded: Recorded) -> None:
    right = recorded.operations
    recorded.operations = lambda: tuple(1.5 * output for output in right())


def test_a_first_loss_that_is_off_ends_the_training_before_a_checkpoint_is_written(tmp_path: Path) -> None:
    made = captured("fixed", Captures(wrong_loss), checkpoint=tmp_path / "c.pt", checkpoint_seconds=1e9)
    with pytest.raises(CaptureError, match="first loss of a captured step is off by 1"):
        made.run()
    assert not (tmp_path / "c.pt").exists()


def test_first_answers_that_are_off_end_the_training() -> None:
    def spoil(recorded: Recorded) -> None:
        if recorded.outputs[0].ndim == 2:
            recorded.operations = lambda: (torch.zeros_like(recorded.outputs[0]) + 9.0,)

    with pytest.raises(CaptureError, match=r"first answers of a captured evaluation .*off by 9"):
        captured("fixed", Captures(spoil), source=validating(1100)).run()


def test_a_loss_that_is_no_number_is_said_of_the_training_and_not_of_the_capture() -> None:
    made = captured("fixed")
    with torch.no_grad():
        next(iter(made.network.parameters())).fill_(torch.nan)
    with pytest.raises(TrainingError, match="diverged: training loss nan") as found:
        made.run()
    assert not isinstance(found.value, CaptureError)


def validating(count: int) -> TrainingData:
    part = ImageTensors(DATA.training.images[:count], DATA.training.labels[:count])
    return dataclasses.replace(DATA, validation=part)


@pytest.mark.parametrize("count", [7, 499, 500, 501, 1000, 1347])
def test_evaluation_counts_every_image_once(count: int) -> None:
    source = validating(count)
    made = captured("fixed", source=source)
    expected = eager("fixed", source=source).evaluate()
    for _ in range(3):
        assert made.evaluate() == expected


def test_answers_are_of_the_images_given_whatever_their_number() -> None:
    made = captured("fixed")
    made.network.eval()
    images = DATA.normalize(DATA.training.images[:300])
    for count in (100, 200, 300, 1, 150):
        with torch.no_grad():
            expected = made.network(images[:count])
        torch.testing.assert_close(made.steps.answer(images[:count]), expected, rtol=1e-4, atol=1e-5)


def test_everything_is_given_back_at_the_end() -> None:
    captures = Captures()
    made = captured("msgc", captures)
    made.run()
    assert all(recorded.given_back for recorded in captures.made)
    assert all(parameter.grad is None for parameter in made.network.parameters())
    learned = [module for module in made.network.modules() if isinstance(module, LearnedModule)]
    assert learned
    assert all(getattr(module, name) is None for module in learned for name in module.remembers)


def test_an_eager_pass_beside_the_capture_leaves_no_trace() -> None:
    made = captured("msgc")
    steps = made.steps
    assert isinstance(steps, GraphSteps)
    made.network.train()
    images, labels = next(iter(DATA.epoch(128, 0)))
    before = [tensor.clone() for tensor in kept(steps)]
    random = torch.get_rng_state()
    steps._loss_beside(images, labels)
    assert all(torch.equal(tensor, value) for tensor, value in zip(kept(steps), before, strict=True))
    assert torch.equal(torch.get_rng_state(), random)


def test_only_trainings_of_several_processes_are_not_captured() -> None:
    assert not_captured(World()) is None
    assert "processes" in (not_captured(World(rank=1, size=2)) or "")
