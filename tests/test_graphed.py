"""Steps that are recorded on CUDA, here computed one by one: against the eager engine, and over stops."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from igcnas.architecture import Architecture, Stage
from igcnas.blocks import BasicBlock, Block, InvertedResidual
from igcnas.data import load_dataset
from igcnas.execution.cuda.operators import ChannelsLast
from igcnas.execution.program import Program
from igcnas.grouping import Condensing, DynamicChannels, Group, Grouping, Interleaved, LearnedGrouping, MultiSpectral
from igcnas.layers import FullyLearnableGroupConv
from igcnas.network import build
from igcnas.plan import Plan, plan
from igcnas.recipes import RECIPES, Augmentation, Optimizer, PerKind, Recipe
from igcnas.training import Engine, Stopped, TrainingData
from igcnas.training.flat import FlatSGD
from igcnas.training.graphed import GraphedSteps, recordable
from igcnas.training.tensors import ImageTensors

CPU = torch.device("cpu")
RECIPE = RECIPES["flgc-cifar"].adapted(epochs=2, batch_size=128, learning_rate=0.1)
DIGITS = load_dataset("digits")


def data(augmentation: Augmentation | None = None) -> TrainingData:
    """Digits that may be mirrored."""
    chosen = augmentation or RECIPE.augmentation
    found = TrainingData.split(DIGITS, CPU, fraction=0.25, seed=0, augmentation=chosen)
    return dataclasses.replace(found, flip=True)


def network(project: Grouping, *, block: Block | None = None) -> Architecture:
    block = block or InvertedResidual(expansion=2, expand=Group(groups=2), project=project)
    stages = (Stage(block=block, width=8, repeats=2, stride=2),)
    return Architecture(family="test", input_shape=(1, 8, 8), num_classes=10, stem_channels=8, stages=stages)


def program(network_plan: Plan, module: nn.Module, batch: int, *, mixed: bool) -> Program:
    return Program(network_plan, module, ChannelsLast(batch, CPU, torch.float32))


def graphed(architecture: Architecture, source: TrainingData, recipe: Recipe = RECIPE, **settings: object) -> Engine:
    """An engine with the steps that it takes on CUDA, not recorded."""
    network_plan = plan(architecture)
    engine = Engine(network_plan, source, recipe, seed=3, detailed=True, **settings)  # type: ignore[arg-type]
    engine.steps = GraphedSteps(
        network_plan, engine.network, recipe, source, engine.objective, mixed=False, detailed=True, record=False,
        make=program,
    )  # fmt: skip
    engine.optimizer = engine.steps.optimizer
    return engine


class Losses:
    """The losses of a training, step by step, and its curve."""

    def __init__(self, engine: Engine) -> None:
        self.losses: list[float] = []
        engine.run(on_step=lambda _report: self.losses.append(engine._losses[-1].item()))
        self.curve = engine.curve
        self.state = {name: tensor.clone() for name, tensor in engine.network.state_dict().items()}


NETWORKS = {
    "fixed": network(Group(groups=2)),
    "interleaved": network(Group(groups=2), block=BasicBlock(grouping=Interleaved(L=4, M=2))),
    "flgc": network(LearnedGrouping(groups=2)),
    "condensed": network(Condensing(groups=2, factor=4)),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("plain", [True, False])
def test_steps_on_the_device_are_those_of_the_eager_engine(name: str, plain: bool) -> None:
    recipe = RECIPE
    if not plain:
        recipe = dataclasses.replace(
            RECIPE, label_smoothing=0.1, gradient_clip=1.0, optimizer=Optimizer(nesterov=False)
        )
    source = data()
    found = Losses(graphed(NETWORKS[name], source, recipe))
    eager = Losses(Engine(plan(NETWORKS[name]), source, recipe, seed=3, detailed=True, engine="eager"))
    assert len(found.losses) == 16
    # Rounding grows from step to step, and a learned choice may turn on it.
    assert found.losses[:6] == pytest.approx(eager.losses[:6], rel=2e-3)
    assert found.losses == pytest.approx(eager.losses, rel=0.1)
    for mine, theirs in zip(found.curve, eager.curve, strict=True):
        assert mine.learning_rate == theirs.learning_rate
        assert mine.val_accuracy == pytest.approx(theirs.val_accuracy, abs=4.0)
        assert mine.val_top5 == pytest.approx(theirs.val_top5, abs=4.0)
        assert mine.train_accuracy == pytest.approx(theirs.train_accuracy, abs=2.0)


@pytest.mark.parametrize("nesterov", [True, False])
def test_an_optimizer_step_by_tables_is_that_by_numbers(nesterov: bool) -> None:
    kinds = PerKind(weights=0.3, biases=0.0, norms=0.1, deciding=0.0)
    recipe = dataclasses.replace(RECIPE, decay=kinds, rates=(1.0, 2.0, 0.5), optimizer=Optimizer(nesterov=nesterov))
    module = build(plan(NETWORKS["flgc"]))
    one, other = FlatSGD(module, recipe), FlatSGD(copy.deepcopy(module), recipe)
    tables = [torch.tensor([9.0, 0.1 * group["lr_scale"], 0.2 * group["lr_scale"]]) for group in one.param_groups]
    for step in (1, 2):
        one.gradients.normal_()
        other.gradients.copy_(one.gradients)
        for group, table in zip(one.param_groups, tables, strict=True):
            group["lr"] = table[step].item()
        one.step()
        other.step_at(tables, torch.tensor([step]))
    assert torch.allclose(one.values, other.values, rtol=1e-5, atol=1e-6)
    assert torch.allclose(one.momenta, other.momenta, rtol=1e-5, atol=1e-6)


class StopAt:
    def __init__(self, step: int) -> None:
        self.left = step

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("step", [0, 3, 8, 13])
def test_a_training_stopped_before_any_step_goes_on_to_the_same_bits(tmp_path: Path, step: int) -> None:
    source, architecture = data(), NETWORKS["condensed"]
    whole = Losses(graphed(architecture, source))
    with pytest.raises(Stopped):
        graphed(architecture, source, checkpoint=tmp_path / "c.pt", stop=StopAt(step)).run()
    resumed = graphed(architecture, source, checkpoint=tmp_path / "c.pt")
    assert resumed.load()
    assert (len(resumed.curve), resumed.steps_done) == divmod(step, 8)
    again = Losses(resumed)
    assert again.losses == whole.losses[step:]
    assert again.curve == whole.curve
    assert all(torch.equal(again.state[name], tensor) for name, tensor in whole.state.items())


def test_a_batch_made_on_the_device_is_the_batch_of_the_source() -> None:
    source = data(Augmentation(pad=2, fill="mean"))
    engine = graphed(NETWORKS["fixed"], source)
    steps = engine.steps
    assert isinstance(steps, GraphedSteps)
    steps.begin(seed=11, epoch=0, first=2)
    wanted = list(source.epoch(128, 11, first=2))[:2]
    for images, labels in wanted:
        found, found_labels = steps._training.batch(steps._at, 128, torch.float32)
        assert torch.equal(found, images)
        assert torch.equal(found_labels, labels)
        steps._at += 1


@pytest.mark.parametrize("count", [7, 999, 1000, 1001, 1347])
def test_evaluation_counts_every_image_once(count: int) -> None:
    whole = data()
    part = ImageTensors(whole.training.images[:count], whole.training.labels[:count])
    source = dataclasses.replace(whole, validation=part)
    engine = graphed(NETWORKS["fixed"], source)
    found = engine.evaluate()
    engine.steps.close()
    plain = Engine(plan(NETWORKS["fixed"]), source, RECIPE, seed=3, engine="eager")
    assert found == plain.evaluate()


def test_warming_up_has_no_effect_once_it_is_undone() -> None:
    engine = graphed(NETWORKS["condensed"], data())
    steps = engine.steps
    assert isinstance(steps, GraphedSteps)
    engine.network.train()
    steps.begin(seed=1, epoch=0, first=0)
    steps.step()
    before = copy.deepcopy(engine.network.state_dict())
    kept = [tensor.clone() for tensor in steps._state()]
    first = steps.step()[0].item()
    after = copy.deepcopy(engine.network.state_dict())
    steps.undo(kept)
    assert all(torch.equal(before[name], tensor) for name, tensor in engine.network.state_dict().items())
    steps._done -= 1
    assert steps.step()[0].item() == first
    assert all(torch.equal(after[name], tensor) for name, tensor in engine.network.state_dict().items())


class Recording:
    """Stands in for CUDA's streams and graphs: what is recorded has no effect, what is replayed is computed again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, steps: GraphedSteps) -> None:
        self.steps = steps
        self.events: list[str] = []
        recording = self

        class Stream:
            def __init__(self, *_device: torch.device) -> None:
                pass

            def wait_stream(self, _other: object) -> None:
                recording.events.append("wait")

        class Graph:
            def replay(self) -> None:
                name = next(name for name, graph in steps._graphs.items() if graph is self)
                recording.events.append(name)
                {"step": steps._step, "evaluation": steps._evaluation}[name]()

            def reset(self) -> None:
                recording.events.append("reset")

        @contextmanager
        def record(_graph: Graph, **options: object) -> Iterator[None]:
            assert options["capture_error_mode"] == "thread_local"
            kept = [tensor.clone() for tensor in steps._state()]
            yield
            steps.undo(kept)
            recording.events.append("record")

        for name, value in {
            "Stream": Stream, "current_stream": Stream, "stream": lambda _stream: nullcontext(), "CUDAGraph": Graph,
            "graph": record,
        }.items():  # fmt: skip
            monkeypatch.setattr(torch.cuda, name, value)
        steps.record = True


