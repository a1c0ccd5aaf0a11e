"""Programs and steps by our kernels, which Triton's interpreter runs on the CPU: as they are called on a GPU."""

from __future__ import annotations

import copy
import dataclasses

import interpreted
import pytest
import torch
from torch.nn import functional

from igcnas.execution.cuda.operators import ChannelsLast
from igcnas.execution.cuda.rule import Way
from igcnas.execution.program import Program
from igcnas.kernels import switch
from igcnas.network import build
from igcnas.plan import Plan
from igcnas.primitives import Activation, Convolution, Gather, GlobalPool, Linear, Norm, Residual, Sequence
from igcnas.recipes import RECIPES
from igcnas.training import Engine, TrainingData
from igcnas.training.graphed import GraphedSteps
from igcnas.training.tensors import ImageTensors

CPU = torch.device("cpu")
BODY = (
    Convolution("expand", 8, 16, 1, 1, 2, (4, 4)),
    Norm("expand_norm", 16, (4, 4)),
    Gather("permute", (1, 2, 0, 4, 5, 3, 7, 6, 15, 8, 9, 10, 14, 11, 12, 13)),
    Convolution("depthwise", 16, 16, 3, 1, 16, (4, 4)),
    Norm("depthwise_norm", 16, (4, 4)),
    Activation("depthwise_act", "relu6", 16, (4, 4)),
    Convolution("project", 16, 8, 1, 1, 2, (4, 4)),
    Norm("project_norm", 8, (4, 4)),
    Gather("back", (3, 0, 1, 2, 7, 4, 6, 5)),
)
LAYERS = (
    Convolution("stem", 3, 8, 3, 1, 1, (4, 4)),
    Norm("stem_norm", 8, (4, 4)),
    Activation("stem_act", "relu", 8, (4, 4)),
    Residual("block", Sequence("body", BODY), Sequence("shortcut", ())),
    GlobalPool("pool", 8, (4, 4)),
    Linear("classifier", 8, 3),
)
PLAN = Plan(Sequence("", LAYERS), (3, 4, 4))

pytestmark = interpreted.needs_triton


@pytest.fixture(autouse=True)
def _by_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert switch.chosen(torch.zeros(1))


@pytest.mark.parametrize("way", [Way.TILED, Way.GROUPED, Way.LIBRARY])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_program_of_kernels_has_the_gradients_of_stock_modules(way: Way, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    stock = build(PLAN)
    fast = copy.deepcopy(stock)
    for parameter in fast.parameters():
        parameter.grad = torch.zeros_like(parameter)
    images, labels = torch.randn(4, 3, 4, 4), torch.randint(3, (4,))
    program = Program(PLAN, fast, ChannelsLast(4, CPU, dtype, way))
    functional.cross_entropy(stock(images), labels).backward()
    program.loss(images, lambda logits: functional.cross_entropy(logits, labels))
    scale = max(float(parameter.grad.norm()) for parameter in stock.parameters() if parameter.grad is not None)
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    for (name, mine), theirs in zip(fast.named_parameters(), stock.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert (mine.grad - theirs.grad).norm() <= tolerance * scale, name
    for name, buffer in stock.named_buffers():
        assert torch.allclose(fast.get_buffer(name).double(), buffer.double(), rtol=tolerance, atol=tolerance), name


def test_two_steps_of_kernels_are_those_of_the_eager_engine() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (8, 3, 4, 4), dtype=torch.uint8, generator=generator)
    part = ImageTensors(images, torch.arange(8) % 3)
    source = TrainingData(
        training=part, validation=part, num_classes=3, mean=torch.rand(3), std=torch.rand(3) + 0.2, flip=True, pad=1
    )
    recipe = dataclasses.replace(RECIPES["flgc-cifar"].adapted(epochs=1, batch_size=4, learning_rate=0.1))
    eager = Engine(PLAN, source, recipe, seed=3, engine="eager")
    made = Engine(PLAN, source, recipe, seed=3)
    made.steps = GraphedSteps(
        PLAN, made.network, recipe, source, made.objective, mixed=False, detailed=True, record=False,
        make=lambda network_plan, network, batch, mixed: Program(
            network_plan, network, ChannelsLast(batch, CPU, torch.float32)
        ),
    )  # fmt: skip
    made.optimizer = made.steps.optimizer
    found: list[list[float]] = []
    for engine in (made, eager):
        losses: list[float] = []
        engine.run(on_step=lambda _report, e=engine, to=losses: to.append(e._losses[-1].item()))  # type: ignore[misc]
        found.append(losses)
    assert len(found[0]) == 2
    assert found[0] == pytest.approx(found[1], rel=1e-4)
    assert made.curve[0].val_accuracy == pytest.approx(eager.curve[0].val_accuracy)
