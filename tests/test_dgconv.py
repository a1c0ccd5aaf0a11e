"""Groupable convolution: Kronecker gates, their objective, and the group convolution that they become."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.equality import lowered_as_it_is, randomised
from torch import nn

from igcnas.errors import ExportError, IgcnasError
from igcnas.modules.build import build
from igcnas.modules.layers import GroupableConv
from igcnas.modules.lowering import lower
from igcnas.network.cost import count_plan
from igcnas.network.grouping import KroneckerGrouping
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.plan import Plan
from igcnas.network.primitives import Convolution, Gather, Norm, Sequence
from igcnas.training.grouping_loss import GroupingLoss, deciding_parameters


def one_layer(channels: int, *, kernel: int = 3, stride: int = 1, **grouping: Any) -> Plan:
    conv = Convolution("mix", channels, channels, kernel, stride, 1, (5, 4), KroneckerGrouping(**grouping))
    return Plan(Sequence("", (conv, Norm("norm", channels, conv.out_size))), (channels, 5, 4))


def set_gates(module: nn.Module, gates: list[float]) -> GroupableConv:
    assert isinstance(module, GroupableConv)
    module.gates.data = torch.tensor(gates)
    return module


def kronecker(gates: tuple[int, ...]) -> np.ndarray:
    """The definition, in numpy."""
    mask = np.ones((1, 1))
    for gate in gates:
        mask = np.kron(mask, np.ones((2, 2)) if gate else np.eye(2))
    return mask


@pytest.mark.parametrize("bits", [0, 1, 2, 3, 4])
def test_the_mask_is_the_kronecker_product_and_has_2_to_the_k_plus_s_ones(bits: int) -> None:
    module = build(one_layer(2**bits, groups=1, balanced=False)).mix
    for gates in itertools.product((0, 1), repeat=bits):
        set_gates(module, [1e-8 if gate else -1e-8 for gate in gates])
        assert np.array_equal(module.mask().detach().numpy(), kronecker(gates))
        assert int(module.mask().sum()) == 2 ** (bits + sum(gates))
        share = module.share()
        assert share is not None
        assert share.item() == 2.0 ** (bits + sum(gates)) / 4**bits


def test_the_first_gate_is_the_most_significant_bit() -> None:
    module = set_gates(build(one_layer(8, groups=1, balanced=False)).mix, [-1.0, 1.0, 1.0])
    assert module.groups() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert set_gates(module, [1.0, 1.0, -1.0]).groups() == [0, 1, 0, 1, 0, 1, 0, 1]


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0, 2.0]), min_size=1, max_size=5), st.data())
def test_balanced_gates_make_the_planned_groups_and_ties_go_to_the_first(
    gates: list[float], data: st.DataObject
) -> None:
    on = data.draw(st.integers(0, len(gates)))
    module = build(one_layer(2 ** len(gates), groups=2 ** (len(gates) - on))).mix
    ranked = sorted(range(len(gates)), key=lambda k: -gates[k])[:on]
    wanted = [float(k in ranked) for k in range(len(gates))]
    assert set_gates(module, gates).gates_on().tolist() == wanted
    assert module.share() is None


def test_a_gate_at_zero_is_off() -> None:
    module = set_gates(build(one_layer(4, groups=2, balanced=False)).mix, [0.0, -0.0])
    assert module.gates_on().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("balanced", [True, False])
def test_the_gradient_of_a_gate_is_that_of_the_product_at_the_binary_value(balanced: bool) -> None:
    module = build(one_layer(8, groups=2, balanced=balanced)).mix
    upstream = torch.rand(8, 8)
    module.mask().backward(upstream)
    values = module.gates_on().detach().clone().requires_grad_()
    bits = torch.arange(8)[:, None] >> torch.tensor([2, 1, 0]) & 1
    differ = bits[:, None] != bits[None, :]
    (torch.where(differ, values, 1.0).prod(2) * upstream).sum().backward()
    torch.testing.assert_close(module.gates.grad, values.grad)
    assert values.grad is not None
    assert values.grad.abs().min() > 0


@pytest.mark.parametrize("balanced", [True, False])
def test_gates_start_small_at_random_and_the_rule_sets_their_size_once(balanced: bool) -> None:
    torch.manual_seed(0)
    module = build(one_layer(1024, kernel=1, groups=32, balanced=balanced)).mix
    start = module.gates.detach().clone()
    assert len(set((start > 0).tolist())) == 2
    if balanced:
        assert len(set(start.tolist())) == 10
    else:
        assert start.abs().tolist() == pytest.approx([1e-8] * 10)
    rules = GroupingRules(gate_scale=0.1)
    for _ in range(2):
        module.configure(rules)
        torch.testing.assert_close(module.gates.detach(), start * 1e7)
    resumed = build(one_layer(1024, kernel=1, groups=32, balanced=balanced)).mix
    resumed.load_state_dict(module.state_dict())
    resumed.configure(rules)
    assert torch.equal(resumed.gates, module.gates)


def test_a_gate_scale_that_is_not_positive_is_refused() -> None:
    with pytest.raises(IgcnasError, match="gate_scale must be positive"):
        GroupingRules(gate_scale=0.0)


@st.composite
def layers(draw: st.DrawFn) -> tuple[Plan, nn.Sequential]:
    bits = draw(st.integers(0, 5))
    groups = 2 ** draw(st.integers(0, bits))
    options = {"kernel": draw(st.sampled_from([1, 3, 5])), "stride": draw(st.integers(1, 3))}
    network = one_layer(2**bits, groups=groups, balanced=draw(st.booleans()), **options)
    module = randomised(network, draw(st.integers(0, 10**6)))
    set_gates(module.mix, draw(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=bits, max_size=bits)))
    return network, module


@given(layers())
@settings(max_examples=150)
def test_masked_and_lowered_layers_are_the_same_function_and_only_living_weights_are_counted(
    drawn: tuple[Plan, nn.Sequential],
) -> None:
    network, module = drawn
    lowered = lowered_as_it_is(network, module)
    conv = network.root.layers[0]
    assert isinstance(conv, Convolution)
    assert isinstance(conv.learned, KroneckerGrouping)
    living, area = int(module.mix.mask().sum()), conv.kernel**2
    cost = count_plan(lowered.plan)
    assert cost.macs == living * area * conv.out_size[0] * conv.out_size[1]
    assert cost.params == living * area + 2 * conv.out_channels
    if conv.learned.balanced:
        assert cost == count_plan(network)
        assert living == conv.connections


def test_gates_that_are_off_first_make_contiguous_groups_without_a_gather() -> None:
    network = one_layer(8, groups=4)
    module = randomised(network)
    set_gates(module.mix, [-1.0, -1.0, 1.0])
    assert lowered_as_it_is(network, module).plan.root.layers[0] == Convolution("mix", 8, 8, 3, 1, 4, (5, 4))
    set_gates(module.mix, [1.0, -1.0, -1.0])
    lowered = lowered_as_it_is(network, module)
    assert lowered.plan.root.layers[0] == Gather("mix_in", (0, 4, 1, 5, 2, 6, 3, 7))
    groups = [0, 1, 2, 3, 0, 1, 2, 3]
    assert lowered.assignments == {"mix": {"inputs": groups, "filters": groups}}


def test_depthwise_and_dense_are_the_two_ends() -> None:
    network = one_layer(8, groups=4, balanced=False)
    module = randomised(network)
    for gates, groups in (([-1.0] * 3, 8), ([1.0] * 3, 1)):
        set_gates(module.mix, gates)
        lowered = lowered_as_it_is(network, module)
        assert lowered.plan.root.layers[0] == Convolution("mix", 8, 8, 3, 1, groups, (5, 4))


@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_the_penalty_has_slope_ln_2_in_every_gate_on_or_off(on: list[bool]) -> None:
    """The released code's term is 2^(K + sum of gates): its slope is ln 2 times itself, whatever the gate."""
    network = one_layer(2 ** len(on), groups=1, balanced=False)
    module = set_gates(build(network).mix, [1.0 if gate else -1.0 for gate in on])
    share = module.share()
    assert share is not None
    share.backward()
    term = 2.0 ** (len(on) + sum(on))
    assert share.item() * 4 ** len(on) == term
    assert module.gates.grad is not None
    torch.testing.assert_close(module.gates.grad * 4 ** len(on), torch.full((len(on),), math.log(2) * term))


