"""The fast program against stock PyTorch, which is the oracle: outputs, gradients, statistics, whole trainings."""

from __future__ import annotations

import ast
import copy
import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.networks import searched
from torch.nn import functional

from igcnas.execution import make_program
from igcnas.execution.cpu import compiled, convolution, depthwise, depthwise_gradients, elementwise
from igcnas.execution.cpu.gather import gather
from igcnas.execution.cpu.tiles import PIECE
from igcnas.modules.build import build
from igcnas.modules.layers import LEARNED, LearnedModule
from igcnas.network.grouping import DynamicChannels
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import (
    Activation,
    Concat,
    Convolution,
    GlobalPool,
    Layer,
    Linear,
    Norm,
    PadShortcut,
    Permutation,
    Pool,
    Residual,
    Sequence,
)
from igcnas.search.space import known_spaces
from igcnas.system.folders import sources_hash
from igcnas.training.augment import crop, padded
from igcnas.training.flat import FlatSGD
from igcnas.training.grouping_loss import GroupingLoss
from igcnas.training.optimizer import make_optimizer
from igcnas.training.recipes import short_recipe, short_settings
from igcnas.training.tensors import ImageTensors, TrainingData

ACTIVATIONS = (lambda x: x, lambda x: x, torch.relu, lambda x: functional.hardtanh(x, 0.0, 6.0))


def _close(found: np.ndarray, wanted: torch.Tensor, tolerance: float = 2e-6) -> None:
    difference = np.linalg.norm(found.astype(np.float64) - wanted.detach().numpy())
    assert difference <= tolerance * max(0.1, float(wanted.detach().norm())), f"relative {difference}"


@given(
    batch=st.sampled_from([1, 3, 16, 40]),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    per_group=st.tuples(st.integers(1, 6), st.integers(1, 9)),
    groups=st.integers(1, 5),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 3),
    code=st.integers(0, 3),
    lazy=st.booleans(),
    first=st.booleans(),
    last=st.booleans(),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=300, deadline=None)
