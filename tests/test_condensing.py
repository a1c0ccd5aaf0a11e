"""Condensing layers: which inputs they drop and when, that they resume exactly, and what they become."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.equality import finished, lowered_as_it_is, randomised
from torch import nn

from igcnas.errors import ExportError
from igcnas.modules.build import build
from igcnas.modules.layers import CondensingLinear, LearnedGroupConv
from igcnas.modules.lowering import lower
from igcnas.network.cost import count_plan
from igcnas.network.grouping import Condensing
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.plan import Plan
from igcnas.network.primitives import Convolution, Gather, GlobalPool, Linear, Norm, Permutation, Sequence


def conv(channels: int, filters: int, stride: int = 1, **grouping: int) -> Convolution:
    return Convolution("mix", channels, filters, 1, stride, 1, (5, 4), Condensing(**grouping))


def one_layer(channels: int, filters: int, stride: int = 1, **grouping: int) -> Plan:
    learned = conv(channels, filters, stride, **grouping)
    return Plan(Sequence("", (learned, Norm("norm", filters, learned.out_size))), (channels, 5, 4))


def classifier(inputs: int, classes: int, factor: int, *, bias: bool = True) -> Plan:
    layers = (GlobalPool("pool", inputs, (2, 2)), Linear("classifier", inputs, classes, bias=bias, factor=factor))
    return Plan(Sequence("", layers), (inputs, 2, 2))


def layer(channels: int, filters: int, rules: GroupingRules | None = None, **grouping: int) -> LearnedGroupConv:
    torch.manual_seed(0)
    module = LearnedGroupConv(conv(channels, filters, **grouping))
    module.configure(rules or GroupingRules())
    return module


def by_hand(weight: torch.Tensor, groups: int, factor: int, stages: int) -> list[list[int]]:
    """The paper's rule in plain Python, for weights that do not change between the stages."""
    kept = []
    for group in range(groups):
        importance = weight[group::groups].abs().sum(0).flatten().tolist()
        alive = list(range(len(importance)))
        for _ in range(stages):
            worst = sorted(alive, key=lambda i: importance[i])[: len(importance) // factor]
            alive = [i for i in alive if i not in worst]
        kept.append(alive)
    return kept


@pytest.mark.parametrize(("until", "factor"), [(0.5, 4), (1.0, 3), (0.25, 2), (0.7, 8)])
def test_stages_are_spread_evenly_over_their_share_of_training(until: float, factor: int) -> None:
    module = layer(16, 8, GroupingRules(condense_until=until), groups=2, factor=factor)
    steps = 8400  # divides by all of these
    came = []
    for step in range(steps):
        before = int(module.stage)
        module.begin_step(step / steps)
        came += [step] * (int(module.stage) - before)
    wanted = [round(until * stage / (factor - 1) * steps) for stage in range(1, factor)]
    assert came == [step for step in wanted if step < steps]
    module.finish()
    assert int(module.stage) == factor - 1


@given(
    groups=st.integers(1, 4),
    rows=st.integers(1, 4),
    channels=st.integers(1, 20),
    factor=st.integers(1, 20),
    ties=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_each_stage_drops_the_inputs_with_the_smallest_sum_of_absolute_weights(
    groups: int, rows: int, channels: int, factor: int, ties: bool, seed: int
) -> None:
    factor = min(factor, channels)
    module = layer(channels, groups * rows, groups=groups, factor=factor)
    torch.manual_seed(seed)
    module.weight.data = torch.randint(-2, 3, module.weight.shape).float() if ties else torch.randn(module.weight.shape)
    for stage in range(1, factor):
        module.begin_step(0.5 * stage / (factor - 1))
        assert module.kept_inputs() == by_hand(module.weight.detach(), groups, factor, stage)
    module.finish()
    kept = Condensing(groups=groups, factor=factor).kept_inputs(channels)
    assert all(len(inputs) == kept for inputs in module.kept_inputs())
    assert int(module.mask().sum()) == conv(channels, groups * rows, groups=groups, factor=factor).connections


def test_what_is_dropped_stays_dropped_even_if_its_weights_grow() -> None:
    module = layer(8, 4, groups=2, factor=4)
    module.begin_step(0.2)
    dropped = module.mask() == 0
    module.weight.data[dropped] = 100.0
    module.finish()
    assert not module.mask()[dropped].any()


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("until", [0.0, 0.5, 1.0])
def test_a_training_of_few_steps_ends_with_all_stages_done(steps: int, until: float) -> None:
    module = layer(9, 4, GroupingRules(condense_until=until), groups=2, factor=4)
    for step in range(steps):
        module.begin_step(step / steps)
    module.finish()
    assert [len(inputs) for inputs in module.kept_inputs()] == [3, 3]


def run(module: LearnedGroupConv, steps: range) -> None:
    """Some deterministic training: the weights move, so that when a stage comes makes a difference."""
    for step in steps:
        module.begin_step(step / 40)
        torch.manual_seed(step)
        with torch.no_grad():
            module.weight += 0.3 * torch.randn_like(module.weight)


@pytest.mark.parametrize("stop", [3, 7, 8, 20])
def test_a_resumed_training_drops_the_same_inputs_at_the_same_steps(stop: int) -> None:
    whole = layer(16, 8, groups=2, factor=4)
    run(whole, range(40))
    first, second = layer(16, 8, groups=2, factor=4), layer(16, 8, groups=2, factor=4)
    run(first, range(stop))
    second.begin_step(0.9)  # wherever the other module was, the state decides
    second.load_state_dict(first.state_dict())
    run(second, range(stop, 40))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(second.state_dict()[name], tensor), name


def test_dropped_weights_get_no_gradient() -> None:
    module = layer(8, 4, groups=2, factor=2)
    module.finish()
    module(torch.rand(2, 8, 3, 3)).sum().backward()
    assert module.weight.grad is not None
    assert torch.equal(module.weight.grad[:, :, 0, 0] != 0, module.mask().bool())


def lasso(module: LearnedGroupConv) -> torch.Tensor:
    penalty = module.penalty()
    assert penalty is not None
    return penalty


def test_the_group_lasso_is_the_sum_of_norms_over_groups_and_the_inputs_they_have() -> None:
    module = layer(8, 6, GroupingRules(group_lasso=0.25), groups=3, factor=3)
    module.begin_step(0.3)
    kept = {(g, i) for g, inputs in enumerate(module.kept_inputs()) for i in inputs}
    norms = {(g, i): module.weight.detach()[g::3, i].norm() for g, i in kept}
    assert len(norms) == 3 * 6
    dropped = 3 * 8 - len(norms)  # each a constant 1e-3, as in the authors' code
    assert lasso(module).item() == pytest.approx(0.25 * (sum(norms.values()).item() + 1e-3 * dropped))
    lasso(module).backward()
    assert module.weight.grad is not None
    for group in range(3):
        for i in range(8):
            column = module.weight.detach()[group::3, i]
            wanted = 0.25 * column / norms[group, i] if (group, i) in kept else torch.zeros_like(column)
            torch.testing.assert_close(module.weight.grad[group::3, i], wanted)
    assert layer(6, 4, groups=2, factor=3).penalty() is None


@pytest.mark.parametrize(("groups", "factor", "ends"), [(4, 4, 3), (2, 2, 1), (8, 8, 7), (2, 4, 1), (4, 2, None)])
def test_the_group_lasso_ends_with_stage_groups_minus_one_as_in_the_authors_code(groups, factor, ends) -> None:
    module = layer(8, 8, GroupingRules(group_lasso=1.0), groups=groups, factor=factor)
    for step in range(100):
        module.begin_step(step / 100)
        assert (lasso(module).item() == 0) == (ends is not None and int(module.stage) >= ends), step
    if groups == factor:  # as in all of their networks: the second half of training
        module.weight.grad = None
        lasso(module).backward()
        assert module.weight.grad is not None
        assert not module.weight.grad.any()
        early = layer(8, 8, GroupingRules(group_lasso=1.0), groups=groups, factor=factor)
        early.begin_step(0.49)
        assert lasso(early).item() > 0


def test_norms_below_a_thousandth_have_no_gradient() -> None:
    module = layer(4, 2, GroupingRules(group_lasso=1.0), groups=2, factor=2)
    module.weight.data.fill_(1e-2)
    module.weight.data[:, 0] = 1e-4
    lasso(module).backward()
    assert lasso(module).item() == pytest.approx(2 * 1e-3 + 6 * 1e-2)
    assert module.weight.grad is not None
    assert module.weight.grad[:, 0].tolist() == [[[0.0]], [[0.0]]]
    torch.testing.assert_close(module.weight.grad[:, 1:], torch.ones(2, 3, 1, 1))


def test_the_group_lasso_has_a_finite_gradient_where_weights_are_zero() -> None:
    module = layer(6, 4, GroupingRules(group_lasso=1.0), groups=2, factor=3)
    module.weight.data[:, 0] = 0.0
    penalty = module.penalty()
    assert penalty is not None
    penalty.backward()
    assert module.weight.grad is not None
    assert module.weight.grad.isfinite().all()
    assert module.weight.grad[:, 1:].abs().min() > 0


@st.composite
def layers(draw: st.DrawFn) -> tuple[Plan, nn.Sequential]:
    groups, channels = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    filters, factor = groups * draw(st.integers(1, 4)), draw(st.integers(1, channels))
    network = one_layer(channels, filters, draw(st.integers(1, 3)), groups=groups, factor=factor)
    return network, randomised(network, draw(st.integers(0, 10**6)))


@given(layers(), st.floats(0, 1))
@settings(max_examples=150)
def test_masked_and_lowered_layers_are_the_same_function_after_any_stage(
    drawn: tuple[Plan, nn.Sequential], progress: float
) -> None:
    network, module = drawn
    module.mix.begin_step(progress)
    conv = network.root.layers[0]
    assert isinstance(conv, Convolution)
    lowered = lowered_as_it_is(network, module)
    living = int(module.mix.mask().sum())
    assert count_plan(lowered.plan).macs == living * conv.out_size[0] * conv.out_size[1]
    moved = [layer for layer in lowered.plan.root.layers if isinstance(layer, Permutation)]
    assert all(1 < layer.groups < layer.channels for layer in moved)  # others move nothing
    finished(module)
    assert count_plan(lowered_as_it_is(network, module).plan) == count_plan(network)


def test_a_channel_may_serve_several_groups_or_none() -> None:
    network = one_layer(4, 4, groups=2, factor=2)
    module = randomised(network)
    module.mix.weight.data = torch.tensor([[3.0, 2, 0, 0], [0, 5, 0, 6], [3, 2, 0, 0], [0, 5, 0, 6]])[:, :, None, None]
    finished(module)
    lowered = lowered_as_it_is(network, module)
    assert lowered.plan.root.layers[:-1] == (
        Gather("mix_in", (0, 1, 1, 3)),
        Convolution("mix", 4, 4, 1, 1, 2, (5, 4)),
        Permutation("mix_out", 4, 2),
    )
    assert lowered.assignments == {"mix": {"filters": [0, 1, 0, 1], "kept": [0, 1, 1, 3]}}


def test_nothing_dropped_is_a_plain_dense_convolution() -> None:
    network = one_layer(4, 4, groups=2, factor=1)
    lowered = lowered_as_it_is(network, finished(randomised(network)))
    assert lowered.plan.root.layers[0] == Convolution("mix", 4, 4, 1, 1, 1, (5, 4))


@given(
    inputs=st.integers(1, 20),
    classes=st.integers(1, 5),
    factor=st.integers(2, 20),
    bias=st.booleans(),
    progress=st.floats(0, 1),
)
def test_a_condensing_linear_layer_is_a_gather_and_a_smaller_one(
    inputs: int, classes: int, factor: int, bias: bool, progress: float
) -> None:
    network = classifier(inputs, classes, min(factor, inputs), bias=bias)
    module = randomised(network)
    if min(factor, inputs) > 1:
        assert isinstance(module.classifier, CondensingLinear)
        module.classifier.begin_step(progress)
        lowered_as_it_is(network, module)
    lowered = lowered_as_it_is(network, finished(module))
    assert count_plan(lowered.plan) == count_plan(network)
    last = lowered.plan.root.layers[-1]
    assert isinstance(last, Linear)
    assert (last.factor, last.bias) == (1, bias)


def test_the_inputs_that_a_linear_layer_keeps_are_those_with_the_largest_weights() -> None:
    network = classifier(6, 2, 3)
    module = randomised(network)
    module.classifier.weight.data = torch.tensor([[1.0, -6, 0, 2, 5, 0], [1.0, 6, 0, -9, 0, 0]])
    lowered = lowered_as_it_is(network, finished(module))
    assert lowered.assignments == {"classifier": {"kept": [1, 3]}}
    assert lowered.plan.root.layers[1:] == (Gather("classifier_in", (1, 3)), Linear("classifier", 2, 2))


@pytest.mark.parametrize("network", [one_layer(4, 4, groups=2, factor=2), classifier(4, 3, 2)], ids=["conv", "linear"])
def test_a_module_of_another_plan_is_refused_in_one_line(network: Plan) -> None:
    plain = [
        layer._replace(learned=None)
        if isinstance(layer, Convolution)
        else layer._replace(factor=1)
        if isinstance(layer, Linear)
        else layer
        for layer in network.root.layers
    ]
    layers = tuple(plain)
    with pytest.raises(
        ExportError, match=r"^layer \w+ is a (Conv2d|Linear), not a (LearnedGroupConv|CondensingLinear), [^\n]*$"
    ):
        lower(network, build(Plan(Sequence("", layers), network.input_shape)))


def test_under_autocast_the_layers_run_in_its_type() -> None:
    module = build(classifier(8, 3, 2))
    with torch.autocast("cpu", torch.bfloat16):
        assert module(torch.rand(2, 8, 2, 2)).dtype == torch.bfloat16
        assert layer(8, 4, groups=2, factor=2)(torch.rand(2, 8, 3, 3)).dtype == torch.bfloat16