@pytest.mark.parametrize("name", ["flgc", "condensed"])
def test_recording_and_replaying_is_computing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    source = data()
    computed = Losses(graphed(NETWORKS[name], source))
    engine = graphed(NETWORKS[name], source)
    assert isinstance(engine.steps, GraphedSteps)
    recording = Recording(monkeypatch, engine.steps)
    replayed = Losses(engine)
    assert replayed.losses == computed.losses
    assert replayed.curve == computed.curve
    assert all(torch.equal(replayed.state[key], tensor) for key, tensor in computed.state.items())
    once = ["wait", "wait", "record"]
    assert recording.events == [
        *once,
        *["step"] * 8,
        *once,
        "evaluation",
        *["step"] * 8,
        "evaluation",
        "reset",
        "reset",
    ]


def test_only_trainings_whose_steps_are_all_alike_are_recorded() -> None:
    def fits(grouping: Grouping, recipe: Recipe = RECIPE, augmentation: Augmentation | None = None) -> bool:
        source = data(augmentation)
        engine = Engine(plan(network(grouping)), source, recipe, seed=0)
        return recordable(recipe, source, engine.objective)

    assert fits(Group(groups=2))
    assert fits(LearnedGrouping(groups=2))
    assert fits(Condensing(groups=2, factor=4))
    assert not fits(DynamicChannels(heads=2, keep=0.5))
    assert not fits(MultiSpectral(heads=2, keep=0.5))
    change = partial(dataclasses.replace, RECIPE)
    assert not fits(Group(groups=2), change(dropout=0.1))
    assert not fits(Group(groups=2), change(optimizer=Optimizer(kind="rmsprop")))
    assert not fits(Group(groups=2), augmentation=Augmentation(crop="area"))
    assert not fits(Group(groups=2), augmentation=Augmentation(jitter=(0.1, 0.0, 0.0, 0.0)))


def test_the_temperature_of_a_recorded_step_changes_in_place() -> None:
    rules = dataclasses.replace(RECIPE.grouping, temperature_end=0.1)
    engine = graphed(network(LearnedGrouping(groups=2)), data(), dataclasses.replace(RECIPE, grouping=rules))
    layer = next(module for module in engine.network.modules() if isinstance(module, FullyLearnableGroupConv))
    tensor = layer.temperature
    assert isinstance(tensor, torch.Tensor)
    seen = []
    for progress in (0.0, 0.5):
        engine.objective.begin_step(progress)
        seen.append(tensor.item())
    assert layer.temperature is tensor
    assert seen[0] != seen[1]
    plain = Engine(plan(network(LearnedGrouping(groups=2))), data(), engine.recipe, seed=3)
    plain.objective.begin_step(0.5)
    other = next(module for module in plain.network.modules() if isinstance(module, FullyLearnableGroupConv))
    assert other.temperature == pytest.approx(seen[1])
