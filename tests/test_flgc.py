"""Fully learnable group convolution: its gradients, its temperature, and groups of every size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.equality import lowered_as_it_is, randomised
from torch import nn

from igcnas.errors import ArchitectureError, IgcnasError
from igcnas.modules.layers import FullyLearnableGroupConv
from igcnas.modules.layers.flgc import assign
from igcnas.network.cost import count_plan
from igcnas.network.grouping import LearnedGrouping
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.plan import Plan
from igcnas.network.primitives import Convolution, Norm, Sequence, SplitConvolution

logit_values = st.one_of(st.integers(-2, 2).map(float), st.floats(-5, 5, width=32))  # integers: ties


def conv(channels: int = 6, filters: int = 4, stride: int = 1, **grouping: Any) -> Convolution:
    return Convolution("mix", channels, filters, 1, stride, 1, (5, 4), LearnedGrouping(**grouping))


def layer(*args: int, rules: GroupingRules | None = None, **grouping: Any) -> FullyLearnableGroupConv:
    torch.manual_seed(0)
    module = FullyLearnableGroupConv(conv(*args, **grouping))
    module.configure(rules or GroupingRules())
    return module


def expected_gradients(module: FullyLearnableGroupConv, images: torch.Tensor, temperature: float) -> list[torch.Tensor]:
    """The same layer written with detached terms, for the paper's rule or the masked one, differentiated by torch."""
    logits = [module.in_logits.detach().clone(), module.out_logits.detach().clone()]
    rows = []
    for matrix, groups in zip(logits, module.assignments(), strict=True):
        soft = (matrix.requires_grad_() / temperature).softmax(1)
        hard = nn.functional.one_hot(groups, matrix.shape[1]).float()
        passed = soft * hard if module.rules.gradient == "masked" else soft
        rows.append(hard + passed - passed.detach())
    weight = module.weight.detach().clone().requires_grad_()
    mixed = torch.einsum("og,ig,oi,bihw->bohw", rows[1], rows[0], weight[:, :, 0, 0], images)
    (mixed**3).sum().backward()
    return [tensor.grad for tensor in (*logits, weight) if tensor.grad is not None]


