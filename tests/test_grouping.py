"""Who meets whom: paths between channels, counted through the real modules with all weights at 1."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from igcnas.errors import ArchitectureError
from igcnas.modules.build import build
from igcnas.modules.layers import FullyLearnableGroupConv, GatherChannels
from igcnas.modules.layers.flgc import assign
from igcnas.network.blocks import InvertedResidual
from igcnas.network.grouping import Dense, Group, Interleaved, LearnedGrouping
from igcnas.network.plan import Plan
from igcnas.network.primitives import Convolution, Layer, Permutation, Residual, Sequence

SIZE = (5, 5)
CENTRE = (2, 2)


def module_of(layers: tuple[Layer, ...], channels: int) -> nn.Sequential:
    module = build(Plan(Sequence("", layers), (channels, *SIZE))).eval()
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            nn.init.ones_(child.weight)
        elif isinstance(child, nn.BatchNorm2d):
            child.eps = 0.0  # running variance 1: the norm of a new network is then the identity
    return module


def paths(module: nn.Module, channels: int) -> torch.Tensor:
    """(out, in): how often a one at the centre of an input channel arrives at the centre of each output channel."""
    images = torch.zeros(channels, channels, *SIZE)
    images[range(channels), range(channels), CENTRE[0], CENTRE[1]] = 1.0
    with torch.no_grad():
        return module(images)[:, :, CENTRE[0], CENTRE[1]].T


def interleaved(L: int, M: int, *, in_channels: int | None = None, stride: int = 1) -> tuple[Layer, ...]:
    return Interleaved(L=L, M=M).layers("conv", in_channels or L * M, L * M, 3, stride, SIZE)


@pytest.mark.parametrize(("L", "M"), [(24, 2), (4, 8), (5, 3), (1, 6), (7, 1), (1, 1)])
def test_interleaved_convolution_has_exactly_one_path_between_any_two_channels(L, M):
    assert torch.equal(paths(module_of(interleaved(L, M), L * M), L * M), torch.ones(L * M, L * M))


@pytest.mark.parametrize(("L", "M"), [(24, 2), (4, 8), (6, 2)])
def test_interleaved_convolution_has_one_path_where_m_doubles(L, M):
    channels = L * M
    module = module_of(interleaved(L, 2 * M, in_channels=channels), channels)
    assert torch.equal(paths(module, channels), torch.ones(2 * channels, channels))


@pytest.mark.parametrize(("before", "L", "M"), [(4, 6, 2), (5, 7, 3), (3, 4, 1), (4, 4, 2)])
def test_interleaved_convolution_has_one_path_where_the_secondary_convolution_widens(before, L, M):
    layers = Interleaved(L=L, M=M, widen="secondary").layers("conv", before * M, L * M, 3, 1, SIZE)
    assert torch.equal(paths(module_of(layers, before * M), before * M), torch.ones(L * M, before * M))


@given(L=st.integers(1, 9), M=st.integers(1, 9))
def test_permuting_there_and_back_is_the_identity(L, M):
    there, back = (layer for layer in interleaved(L, M) if isinstance(layer, Permutation))
    module = nn.Sequential(GatherChannels(list(there.indices)), GatherChannels(list(back.indices)))
    images = torch.rand(2, L * M, 3, 3)
    assert torch.equal(module(images), images)


def test_channels_of_a_secondary_partition_come_from_different_primary_ones():
    L, M = 4, 3
    primary = torch.arange(L).repeat_interleave(M).float().view(1, L * M, 1, 1)  # channel -> its primary partition
    interleave = interleaved(L, M)[1]
    assert isinstance(interleave, Permutation)
    secondary = GatherChannels(list(interleave.indices))(primary).view(M, L)
    assert torch.equal(secondary.sort(1).values, torch.arange(L).float().expand(M, L))


@given(groups=st.integers(1, 8), rows=st.integers(1, 8))
def test_permutation_moves_channel_k_times_rows_plus_i_to_i_times_groups_plus_k(groups, rows):
    channels = groups * rows
    module = module_of((Permutation("permute", channels, groups),), channels)
    images = torch.rand(1, channels, 2, 2)
    permuted = module(images)
    for k in range(groups):
        for i in range(rows):
            assert torch.equal(permuted[:, i * groups + k], images[:, k * rows + i])


@given(groups=st.integers(1, 8), rows=st.integers(1, 8))
def test_permutation_is_the_channel_shuffle_of_torch(groups, rows):
    channels = groups * rows
    images = torch.rand(1, channels, 2, 2)
    shuffled = nn.functional.channel_shuffle(images, groups)
    assert torch.equal(module_of((Permutation("permute", channels, groups),), channels)(images), shuffled)


@pytest.mark.parametrize("channels", [8, 16])
def test_interleaved_convolution_with_m_one_is_depthwise_then_dense_as_in_xception(channels):
    primary, _, secondary, _ = interleaved(channels, 1)
    assert isinstance(primary, Convolution)
    assert isinstance(secondary, Convolution)
    assert (primary.groups, primary.kernel) == (channels, 3)
    assert (secondary.groups, secondary.kernel) == (1, 1)


def test_nothing_but_permutations_stands_between_the_two_convolutions_of_a_unit():
    kinds = [type(layer) for layer in interleaved(4, 2)]
    assert kinds == [Convolution, Permutation, Convolution, Permutation]


def igcv3_body(channels: int, G1: int, G2: int, *, permuted: bool = True) -> nn.Sequential:
    block = InvertedResidual(
        expansion=6, expand=Group(groups=G1), project=Group(groups=G2), expand_activation=False, shortcut="identity"
    )
    (residual,) = block.layers(channels, channels, 1, SIZE, "relu")
    assert isinstance(residual, Residual)
    layers = tuple(layer for layer in residual.body.layers if permuted or not isinstance(layer, Permutation))
    return module_of(layers, channels)


@pytest.mark.parametrize(("channels", "G1", "G2"), [(8, 2, 2), (16, 4, 4), (16, 2, 4), (16, 4, 2), (24, 2, 3)])
def test_igcv3_block_has_6c_over_g1_g2_paths_between_any_two_channels(channels, G1, G2):
    expected = torch.full((channels, channels), 6 * channels / (G1 * G2))
    assert torch.equal(paths(igcv3_body(channels, G1, G2), channels), expected)


def test_without_the_permutation_half_of_all_pairs_of_channels_never_meet():
    met = paths(igcv3_body(8, 2, 2, permuted=False), 8)
    assert int((met == 0).sum()) == 32


@pytest.mark.parametrize("expand", [Dense(), Group(groups=2)])
def test_dense_projection_needs_no_permutation(expand):
    block = InvertedResidual(expansion=6, expand=expand, project=Dense())
    (residual,) = block.layers(8, 8, 1, SIZE, "relu6")
    assert isinstance(residual, Residual)
    assert not any(isinstance(layer, Permutation) for layer in residual.body.layers)


@pytest.mark.parametrize("project", [Group(groups=2), Dense(), LearnedGrouping(groups=2)])
def test_expansion_has_no_activation_unless_asked_for(project):
    block = InvertedResidual(expansion=2, expand=Group(groups=2), project=project, expand_activation=False)
    names = [layer.name for layer in block.layers(8, 4, 2, SIZE, "relu6")]
    assert names[:2] == ["expand", "expand_norm"]
    assert "expand_act" not in names


def test_gradient_of_a_group_convolution_stays_in_its_group():
    module = module_of(Group(groups=2).layers("conv", 8, 4, 1, 1, SIZE), 8)
    images = torch.rand(1, 8, *SIZE, requires_grad=True)
    module(images)[0, 0].sum().backward()
    assert images.grad is not None
    assert images.grad[0].flatten(1).any(1).tolist() == [True] * 4 + [False] * 4


logit_values = st.one_of(st.integers(-2, 2).map(float), st.floats(-5, 5, width=32))  # integers: ties


@st.composite
def logits(draw: st.DrawFn, *, divisible: bool) -> torch.Tensor:
    groups = draw(st.integers(1, 5))
    channels = groups * draw(st.integers(1, 5)) if divisible else draw(st.integers(1, 20))
    rows = st.lists(logit_values, min_size=groups, max_size=groups)
    return torch.tensor(draw(st.lists(rows, min_size=channels, max_size=channels)))


@given(logits(divisible=False))
def test_free_assignment_takes_the_largest_entry_and_the_first_of_ties(matrix):
    expected = [row.index(max(row)) for row in matrix.tolist()]
    assert assign(matrix).tolist() == expected


@given(logits(divisible=True))
def test_balanced_assignment_makes_equal_groups(matrix):
    channels, groups = matrix.shape
    assignment = assign(matrix, sizes=[matrix.shape[0] // matrix.shape[1]] * matrix.shape[1])
    assert torch.bincount(assignment, minlength=groups).tolist() == [channels // groups] * groups


@given(st.data())
def test_balanced_assignment_is_the_free_one_where_that_is_balanced(data):
    groups, rows = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    wanted = torch.tensor(data.draw(st.permutations(list(range(groups)) * rows)))
    matrix = torch.rand(groups * rows, groups, generator=torch.Generator().manual_seed(data.draw(st.integers(0, 99))))
    matrix[range(groups * rows), wanted] = (
        matrix.amax(1) + 0.01
    )  # one clear favourite a row, each group's equally often
    assume(torch.equal(matrix.argmax(1), wanted))
    assert torch.equal(assign(matrix, sizes=[matrix.shape[0] // matrix.shape[1]] * matrix.shape[1]), wanted)


@pytest.mark.parametrize(("channels", "groups"), [(4, 2), (3, 3)])
def test_balanced_assignment_breaks_ties_as_the_free_one_does(channels, groups):
    for entries in itertools.product((0.0, 1.0), repeat=channels * groups):
        matrix = torch.tensor(entries).view(channels, groups)
        free = assign(matrix)
        if torch.bincount(free, minlength=groups).unique().numel() == 1:
            assert torch.equal(assign(matrix, sizes=[channels // groups] * groups), free)


def test_where_all_is_equal_the_first_rows_go_to_the_first_groups():
    assert assign(torch.zeros(300, 3), sizes=(100, 120, 80)).tolist() == [0] * 100 + [1] * 120 + [2] * 80
    assert assign(torch.zeros(300, 3), nonempty=True).tolist()[:3] == [1, 2, 0]


def learned_convolution(in_channels: int, filters: int, groups: int, *, balanced: bool) -> FullyLearnableGroupConv:
    torch.manual_seed(0)
    grouping = LearnedGrouping(groups=groups, balanced=balanced)
    return FullyLearnableGroupConv(Convolution("conv", in_channels, filters, 1, 1, 1, (8, 8), grouping))


@pytest.mark.parametrize("balanced", [True, False])
def test_mask_is_exactly_zero_or_one(balanced):
    mask = learned_convolution(12, 8, 4, balanced=balanced).mask()
    assert set(mask.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("balanced", [True, False])
def test_mask_connects_filter_and_channel_exactly_where_their_groups_agree(balanced):
    conv = learned_convolution(12, 8, 4, balanced=balanced)
    inputs, filters = conv.assignments()
    assert torch.equal(conv.mask().bool(), filters[:, None] == inputs[None, :])


def test_balanced_mask_is_a_group_convolution_up_to_the_order_of_channels():
    conv = learned_convolution(12, 8, 4, balanced=True)
    inputs, filters = conv.assignments()
    ordered = conv.mask()[filters.argsort()][:, inputs.argsort()]
    assert torch.equal(ordered, torch.block_diag(*[torch.ones(2, 3)] * 4))


@pytest.mark.parametrize("balanced", [True, False])
def test_output_depends_on_the_channels_of_the_mask_and_no_others(balanced):
    conv = learned_convolution(12, 8, 4, balanced=balanced)
    nn.init.ones_(conv.weight)
    assert torch.equal(paths(conv, 12), conv.mask())


@pytest.mark.parametrize("balanced", [True, False])
def test_gradient_reaches_the_weight_and_both_assignments(balanced):
    conv = learned_convolution(12, 8, 4, balanced=balanced)
    conv(torch.rand(2, 12, 3, 3)).square().sum().backward()
    for parameter in conv.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


def test_gradient_of_the_mask_is_that_of_the_softmaxes():
    """Straight through: as if the one-hot rows had the derivative of the softmax rows."""
    conv = learned_convolution(6, 4, 2, balanced=False)
    upstream = torch.rand(4, 6)
    conv.mask().backward(upstream)
    soft = conv.in_logits.detach().requires_grad_()
    filters = nn.functional.one_hot(conv.assignments()[1], 2).float()
    (upstream * (filters @ soft.softmax(1).T)).sum().backward()
    torch.testing.assert_close(conv.in_logits.grad, soft.grad)


def test_masked_weights_get_no_gradient():
    conv = learned_convolution(12, 8, 4, balanced=True)
    conv(torch.rand(2, 12, 3, 3)).sum().backward()
    assert conv.weight.grad is not None
    assert torch.equal(conv.weight.grad[:, :, 0, 0] != 0, conv.mask().bool())


@pytest.mark.parametrize(
    ("grouping", "label"),
    [
        (Dense(), "dense"),
        (Group(groups=2), "G2"),
        (Interleaved(L=24, M=2), "L24M2"),
        (Interleaved(L=24, M=2, learned=True), "L24M2f"),
        (LearnedGrouping(groups=4), "F4"),
        (LearnedGrouping(groups=4, balanced=False), "F4u"),
    ],
)
def test_label_is_the_papers_notation(grouping, label):
    assert grouping.label() == label


def test_learned_grouping_of_a_spatial_convolution_is_refused():
    with pytest.raises(ArchitectureError, match="applies to 1x1 convolutions, not to 3x3"):
        LearnedGrouping(groups=2).layers("conv", 8, 8, 3, 1, SIZE)