def test_the_ratio_multiplies_loss_and_gradient_as_equation_9() -> None:
    network = two_layers(groups=4, balanced=False)
    module = build(network)
    objective = GroupingLoss(module, network, GroupingRules())
    set_gates(module.small, [1.0, 1.0, -1.0])
    set_gates(module.wide, [1.0, 1.0, -1.0, 1.0])
    loss = torch.tensor(3.0, requires_grad=True)
    zeta, planned, a = 32 + 128, 16 + 64, 0.02
    objective(loss).backward()
    assert loss.grad is not None
    assert loss.grad.item() == pytest.approx((zeta / planned) ** a)
    for layer, own in ((module.small, 32), (module.wide, 128)):
        slope = 3 * a * (zeta / planned) ** (a - 1) / planned * math.log(2) * own
        torch.testing.assert_close(layer.gates.grad, torch.full_like(layer.gates, slope))


def two_layers(**grouping: Any) -> Plan:
    convs = [
        Convolution(name, channels, channels, kernel, 1, 1, (4, 4), KroneckerGrouping(**grouping))
        for name, channels, kernel in (("small", 8, 3), ("wide", 16, 1))
    ]
    return Plan(Sequence("", (convs[0], Convolution("between", 8, 16, 1, 1, 1, (4, 4)), convs[1])), (8, 4, 4))