def test_a_convolution_of_any_shape_equals_torch_in_float64_forwards_and_backwards(
    batch: int,
    size: tuple[int, int],
    per_group: tuple[int, int],
    groups: int,
    kernel: int,
    stride: int,
    code: int,
    lazy: bool,
    first: bool,
    last: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    ins, outs = per_group[0] * groups, per_group[1] * groups
    x = rng.normal(size=(ins, *size, batch)).astype(np.float32)
    weight = rng.normal(size=(outs, per_group[0], kernel, kernel)).astype(np.float32)
    rows = rng.permutation(ins)
    scale, shift, mean = (rng.normal(size=ins).astype(np.float32) for _ in range(3))
    if code == 0:
        scale[:], shift[:] = 1.0, 0.0
    if code == 3:
        scale, shift = 4.0 * scale, shift + 3.0  # about as many beyond six as below zero
    seen = torch.tensor(x, dtype=torch.float64) * torch.tensor(scale).view(-1, 1, 1, 1) + torch.tensor(shift).view(
        -1, 1, 1, 1
    )
    seen.requires_grad_()
    kernels = torch.tensor(weight, dtype=torch.float64, requires_grad=True)
    wanted = functional.conv2d(
        ACTIVATIONS[code](seen)[rows].permute(3, 0, 1, 2), kernels, stride=stride, padding=kernel // 2, groups=groups
    )
    y = np.full((outs, wanted.shape[2], wanted.shape[3], batch), np.nan, np.float32)
    sums, gsums = np.full((outs, 3), np.nan), np.full((ins, 2), np.nan)
    ring, line, acc = np.full(400_000, np.nan, np.float32), np.zeros(20_000, np.float32), np.zeros((4, PIECE), "f4")
    value, made = (x, rows, scale, shift, code, mean), (y, sums, True)
    is_pointwise, is_depthwise = kernel == stride == 1, kernel == 3 and per_group == (1, 1)
    if is_pointwise:
        flat = weight.reshape(outs, -1)
        made = (y.reshape(outs, -1), sums, True)
        convolution.pointwise_forward((x.reshape(ins, -1), *value[1:]), flat, groups, made, ring, acc)
    elif is_depthwise:
        depthwise.forward(value, weight, stride, made, ring)
    else:
        convolution.spatial_forward(value, weight, stride, groups, made, ring, acc)
    channels = wanted.detach().permute(1, 0, 2, 3).flatten(1)
    _close(y, wanted.permute(1, 2, 3, 0))
    count = channels.shape[1]
    largest = float(channels.abs().max())
    assert np.allclose(sums[:, 2] + sums[:, 0] / count, channels.mean(1).numpy(), rtol=1e-5, atol=1e-6 * largest)
    spread = sums[:, 1] / count - (sums[:, 0] / count) ** 2
    assert np.allclose(spread, channels.var(1, unbiased=False).numpy(), rtol=1e-4, atol=1e-6 * (1.0 + largest**2))

    g, (a, b, c) = rng.normal(size=y.shape).astype(np.float32), (rng.normal(size=outs).astype("f4") for _ in range(3))
    slope = a[:, None, None, None] * g + b[:, None, None, None] * y + c[:, None, None, None] if lazy else g
    dx_wanted, dw_wanted = torch.autograd.grad(
        wanted, [seen, kernels], torch.tensor(slope, dtype=torch.float64).permute(3, 0, 1, 2)
    )
    there = rng.normal(size=x.shape).astype(np.float32)
    if code >= 2:
        # Before the last consumer no derivative of the activation is applied: compare what went into the activation.
        raw = torch.autograd.grad(ACTIVATIONS[code](seen).sum(), seen)[0]
        active = raw != 0
    else:
        active = torch.ones_like(seen, dtype=torch.bool)
    if not last:
        plain = seen.detach().requires_grad_()
        again = functional.conv2d(
            plain[rows].permute(3, 0, 1, 2), kernels, stride=stride, padding=kernel // 2, groups=groups
        )
        dx_wanted = torch.autograd.grad(again, plain, torch.tensor(slope, dtype=torch.float64).permute(3, 0, 1, 2))[0]
    if not first:
        dx_wanted = dx_wanted + torch.tensor(there) * (active if last else 1.0)
    dx, dw = there.copy(), np.full_like(weight, np.nan)
    gradient, target = (g, y, a, b, c, lazy), (dx, first, last, gsums)
    if is_pointwise:
        gradient = (g.reshape(outs, -1), y.reshape(outs, -1), a, b, c, lazy)
        target, seen_flat = (dx.reshape(ins, -1), first, last, gsums), (x.reshape(ins, -1), *value[1:])
        dw_flat = dw.reshape(outs, -1)
        convolution.pointwise_backward(seen_flat, flat, groups, gradient, target, dw_flat, True, ring, acc)
    elif is_depthwise and stride == 1:
        depthwise_gradients.backward(value, weight, gradient, target, dw, ring, acc)
    elif is_depthwise and stride == 2:
        depthwise_gradients.backward_strided(value, weight, gradient, target, dw, ring, line)
    else:
        convolution.spatial_weight_grad(value, stride, groups, gradient, dw, ring, line)
        convolution.spatial_input_grad(value, weight, stride, groups, gradient, target, ring, line, acc)
    _close(dw, dw_wanted)
    _close(dx, dx_wanted)
    if last:
        centred = dx.astype(np.float64) * (x - mean[:, None, None, None])
        assert np.allclose(gsums[:, 0], dx.astype(np.float64).sum((1, 2, 3)), atol=1e-3 + 1e-4 * np.abs(dx).sum())
        assert np.allclose(gsums[:, 1], centred.sum((1, 2, 3)), atol=1e-3 + 1e-4 * np.abs(centred).sum())


def test_a_large_mean_does_not_drown_the_variance() -> None:
    x = (1e4 + np.random.default_rng(0).normal(size=(2, 5000))).astype(np.float32)
    sums = np.zeros((2, 3))
    elementwise.statistics(x, sums)
    variance = sums[:, 1] / 5000 - (sums[:, 0] / 5000) ** 2
    assert np.allclose(variance, x.astype(np.float64).var(1), rtol=1e-3)


class Compared:
    """Loss, gradients and state of one batch, by stock modules in float64, and by both engines."""

    def __init__(self, network_plan: Plan, *, batch: int = 12, rules: GroupingRules | None = None) -> None:
        rules = rules or GroupingRules(gate_scale=0.1, group_lasso=1e-3)
        torch.manual_seed(0)
        network = build(network_plan)
        for parameter in network.parameters():  # nothing at its special first value
            parameter.data += 0.05 * torch.randn_like(parameter)
        images = torch.randn(batch, *network_plan.input_shape)
        labels = torch.randint(5, (batch,))
        self.found: dict[str, tuple[torch.Tensor, dict[str, torch.Tensor], dict[str, torch.Tensor], torch.Tensor]] = {}
        for name in ("exact", "eager", "fast"):
            copied = copy.deepcopy(network)
            # learned layers compute what decides in float32, whatever the rest
            exact = name == "exact" and not any(isinstance(module, LearnedModule) for module in network.modules())
            if exact:
                copied = copied.double()
            pictures = images.double() if exact else images
            objective = GroupingLoss(copied, network_plan, rules)
            objective.begin_step(0.3)
            for parameter in copied.parameters():
                parameter.grad = torch.zeros_like(parameter)

            def loss_of(logits: torch.Tensor, objective: GroupingLoss = objective) -> torch.Tensor:
                return objective(functional.cross_entropy(logits, labels, label_smoothing=0.1))

            copied.train()
            if name == "fast":
                program = make_program(network_plan, copied, batch)
                loss = program.loss(pictures, loss_of)
                gradients = {key: p.grad.clone() for key, p in copied.named_parameters() if p.grad is not None}
                objective.begin_step(0.3)
                for parameter in copied.parameters():
                    parameter.grad.zero_()  # type: ignore[union-attr]
                again = program.loss(pictures, loss_of)  # buffers are used again, and hold nothing over
                assert again.item() == loss.item()
                for key, parameter in copied.named_parameters():
                    assert torch.equal(parameter.grad, gradients[key]), f"{key} differs in a second pass"  # type: ignore[arg-type]
                state = {key: value.clone() for key, value in copied.state_dict().items()}
                copied.eval()
                logits = program.answer(pictures[: batch - 1])
            else:
                loss = loss_of(copied(pictures))
                loss.backward()
                gradients = {key: p.grad.clone() for key, p in copied.named_parameters() if p.grad is not None}
                if name == "eager":
                    objective.begin_step(0.3)
                    copied(pictures)  # the fast one has passed twice, too
                state = {key: value.clone() for key, value in copied.state_dict().items()}
                copied.eval()
                logits = copied(pictures[: batch - 1]).detach()
            self.found[name] = loss.detach(), gradients, state, logits

    def check(self) -> None:
        """The fast engine is about as near to the exact result as stock PyTorch in float32."""
        exact, eager, fast = (self.found[name] for name in ("exact", "eager", "fast"))
        assert fast[0].double().item() == pytest.approx(exact[0].double().item(), rel=1e-4)
        scale = max(float(g.double().norm()) for g in exact[1].values())
        for key, gradient in exact[1].items():
            far = float((eager[1][key].double() - gradient.double()).norm())
            mine = float((fast[1][key].double() - gradient.double()).norm())
            assert mine <= 20 * far + 1e-4 * float(gradient.norm()) + 1e-6 * scale, f"{key}: {mine} against {far}"
        for key, tensor in eager[2].items():
            assert torch.allclose(fast[2][key].double(), tensor.double(), rtol=1e-3, atol=1e-4), key
        assert torch.allclose(fast[3].double(), eager[3].double(), rtol=1e-3, atol=1e-4)


SEARCHED = {f"{one.family}-{one.id}": one for name in known_spaces() for one in searched(name)}


@pytest.mark.parametrize("name", SEARCHED)
def test_a_searched_network_has_the_loss_gradients_and_statistics_of_stock_pytorch(name: str) -> None:
    Compared(plan(SEARCHED[name])).check()


def test_every_kind_of_learned_grouping_is_among_the_networks_compared() -> None:
    kinds = {
        layer.learned.kind
        for network in SEARCHED.values()
        for _, layer in plan(network).layers()
        if isinstance(layer, Convolution) and layer.learned is not None
    }
    assert kinds >= set(LEARNED) - {"dgc"}, kinds


def test_dynamic_groups_have_the_loss_and_gradients_of_stock_pytorch() -> None:
    learned = DynamicChannels(heads=2, keep=0.5)
    layers = (
        Convolution("conv1", 3, 8, 3, 1, 1, (6, 6)),
        Norm("norm1", 8, (6, 6)),
        Activation("act1", "relu", 8, (6, 6)),
        Convolution("conv2", 8, 6, 3, 2, 1, (6, 6), learned=learned),
        Norm("norm2", 6, (3, 3)),
        GlobalPool("pool", 6, (3, 3)),
        Linear("classifier", 6, 5),
    )
    Compared(Plan(Sequence("", layers), (3, 6, 6))).check()


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any tree of layers that a block could be made of."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(3, 7)), draw(st.integers(3, 7)))
    count = 0

    def unit(channels: int, size: tuple[int, int], depth: int, keep: bool) -> tuple[list[Layer], int, tuple[int, int]]:
        nonlocal count
        layers: list[Layer] = []
        for _ in range(draw(st.integers(1, 4))):
            count += 1
            kinds = ["conv", "depthwise", "norm", "act", "permute"] + ([] if keep else ["pool", "sample"])
            kinds += ["concat"] if depth and not keep else []
            kind = draw(st.sampled_from(kinds + (["residual", "projected"] if depth else [])))
            name = f"{kind}{count}"
            if kind == "conv":
                groups = draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
                out = channels if keep else groups * draw(st.integers(1, 5))
                stride = 1 if keep else draw(st.sampled_from([1, 1, 2]))
                layers.append(Convolution(name, channels, out, draw(st.sampled_from([1, 3])), stride, groups, size))
                channels, size = out, layers[-1].out_size
            elif kind == "depthwise":
                stride = 1 if keep else draw(st.sampled_from([1, 2]))
                layers.append(Convolution(name, channels, channels, 3, stride, channels, size))
                size = layers[-1].out_size
            elif kind == "norm":
                layers.append(Norm(name, channels, size))
            elif kind == "act":
                layers.append(Activation(name, draw(st.sampled_from(["relu", "relu6"])), channels, size))
            elif kind == "permute":
                groups = draw(st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0]))
                layers.append(Permutation(name, channels, groups))
            elif kind == "pool":
                layers.append(_pool(name, channels, draw(st.booleans()), size))
                size = layers[-1].out_size
            elif kind == "sample":
                layers.append(PadShortcut(name, channels, channels + draw(st.integers(0, 3)), 2, size))
                channels, size = layers[-1].out_channels, (-(-size[0] // 2), -(-size[1] // 2))
            elif kind == "concat":
                body, grown, _ = unit(channels, size, depth - 1, True)
                layers.append(Concat(name, Sequence("body", tuple(body))))
                channels += grown
            elif kind == "residual":
                body, _, _ = unit(channels, size, depth - 1, True)
                layers.append(Residual(name, Sequence("body", tuple(body)), Sequence("shortcut", ())))
            else:
                body, _, _ = unit(channels, size, depth - 1, True)
                other = (Convolution("conv", channels, channels, 1, 1, 1, size), Norm("norm", channels, size))
                layers.append(Residual(name, Sequence("body", tuple(body)), Sequence("shortcut", other)))
        return layers, channels, size

    layers, channels, size = unit(*shape[:1], shape[1:], 2, False)
    end = (GlobalPool("pool", channels, size), Linear("classifier", channels, 5))
    return Plan(Sequence("", (Sequence("all", tuple(layers)), *end)), shape)


def _pool(name: str, channels: int, largest: bool, size: tuple[int, int]) -> Pool:
    return Pool(name, "max", channels, 3, 2, size) if largest else Pool(name, "average", channels, 2, 2, size)


@given(network=plans())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_tree_of_layers_has_the_loss_and_gradients_of_stock_pytorch(network: Plan) -> None:
    Compared(network).check()


def test_a_permuted_value_that_a_norm_and_another_layer_read_has_its_gradient_in_order() -> None:
    both = Concat("both", Sequence("body", (Norm("norm", 4, (3, 3)),)))
    layers = (Convolution("conv", 2, 4, 1, 1, 1, (3, 3)), Permutation("permute", 4, 2), both)
    end = (GlobalPool("pool", 8, (3, 3)), Linear("classifier", 8, 5))
    Compared(Plan(Sequence("", (*layers, *end)), (2, 3, 3))).check()


def test_a_gradient_that_is_still_read_is_copied_before_another_is_added_to_it() -> None:
    inner = Sequence("body", (Convolution("conv", 4, 4, 1, 1, 1, (3, 3)),))
    nested = Residual("inner", inner, Sequence("shortcut", ()))
    layers = (
        Convolution("stem", 2, 4, 1, 1, 1, (3, 3)),
        Residual("outer", Sequence("body", (nested,)), Sequence("shortcut", ())),
        GlobalPool("pool", 4, (3, 3)),
        Linear("classifier", 4, 5),
    )
    Compared(Plan(Sequence("", layers), (2, 3, 3))).check()


def test_a_gradient_that_two_branches_share_is_not_changed_by_the_first() -> None:
    shortcut = (Pool("pool", "average", 4, 2, 2, (4, 4)), Norm("norm", 4, (2, 2)))
    body = (Convolution("conv", 4, 4, 3, 2, 1, (4, 4)),)
    layers = (
        Convolution("stem", 2, 4, 1, 1, 1, (4, 4)),
        Residual("residual", Sequence("body", body), Sequence("shortcut", shortcut)),
        GlobalPool("pool", 4, (2, 2)),
        Linear("classifier", 4, 5),
    )
    Compared(Plan(Sequence("", layers), (2, 4, 4))).check()


@pytest.mark.parametrize("flip", [True, False])
def test_batches_made_in_one_pass_are_those_of_the_batched_operations_to_the_bit(flip: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (30, 3, 9, 8), dtype=torch.uint8, generator=generator)
    part = ImageTensors(images, torch.arange(30) % 5)
    data = TrainingData(
        training=part,
        validation=part,
        num_classes=5,
        mean=torch.tensor([0.1, 0.4, 0.7]),
        std=torch.tensor([0.2, 0.3, 0.9]),
        flip=flip,
        pad=2,
    )
    chosen, offsets = torch.randperm(30, generator=generator)[:12], torch.randint(5, (2, 12), generator=generator)
    flips = torch.rand(12, generator=generator) < 0.5 if flip else None
    base = padded(images, 2, None)
    wanted = data.normalize(crop(base, chosen, offsets, flips, images.shape[2:]))
    found = gather(base, chosen, offsets, flips, images.shape[2:], data._levels())
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("nesterov", [True, False])
def test_the_flat_optimizer_is_torchs_sgd_with_its_clipping(nesterov: bool) -> None:
    recipe = short_recipe(short_settings(100, epochs=1))
    recipe = dataclasses.replace(recipe, optimizer=dataclasses.replace(recipe.optimizer, nesterov=nesterov))
    torch.manual_seed(0)
    network = build(plan(next(iter(SEARCHED.values()))))
    stock = copy.deepcopy(network)
    flat, wanted = FlatSGD(network, recipe), make_optimizer(stock, recipe)
    for step, size in enumerate((0.02, 3.0, 0.5)):  # below what is clipped, and above
        for mine, other in zip(network.parameters(), stock.parameters(), strict=True):
            gradient = size * torch.randn_like(other) / 50
            assert mine.grad is not None
            mine.grad.copy_(gradient)
            other.grad = gradient
        flat.clip(0.4)
        torch.nn.utils.clip_grad_norm_(stock.parameters(), 0.4)
        for optimizer in (flat, wanted):
            for group in optimizer.param_groups:
                group["lr"] = 0.1 * (step + 1) * group["lr_scale"]
            optimizer.step()
    for (name, mine), other in zip(network.named_parameters(), stock.parameters(), strict=True):
        assert torch.allclose(mine, other, rtol=1e-5, atol=1e-6), name


def test_images_of_another_shape_are_refused_and_not_repeated() -> None:
    network_plan = plan(next(iter(SEARCHED.values())))
    network = build(network_plan)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    program = make_program(network_plan, network, 4)
    for shape in ((4, 3, 8, 8), (4, 1, 8, 1), (5, 1, 8, 8)):
        with pytest.raises(ValueError, match="do not fit"):
            program.loss(torch.randn(shape), torch.sum)


def test_what_kernels_call_is_inlined_so_that_compiled_and_loaded_kernels_give_the_same_bits() -> None:
    folder = Path(convolution.__file__).parent
    decorated: dict[str, set[str]] = {"kernel": set(), "inlined": set()}
    calls: set[str] = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                kinds = {ast.unparse(decorator) for decorator in node.decorator_list} & set(decorated)
                for kind in kinds:
                    decorated[kind].add(node.name)
                if kinds:
                    inner = (call.func for call in ast.walk(node) if isinstance(call, ast.Call))
                    calls |= {function.id for function in inner if isinstance(function, ast.Name)}
    assert len(decorated["kernel"]) > 20
    assert decorated["inlined"] <= calls
    assert not calls & decorated["kernel"]


def test_compiled_kernels_are_kept_under_a_hash_of_all_that_is_inlined_into_them(tmp_path: Path) -> None:
    source = Path(compiled.__file__).parent
    copied = tmp_path / "cpu"
    shutil.copytree(source, copied, ignore=shutil.ignore_patterns("__pycache__"))
    assert sources_hash(copied) == sources_hash(source)
    assert compiled.FOLDERS[0].name.endswith(sources_hash(source))
    lazy = copied / "lazy.py"
    lazy.write_text(lazy.read_text().replace("6.0", "6.5"))
    assert sources_hash(copied) != sources_hash(source)
