"""What a GPU must show: kernels, programs, recorded steps, memory. Without one, the first two with stock operators.

python -m pytest -q -x tests/test_cuda_device.py
"""

from __future__ import annotations

import copy
import dataclasses
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from test_graphed import DIGITS, NETWORKS, RECIPE, StopAt
from torch import nn
from torch.nn import functional

from igcnas.architecture import Architecture, Stage
from igcnas.blocks import InvertedResidual
from igcnas.errors import TrainingError
from igcnas.execution.cuda.operators import ChannelsLast
from igcnas.execution.cuda.rule import Way
from igcnas.execution.program import Program
from igcnas.grouping import Group, MultiSpectral
from igcnas.kernels import augment, depthwise, norm, pointwise, reference, sgd
from igcnas.kernels.lazy import Affine, GradientAffine, Moments, Sums
from igcnas.network import build
from igcnas.plan import plan
from igcnas.training import Engine, Stopped, TrainingData
from igcnas.training.graphed import GraphedSteps

CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")
needs_cuda = pytest.mark.skipif(not CUDA, reason="torch sees no CUDA device")
TYPES = {torch.float32: 1e-4, torch.bfloat16: 2e-2}


@pytest.fixture(autouse=True, scope="module")
def _exact_products() -> Iterator[None]:
    """float32 is compared with float64, so TF32 stays off."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def numbers(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    values = torch.randn(shape).to(DEVICE, dtype)
    return values.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else values


def exact(value: Any) -> Any:
    """The same argument in float64 on the CPU."""
    if isinstance(value, torch.Tensor):
        return value.cpu().double() if value.is_floating_point() else value.cpu()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(exact(part) for part in value))
    return value


def agree(found: Any, wanted: Any, tolerance: float) -> None:
    if isinstance(found, Moments | Sums):
        found, wanted = found.merged(), wanted.merged()
    if isinstance(found, torch.Tensor):
        difference = (found.cpu().double() - wanted).norm()
        assert difference <= tolerance * (wanted.norm() + 1e-6), f"relative {difference / wanted.norm()}"
    elif isinstance(found, tuple):
        for one, other in zip(found, wanted, strict=True):
            agree(one, other, tolerance)
    else:
        assert found is None
        assert wanted is None


def compare(kernel: Callable[..., Any], stock: Callable[..., Any], tolerance: float, *args: Any, **named: Any) -> None:
    wanted = stock(*map(exact, args), **{name: exact(value) for name, value in named.items()})
    agree(kernel(*args, **named), wanted, tolerance)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("channels", [8, 24, 100, 144])
@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 1, 32), (3, 2, 16), (5, 1, 7), (5, 2, 9), (3, 1, 4)])
def test_depthwise_kernels_agree_with_float64(
    dtype: torch.dtype, channels: int, kernel: int, stride: int, size: int
) -> None:
    torch.manual_seed(0)
    x, weight = numbers(4, channels, size, size, dtype=dtype), numbers(channels, 1, kernel, kernel).contiguous()
    out = -(-size // stride)
    g, y = (numbers(4, channels, out, out, dtype=dtype) for _ in range(2))
    lazy = GradientAffine(y, *(numbers(channels) for _ in range(3)))
    pending = {"affine": Affine(numbers(channels), numbers(channels)), "activation": "relu6"}
    limit = TYPES[dtype]
    compare(depthwise.forward, reference.depthwise_forward, limit, x, weight, stride, statistics=True, **pending)
    compare(
        depthwise.input_grad, reference.depthwise_input_grad, limit, g, weight, stride, (size, size),
        gradient_affine=lazy, x=x, centre=numbers(channels), **pending,
    )  # fmt: skip
    compare(
        depthwise.weight_grad, reference.depthwise_weight_grad, limit, x, g, stride, kernel, gradient_affine=lazy,
        **pending,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("permuted", [True, False])
@pytest.mark.parametrize(
    ("ins", "outs", "groups"), [(24, 144, 2), (144, 24, 1), (64, 64, 16), (36, 12, 3), (192, 320, 1)]
)
def test_pointwise_kernels_agree_with_float64(
    dtype: torch.dtype, permuted: bool, ins: int, outs: int, groups: int
) -> None:
    torch.manual_seed(0)
    x, weight = numbers(4, ins, 9, 8, dtype=dtype), numbers(outs, ins // groups).contiguous()
    g, y = (numbers(4, outs, 9, 8, dtype=dtype) for _ in range(2))
    lazy = GradientAffine(y, *(numbers(outs) for _ in range(3)))
    pending = {"affine": Affine(numbers(ins), numbers(ins)), "activation": "relu"}
    index = {"index": torch.randperm(ins).to(DEVICE) if permuted else None}
    limit = TYPES[dtype]
    compare(
        pointwise.forward, reference.pointwise_forward, limit, x, weight, groups, statistics=True, **index, **pending
    )
    compare(
        pointwise.input_grad, reference.pointwise_input_grad, limit, g, weight, groups, gradient_affine=lazy, x=x,
        centre=numbers(ins), **index, **pending,
    )  # fmt: skip
    compare(
        pointwise.weight_grad, reference.pointwise_weight_grad, limit, x, g, groups, gradient_affine=lazy, **index,
        **pending,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("channels", [8, 100, 320])
def test_norm_kernels_agree_with_float64(dtype: torch.dtype, channels: int) -> None:
    torch.manual_seed(0)
    x, r, g = (numbers(6, channels, 7, 9, dtype=dtype) for _ in range(3))
    pending = (Affine(numbers(channels), numbers(channels)), "relu")
    limit, weight, bias = TYPES[dtype], numbers(channels), numbers(channels)
    compare(norm.statistics, reference.statistics, limit, x)
    compare(norm.apply, reference.apply, limit, x, *pending, residual=r)
    compare(norm.backward_reduce, reference.backward_reduce, limit, g, x, *pending, store=True)
    found = norm.finish(norm.statistics(x), weight, bias, epsilon=1e-5)
    wanted = reference.finish(reference.statistics(exact(x)), exact(weight), exact(bias), epsilon=1e-5)
    agree(found, wanted, 1e-4)
    sums = norm.backward_reduce(g, x, centre=found.mean)[1]
    compare(norm.coefficients, reference.coefficients, 1e-3, sums, found, 6 * 63, weight, centre=found.mean)
    backward = norm.coefficients(sums, found, 6 * 63, weight, centre=found.mean)
    compare(norm.backward_apply, reference.backward_apply, limit, g, x, backward)


def test_a_batch_and_an_optimizer_step_are_those_of_stock_operators() -> None:
    torch.manual_seed(0)
    images, labels = torch.randint(256, (50, 3, 12, 10), dtype=torch.uint8), torch.arange(50)
    table, fill = torch.randn(256, 3), torch.tensor([3, 100, 255], dtype=torch.uint8)
    order, offsets, flips = torch.randperm(50), torch.randint(9, (2, 50)), torch.rand(50) < 0.5
    everything = (images, table, order, offsets, flips, torch.tensor([1]))
    named = {"pad": 4, "fill": fill, "labels": labels}
    wanted = augment.batch(*everything, 16, **named)  # type: ignore[arg-type]
    there = {name: value.to(DEVICE) if isinstance(value, torch.Tensor) else value for name, value in named.items()}
    found = augment.batch(*(tensor.to(DEVICE) for tensor in everything), 16, **there)  # type: ignore[arg-type]
    assert torch.equal(found[0].cpu(), wanted[0])
    assert torch.equal(found[1].cpu(), wanted[1])  # type: ignore[union-attr]
    values, gradients, momenta = (torch.randn(1000) for _ in range(3))
    rates, step, rule = (
        torch.tensor([0.5, 0.1]),
        torch.tensor([1]),
        {"momentum": 0.9, "weight_decay": 0.1, "decayed": 600},
    )
    mine = [tensor.to(DEVICE) for tensor in (values, gradients, momenta, rates, step)]
    sgd.nesterov(*mine, **rule)  # type: ignore[arg-type]
    sgd.nesterov(values, gradients, momenta, rates, step, **rule)  # type: ignore[arg-type]
    assert torch.allclose(mine[0].cpu(), values, rtol=1e-5, atol=1e-6)
    assert torch.allclose(mine[2].cpu(), momenta, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("way", [None, Way.LIBRARY, Way.TILED, Way.GROUPED, Way.BATCHED, Way.GROUPS])
@pytest.mark.parametrize("dtype", TYPES)
def test_a_program_agrees_with_stock_modules_in_float64(name: str, way: Way | None, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    network_plan = plan(NETWORKS[name])
    stock = build(network_plan)
    fast = copy.deepcopy(stock).to(DEVICE)
    stock = stock.double()
    for parameter in fast.parameters():
        parameter.grad = torch.zeros_like(parameter)
    images, labels = torch.randn(64, 1, 8, 8), torch.randint(10, (64,))
    wanted = stock(images.double())
    functional.cross_entropy(wanted, labels).backward()
    program = Program(network_plan, fast, ChannelsLast(64, DEVICE, dtype, way))
    there = labels.to(DEVICE)
    loss = program.loss(images.to(DEVICE), lambda logits: functional.cross_entropy(logits, there))
    bf16 = dtype == torch.bfloat16
    assert loss.item() == pytest.approx(functional.cross_entropy(wanted, labels).item(), rel=3e-2 if bf16 else 1e-4)
    every = [
        torch.cat([parameter.grad.flatten().double().cpu() for parameter in module.parameters()])  # type: ignore[union-attr]
        for module in (fast, stock)
    ]
    difference = (every[0] - every[1]).norm() / every[1].norm()
    assert difference < (0.1 if bf16 else 1e-3)
    for key, buffer in stock.named_buffers():
        assert torch.allclose(
            fast.get_buffer(key).double().cpu(), buffer.double(), rtol=0.05, atol=2e-2 if bf16 else 1e-4
        ), key


def data() -> TrainingData:
    found = TrainingData.split(DIGITS, DEVICE, fraction=0.25, seed=0, augmentation=RECIPE.augmentation)
    return dataclasses.replace(found, flip=True)


def engine(name: str, *, record: bool, **settings: Any) -> Engine:
    """In float32, so that two ways to run the same operations can be compared."""
    made = Engine(plan(NETWORKS[name]), data(), RECIPE, seed=3, mixed=False, detailed=True, **settings)
    assert isinstance(made.steps, GraphedSteps)
    made.steps.record = record
    return made


def losses(made: Engine) -> list[float]:
    found: list[float] = []
    made.run(on_step=lambda _report: found.append(made._losses[-1].item()))
    return found


@needs_cuda
@pytest.mark.parametrize("name", NETWORKS)
def test_a_recorded_training_is_the_one_that_is_computed(name: str) -> None:
    recorded, computed = engine(name, record=True), engine(name, record=False)
    assert losses(recorded) == pytest.approx(losses(computed), rel=1e-5)
    for mine, theirs in zip(recorded.curve, computed.curve, strict=True):
        assert mine.val_accuracy == pytest.approx(theirs.val_accuracy, abs=0.3)
    for (key, mine), theirs in zip(
        recorded.network.state_dict().items(), computed.network.state_dict().values(), strict=True
    ):
        assert torch.allclose(mine.double(), theirs.double(), rtol=1e-3, atol=1e-4), key


@needs_cuda
@pytest.mark.parametrize("name", NETWORKS)
def test_a_recorded_training_is_about_that_of_the_eager_engine(name: str) -> None:
    eager = Engine(plan(NETWORKS[name]), data(), RECIPE, seed=3, mixed=False, engine="eager")
    found, wanted = losses(engine(name, record=True)), losses(eager)
    assert found[:6] == pytest.approx(wanted[:6], rel=5e-3)
    assert found == pytest.approx(wanted, rel=0.15)


@needs_cuda
def test_a_recorded_training_that_was_stopped_goes_on(tmp_path: Path) -> None:
    whole = losses(engine("condensed", record=True))
    with pytest.raises(Stopped):
        engine("condensed", record=True, checkpoint=tmp_path / "c.pt", stop=StopAt(11)).run()
    resumed = engine("condensed", record=True, checkpoint=tmp_path / "c.pt")
    assert resumed.load()
    assert losses(resumed) == pytest.approx(whole[11:], rel=1e-4)


@needs_cuda
def test_no_step_waits_for_the_device() -> None:
    made = engine("flgc", record=False)
    steps = made.steps
    assert isinstance(steps, GraphedSteps)
    made.network.train()
    steps.begin(seed=1, epoch=0, first=0)
    steps.step()  # tables are made and kernels compiled
    with forbidden_to_wait():
        made.objective.begin_step(0.5)
        steps.step()


@contextmanager
def forbidden_to_wait() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_cuda
def test_the_memory_of_a_trial_is_free_when_it_is_over() -> None:
    def trial(name: str) -> None:
        engine(name, record=True).run()

    trial("fixed")  # contexts, handles, workspaces
    gc.collect()
    torch.cuda.empty_cache()
    allocated, reserved = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
    for name in ("interleaved", "fixed", "condensed", "fixed"):
        trial(name)
        gc.collect()
        torch.cuda.empty_cache()
        assert torch.cuda.memory_allocated() <= allocated + 2**20, name
        assert torch.cuda.memory_reserved() <= reserved + 2**22, name


@needs_cuda
def test_a_trial_that_does_not_fit_is_a_training_error_and_the_next_one_runs() -> None:
    wide = InvertedResidual(expansion=6, expand=Group(groups=2), project=Group(groups=2))
    stage = Stage(block=wide, width=256, repeats=8, stride=1)
    big = Architecture(family="test", input_shape=(1, 8, 8), num_classes=10, stem_channels=64, stages=(stage,))
    total = torch.cuda.get_device_properties(DEVICE).total_memory
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + 2**30) / total))
    try:
        with pytest.raises(TrainingError, match="out of memory"):
            Engine(plan(big), data(), RECIPE.adapted(batch_size=1024), seed=3).run()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    gc.collect()
    engine("fixed", record=True).run()


@needs_cuda
def test_networks_whose_images_decide_run_step_by_step() -> None:
    block = InvertedResidual(expansion=2, expand=Group(groups=2), project=MultiSpectral(heads=2, keep=0.5))
    stages = (Stage(block=block, width=8, repeats=1, stride=2),)
    gated = Architecture(family="test", input_shape=(1, 8, 8), num_classes=10, stem_channels=8, stages=stages)
    made = Engine(plan(gated), data(), RECIPE, seed=3)
    assert not isinstance(made.steps, GraphedSteps)
    assert made.fast
    made.run()
    assert len(made.curve) == RECIPE.epochs


def test_modules_stay_on_their_device() -> None:
    made = Engine(plan(NETWORKS["fixed"]), data(), RECIPE, seed=3)
    assert all(parameter.device.type == DEVICE.type for parameter in made.network.parameters())
    assert isinstance(made.network, nn.Sequential)