@pytest.mark.parametrize("ratio_of", ["connections", "macs"])
def test_the_loss_is_multiplied_by_a_power_of_the_connections_beyond_the_plan(ratio_of: str) -> None:
    network = two_layers(groups=4, balanced=False)
    module = build(network)
    objective = GroupingLoss(module, network, GroupingRules(ratio_of=ratio_of, ratio_exponent=0.5))
    set_gates(module.small, [1.0, 1.0, -1.0])  # 32 of 64 connections; 16 are planned
    set_gates(module.wide, [1.0, 1.0, -1.0, 1.0])  # 128 of 256; 64 are planned
    loss = torch.tensor(3.0)
    assert objective(loss).item() == pytest.approx(3.0 * 2**0.5)
    set_gates(module.small, [1.0, 1.0, 1.0])
    weights = (9 * 16, 16) if ratio_of == "macs" else (1, 1)
    wanted = (64 * weights[0] + 128 * weights[1]) / (16 * weights[0] + 64 * weights[1])
    assert objective(loss).item() == pytest.approx(3.0 * wanted**0.5)
    objective(loss).backward()
    assert module.small.gates.grad is not None
    assert (module.small.gates.grad > 0).all()  # every gate would go down
    set_gates(module.small, [-1.0] * 3)
    set_gates(module.wide, [1.0, 1.0, -1.0, -1.0])
    assert objective(loss).item() == 3.0


def test_balanced_gates_leave_the_loss_alone() -> None:
    network = two_layers(groups=4)
    assert GroupingLoss(build(network), network, GroupingRules())(torch.tensor(3.0)).item() == 3.0


def test_gates_are_the_parameters_that_decide() -> None:
    network = two_layers(groups=4)
    module = build(network)
    assert [id(p) for p in deciding_parameters(module)] == [id(module.small.gates), id(module.wide.gates)]


def test_a_module_of_another_plan_is_refused_in_one_line() -> None:
    network = one_layer(4, groups=2)
    plain = network.root._replace(layers=(network.root.layers[0]._replace(learned=None), network.root.layers[1]))
    with pytest.raises(ExportError, match=r"^layer mix is a Conv2d, not a GroupableConv, [^\n]*$"):
        lower(network, build(Plan(plain, network.input_shape)))


def test_under_autocast_the_layer_gives_what_it_gives() -> None:
    module = randomised(one_layer(8, groups=2)).mix
    images = torch.rand(2, 8, 5, 4)
    with torch.no_grad():
        expected = module(images)
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(module(images).float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.cuda
@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch sees no CUDA device; on a CPU nothing is channels_last"
)
def test_in_channels_last_the_layer_gives_what_it_gives() -> None:
    module = randomised(one_layer(8, groups=2)).mix.cuda()
    images = torch.rand(2, 8, 5, 4, device="cuda")
    with torch.no_grad():
        expected = module(images)
        last = module.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, expected, rtol=1e-3, atol=1e-3)