@pytest.mark.parametrize("gradient", ["full", "masked"])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
@pytest.mark.parametrize("grouping", [{"balanced": False}, {"balanced": True}, {"balanced": False, "nonempty": True}])
def test_gradients_are_those_of_the_written_out_rule(
    gradient: str, temperature: float, grouping: dict[str, bool]
) -> None:
    module = layer(groups=2, rules=GroupingRules(gradient=gradient, temperature_start=temperature), **grouping)
    images = torch.rand(2, 6, 3, 3)
    (module(images) ** 3).sum().backward()
    found = [module.in_logits.grad, module.out_logits.grad, module.weight.grad]
    for gradient_found, wanted in zip(found, expected_gradients(module, images, temperature), strict=True):
        assert wanted.abs().sum() > 0
        torch.testing.assert_close(gradient_found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gradient", ["full", "masked"])
def test_the_gradients_of_the_logits_of_a_channel_sum_to_zero(gradient: str) -> None:
    module = layer(12, 8, groups=4, balanced=False, rules=GroupingRules(gradient=gradient))
    module(torch.rand(2, 12, 3, 3)).square().sum().backward()
    for logits in (module.in_logits, module.out_logits):
        assert logits.grad is not None
        assert logits.grad.abs().max() > 1e-3
        assert logits.grad.sum(1).abs().max() < 1e-5


def test_the_two_gradient_rules_differ() -> None:
    gradients = []
    for rule in ("full", "masked"):
        module = layer(12, 8, groups=4, balanced=False, rules=GroupingRules(gradient=rule))
        module(torch.ones(2, 12, 3, 3)).square().sum().backward()
        gradients.append(module.in_logits.grad)
    assert gradients[0] is not None
    assert not torch.allclose(gradients[0], gradients[1])


def test_an_unknown_gradient_rule_is_refused_with_the_known_ones() -> None:
    with pytest.raises(IgcnasError, match=r"'soft'.*full, masked"):
        GroupingRules(gradient="soft")


def test_the_temperature_goes_geometrically_and_never_moves_the_groups() -> None:
    module = layer(12, 8, groups=4, rules=GroupingRules(temperature_start=2.0, temperature_end=0.02))
    assert module.temperature.on(torch.device("cpu")) == 2.0
    before = module.assignments()
    seen = []
    for progress in (0.0, 0.25, 0.5, 0.75):
        module.begin_step(progress)
        seen.append(module.temperature.on(torch.device("cpu")))
        assert all(torch.equal(a, b) for a, b in zip(module.assignments(), before, strict=True))
    assert seen == pytest.approx([2.0, 2.0 / 10**0.5, 0.2, 0.2 / 10**0.5])


@st.composite
def matrices(draw: st.DrawFn) -> torch.Tensor:
    groups = draw(st.integers(1, 5))
    channels = draw(st.integers(groups, 20))
    rows = st.lists(logit_values, min_size=groups, max_size=groups)
    return torch.tensor(draw(st.lists(rows, min_size=channels, max_size=channels)))


@given(matrices())
def test_no_group_is_empty_where_that_is_asked_for_and_nothing_moves_without_need(matrix: torch.Tensor) -> None:
    groups = matrix.shape[1]
    free, filled = assign(matrix), assign(matrix, nonempty=True)
    members = torch.bincount(free, minlength=groups)
    assert torch.bincount(filled, minlength=groups).min() >= 1
    assert int((free != filled).sum()) == int((members == 0).sum())


def test_an_empty_group_takes_the_row_that_loses_least() -> None:
    matrix = torch.tensor([[5.0, 0.0, 0.0], [5.0, 4.0, 0.0], [5.0, 0.0, 3.0], [5.0, 3.0, 3.0]])
    assert assign(matrix, nonempty=True).tolist() == [0, 1, 2, 0]  # rows 2 and 3 lose 2 to group 2: the first goes


@given(matrices(), st.sampled_from([1, 2, 4, 16]))
def test_fixed_sizes_are_kept_whatever_the_logits(matrix: torch.Tensor, multiple: int) -> None:
    channels, groups = matrix.shape
    sizes = LearnedGrouping(groups=groups, multiple=multiple).sizes(channels)
    assert sizes is not None
    assert torch.bincount(assign(matrix, sizes=sizes), minlength=groups).tolist() == list(sizes)


@given(groups=st.integers(1, 8), channels=st.integers(1, 300), multiple=st.integers(1, 16))
def test_sizes_are_equal_or_multiples_but_for_the_last(groups: int, channels: int, multiple: int) -> None:
    if groups > channels:
        return
    sizes = LearnedGrouping(groups=groups, multiple=multiple).sizes(channels)
    assert sizes is not None
    assert sum(sizes) == channels
    assert min(sizes) >= 1
    if channels % groups == 0:
        assert len(set(sizes)) == 1
    elif groups * multiple <= channels:
        assert all(size % multiple == 0 for size in sizes[:-1])
        assert max(sizes) - min(sizes) < 2 * multiple


# The 17 projections of MobileNetV2 for CIFAR.
PROJECTIONS = (
    *((32, 16), (96, 24), (144, 24), (144, 32), (192, 32), (192, 32), (192, 64), (384, 64), (384, 64), (384, 64)),
    *((384, 96), (576, 96), (576, 96), (576, 160), (960, 160), (960, 160), (960, 320)),
)


@pytest.mark.parametrize(("groups", "kept"), [(1, 963_200), (3, 321_067), (5, 192_649), (8, 120_400), (16, 60_200)])
def test_nearly_equal_groups_keep_the_weights_of_the_literature(groups: int, kept: int) -> None:
    grouping = LearnedGrouping(groups=groups, multiple=1)
    assert sum(grouping.connections(*widths) for widths in PROJECTIONS) == kept


@pytest.mark.parametrize("stride", [1, 2])
def test_groups_in_multiples_become_one_split_convolution_that_costs_what_was_planned(stride: int) -> None:
    learned = conv(40, 28, stride, groups=3, multiple=8)
    network = Plan(Sequence("", (learned, Norm("norm", 28, learned.out_size))), (40, 5, 4))
    lowered = lowered_as_it_is(network, randomised(network))
    (split,) = (each for _, each in lowered.plan.layers() if isinstance(each, SplitConvolution))
    assert (split.in_groups, split.out_groups) == ((16, 16, 8), (8, 8, 12))
    assert count_plan(lowered.plan) == count_plan(network)
    assert learned.connections == 16 * 8 + 16 * 8 + 8 * 12


@pytest.mark.parametrize("balanced", [True, False])
def test_the_groups_of_a_stored_network_do_not_depend_on_the_rules_it_was_trained_by(balanced: bool) -> None:
    module = layer(12, 8, groups=4, balanced=balanced, rules=GroupingRules(temperature_start=0.01))
    with torch.no_grad():
        for logits in (module.in_logits, module.out_logits):
            logits *= 50.0  # a softmax of these is flat ones and zeros
    fresh = FullyLearnableGroupConv(conv(12, 8, groups=4, balanced=balanced))
    fresh.load_state_dict(module.state_dict())
    assert torch.equal(fresh.mask(), module.mask())


def test_under_autocast_the_mask_and_its_gradient_stay_in_float32() -> None:
    module = layer(12, 8, groups=4)
    with torch.autocast("cpu", torch.bfloat16):
        assert module.mask().dtype == torch.float32
        out = module(torch.rand(2, 12, 3, 3))
    assert out.dtype == torch.bfloat16
    out.float().square().sum().backward()
    assert module.in_logits.grad is not None
    assert module.in_logits.grad.sum(1).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("grouping", "message"),
    [
        ({"multiple": -1}, "multiple must be 0"),
        ({"multiple": 2, "balanced": False}, "multiple is for balanced groups"),
        ({"nonempty": True}, "nonempty is for free groups"),
        ({"nonempty": 1, "balanced": False}, "nonempty must be true or false"),
    ],
)
def test_options_that_contradict_each_other_are_refused(grouping: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        LearnedGrouping(groups=2, **grouping)


@pytest.mark.parametrize(
    ("grouping", "label"), [({"multiple": 16}, "F4m16"), ({"balanced": False, "nonempty": True}, "F4u1")]
)
def test_the_label_names_the_option(grouping: dict[str, Any], label: str) -> None:
    assert LearnedGrouping(groups=4, **grouping).label() == label
