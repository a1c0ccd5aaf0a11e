"""Who meets whom: the plan's path counts are those of the real modules, and the papers' conditions hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from igcnas.errors import ArchitectureError
from igcnas.modules.build import build
from igcnas.modules.composition import composed_kernel, dense_kernel
from igcnas.modules.layers import FullyLearnableGroupConv, GatherChannels, SplitConv
from igcnas.network.blocks import BasicBlock, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.grouping import Dense, Group, Interleaved, LearnedGrouping, SparseProduct
from igcnas.network.paths import blocks_to_meet, connections, path_counts, summarize
from igcnas.network.plan import Plan
from igcnas.network.primitives import Convolution, Gather, Layer, Permutation, Residual, Sequence, SplitConvolution

SIZE = (7, 7)
CENTRE = (3, 3)


def module_of(layers: tuple[Layer, ...], in_channels: int) -> nn.Sequential:
    return build(Plan(Sequence("", layers), (in_channels, *SIZE))).eval()


def with_centre_taps(module: nn.Module) -> nn.Module:
    """All weights one at the middle of their kernel, zero elsewhere; norms and activations are the identity then."""
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            nn.init.zeros_(child.weight)
            middle = child.kernel_size[0] // 2
            with torch.no_grad():
                child.weight[:, :, middle, middle] = 1.0
        elif isinstance(child, nn.BatchNorm2d):
            child.eps = 0.0
    return module.double()


def measured(module: nn.Module, in_channels: int) -> np.ndarray:
    """(out, in): what arrives at each output channel of a one at the centre of each input channel."""
    images = torch.zeros(in_channels, in_channels, *SIZE, dtype=torch.float64)
    images[range(in_channels), range(in_channels), CENTRE[0], CENTRE[1]] = 1.0
    with torch.no_grad():
        return module(images).sum((2, 3)).T.numpy()


def conv(name: str, in_channels: int, out_channels: int, groups: int, kernel: int = 1, stride: int = 1) -> Convolution:
    return Convolution(name, in_channels, out_channels, kernel, stride, groups, SIZE)


@st.composite
def stacks(draw: st.DrawFn, *, spatial: int = 9) -> tuple[tuple[Layer, ...], int]:
    """Convolutions with any groups, shuffles, gathers and split convolutions in order, also nested; and the input."""
    start = width = draw(st.integers(1, 12))
    layers: list[Layer] = []
    for number in range(draw(st.integers(1, 6))):
        divisors = [d for d in range(1, width + 1) if width % d == 0]
        kind = draw(st.sampled_from(("conv", "conv", "permute", "gather", "split", "nest")))
        if kind == "conv":
            groups = draw(st.sampled_from(divisors))
            out = groups * draw(st.integers(1, max(1, 12 // groups)))
            kernel = draw(st.sampled_from((1, 3))) if spatial else 1
            spatial -= kernel > 1
            layers.append(conv(f"conv{number}", width, out, groups, kernel))
            width = out
        elif kind == "permute":
            layers.append(Permutation(f"permute{number}", width, draw(st.sampled_from(divisors))))
        elif kind == "gather":
            layers.append(Gather(f"gather{number}", tuple(draw(st.permutations(range(width))))))
        elif kind == "split":
            inputs = draw(st.integers(0, width))
            outputs = (draw(st.integers(0, 5)), draw(st.integers(1, 5)))
            layers.append(SplitConvolution(f"split{number}", (inputs, width - inputs), outputs, SIZE))
            width = sum(outputs)
        else:
            inner = (
                conv("inner", width, width, divisors[-1]),
                Permutation("turn", width, divisors[len(divisors) // 2]),
            )
            layers.append(Sequence(f"nest{number}", inner))
    return tuple(layers), start


@settings(max_examples=300)
@given(stacks())
def test_path_counts_of_a_plan_are_those_of_its_module(stack):
    layers, in_channels = stack
    module = with_centre_taps(module_of(layers, in_channels))
    assert np.array_equal(path_counts(layers, in_channels), measured(module, in_channels))


@pytest.mark.parametrize(
    ("block", "in_channels", "out_channels"),
    [
        (BasicBlock(grouping=Interleaved(L=4, M=2)), 8, 8),
        (BasicBlock(grouping=Interleaved(L=4, M=4), residual=False), 8, 16),
        (BasicBlock(grouping=SparseProduct(K=(2, 2, 4)), second=Group(groups=4), shortcut="pad"), 8, 16),
        (Bottleneck(mid=8, spatial=Group(groups=4)), 8, 16),
        (InvertedResidual(expansion=6, expand=Group(groups=2), project=Group(groups=2)), 8, 8),
        (InvertedResidual(expansion=2, expand=Dense(), project=Interleaved(L=3, M=4)), 8, 12),
        (DenseLayer(spatial=Group(groups=4)), 6, 4),
    ],
)
@pytest.mark.parametrize("stride", [1, 2])
def test_path_counts_of_a_block_are_those_of_its_module(block, in_channels, out_channels, stride):
    layers = block.layers(in_channels, out_channels, stride, SIZE, "relu")
    module = with_centre_taps(module_of(layers, in_channels))
    images = torch.zeros(in_channels, in_channels, *SIZE, dtype=torch.float64)
    if stride == 1:
        images[range(in_channels), range(in_channels), CENTRE[0], CENTRE[1]] = 1.0
    else:  # every pixel of a channel is one, so that the stride meets one; averages then are ones
        images[range(in_channels), range(in_channels)] = 1.0
    with torch.no_grad():
        # (1, 1) is away from the border on the strided map.
        outcome = module(images)[:, :, 1, 1] if stride == 2 else module(images).sum((2, 3))
    assert np.array_equal(path_counts(layers, in_channels), outcome.T.numpy())


@settings(max_examples=100)
@given(stacks(spatial=3))
def test_with_all_weights_one_every_tap_of_a_spatial_kernel_repeats_the_paths(stack):
    layers, in_channels = stack
    module = module_of(layers, in_channels).double()
    for parameter in module.parameters():
        nn.init.ones_(parameter)
    # Three 3x3 kernels reach three pixels: nothing falls off a 7x7 map from its centre.
    taps = math.prod(layer.kernel**2 for layer in layers if isinstance(layer, Convolution))
    assert np.array_equal(path_counts(layers, in_channels) * taps, measured(module, in_channels))


@pytest.mark.parametrize(("L", "M"), [(L, M) for L in (1, 2, 3, 7, 24) for M in (1, 2, 5, 8)])
def test_igc_v1_is_strictly_complementary_in_plan_and_module(L, M):
    layers = Interleaved(L=L, M=M).layers("conv", L * M, L * M, 3, 1, SIZE)
    counts = path_counts(layers, L * M)
    assert (counts == 1).all()
    assert np.array_equal(measured(with_centre_taps(module_of(layers, L * M)), L * M), counts)
    assert summarize(counts).condition == "strict"


@pytest.mark.parametrize("K", [(1, 8, 8), (8, 8), (2, 3, 4), (5, 1, 3, 2), (64,)])
def test_igc_v2_is_strictly_complementary_in_plan_and_module(K):
    channels = math.prod(K)
    layers = SparseProduct(K=K).layers("conv", channels, channels, 3, 1, SIZE)
    assert (path_counts(layers, channels) == 1).all()
    assert (measured(with_centre_taps(module_of(layers, channels)), channels) == 1).all()


def igcv3(channels: int, expansion: int, G1: int, G2: int, *, permute: bool = True) -> tuple[Layer, ...]:
    block = InvertedResidual(
        expansion=expansion, expand=Group(groups=G1), project=Group(groups=G2), expand_activation=False
    )
    (residual,) = block.layers(channels, channels, 1, SIZE, "relu6")
    assert isinstance(residual, Residual)
    return tuple(layer for layer in residual.body.layers if permute or not isinstance(layer, Permutation))


@given(G1=st.sampled_from((1, 2, 3, 4)), G2=st.sampled_from((1, 2, 3, 4)), times=st.integers(1, 3), t=st.integers(1, 8))
def test_igc_v3_has_expansion_times_c_over_g1_g2_paths_for_every_pair(G1, G2, times, t):
    channels = math.lcm(G1, G2, G1 * G2) * times
    counts = path_counts(igcv3(channels, t, G1, G2), channels)
    assert (counts * G1 * G2 == t * channels).all()


@pytest.mark.parametrize("t", [1, 2, 3, 6])
@pytest.mark.parametrize("channels", [4, 8, 24])
def test_igc_v3_without_its_permutation_loses_exactly_half_of_all_pairs(channels, t):
    layers = igcv3(channels, t, 2, 2, permute=False)
    summary = summarize(path_counts(layers, channels))
    assert summary.unconnected * 2 == summary.pairs == channels**2
    assert summary.condition == "incomplete"
    assert (measured(with_centre_taps(module_of(layers, channels)), channels) == 0).sum() * 2 == channels**2
    assert summarize(path_counts(igcv3(channels, t, 2, 2), channels)).unconnected == 0


def test_the_permutation_of_the_paper_starts_with_0_4_8_12_16_20_1_5():
    _, there, _, back = Interleaved(L=6, M=4).layers("conv", 24, 24, 3, 1, SIZE)
    assert isinstance(there, Permutation)
    assert isinstance(back, Permutation)
    assert there.indices[:8] == (0, 4, 8, 12, 16, 20, 1, 5)
    assert [back.indices[i] for i in there.indices] == list(range(24))
    images = torch.arange(24.0).view(1, 24, 1, 1)
    twice = nn.Sequential(GatherChannels(list(there.indices)), GatherChannels(list(back.indices)))
    assert torch.equal(twice(images), images)


# The composition is one dense convolution.


def equals_dense(layers: tuple[Layer, ...], in_channels: int, *, stride: int = 1) -> None:
    module = module_of(layers, in_channels).double()
    kernel = composed_kernel(module).detach()
    images = torch.rand(2, in_channels, *SIZE, dtype=torch.float64)
    dense = nn.functional.conv2d(images, kernel, stride=stride, padding=kernel.shape[-1] // 2)
    with torch.no_grad():
        torch.testing.assert_close(module(images), dense, rtol=0, atol=1e-12 * in_channels)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("grouping", "in_channels", "out_channels"),
    [
        (Interleaved(L=3, M=2), 6, 6),
        (Interleaved(L=24, M=2), 48, 48),
        (Interleaved(L=4, M=4), 8, 16),
        (Interleaved(L=4, M=2, widen="secondary"), 6, 8),
        (SparseProduct(K=(1, 4, 4)), 16, 16),
        (SparseProduct(K=(2, 3, 4), restore=False), 48, 48),
        (SparseProduct(K=(1, 8, 4, 4)), 8, 16),
        (Group(groups=4), 8, 12),
        (Dense(), 5, 7),
    ],
    ids=lambda value: value.label() if hasattr(value, "label") else str(value),
)
def test_a_grouping_equals_a_dense_convolution_with_the_composed_kernel(grouping, in_channels, out_channels, stride):
    equals_dense(grouping.layers("conv", in_channels, out_channels, 3, stride, SIZE), in_channels, stride=stride)


@given(stacks(spatial=1).filter(lambda stack: any(isinstance(layer, Convolution) for layer in stack[0])))
def test_any_stack_with_one_spatial_convolution_equals_a_dense_convolution(stack):
    equals_dense(*stack)


@given(G=st.integers(1, 5), inputs=st.integers(1, 3), outputs=st.integers(1, 3))
def test_a_group_convolution_is_a_dense_one_with_a_block_sparse_kernel(G, inputs, outputs):
    layer = conv("conv", G * inputs, G * outputs, G, 3)
    (module,) = module_of((layer,), G * inputs).double()
    kernel = dense_kernel(module).detach()
    assert np.array_equal((kernel != 0).any(-1).any(-1).numpy(), connections(layer).astype(bool))
    assert int((kernel != 0).sum()) == module.weight.numel()
    equals_dense((layer,), G * inputs)


def test_the_composed_kernel_of_igc_has_every_weight_from_exactly_one_product():
    L, M = 3, 2
    module = module_of(Interleaved(L=L, M=M).layers("conv", 6, 6, 3, 1, SIZE), 6)
    primary, _, secondary, _ = module
    kernel = composed_kernel(module)
    for o in range(6):
        for i in range(6):
            # Input i is of primary partition i // M, output o of secondary partition o % M.
            middle = (i // M) * M + o % M
            tap = secondary.weight[(o % M) * L + o // M, i // M, 0, 0]
            torch.testing.assert_close(kernel[o, i], tap * primary.weight[middle, i % M])


def test_special_cases_of_interleaved_group_convolution():
    def kinds(L: int, M: int) -> list[tuple[int, int]]:
        layers = Interleaved(L=L, M=M).layers("conv", L * M, L * M, 3, 1, SIZE)
        return [(layer.kernel, layer.groups) for layer in layers if isinstance(layer, Convolution)]

    assert kinds(8, 1) == [(3, 8), (1, 1)]  # Xception: depthwise, then a dense pointwise convolution
    assert kinds(1, 8) == [(3, 1), (1, 8)]  # a regular convolution, then a scale for each channel
    equals_dense(Interleaved(L=1, M=8).layers("conv", 8, 8, 3, 1, SIZE), 8)


def test_group_convolution_with_summation_is_an_igc_block_whose_pointwise_kernels_add():
    # All secondary weights one: every output is the sum over the partitions of what they make for its place.
    L, M = 3, 2
    module = module_of(Interleaved(L=L, M=M).layers("conv", 6, 6, 3, 1, SIZE), 6)
    primary, _, secondary, _ = module
    nn.init.ones_(secondary.weight)
    images = torch.rand(1, 6, *SIZE)
    total = primary(images).view(1, L, M, *SIZE).sum(1)
    torch.testing.assert_close(module(images), total.repeat(1, L, 1, 1))


def test_depthwise_and_global_depthwise_convolutions_keep_channels_apart():
    depthwise = conv("conv", 6, 6, 6, 3)
    assert np.array_equal(path_counts((depthwise,), 6), np.eye(6))
    equals_dense((depthwise,), 6)
    # A kernel as large as the map, without padding: one number for each channel.
    overall = nn.Conv2d(6, 6, SIZE, groups=6, bias=False).double()
    images = torch.rand(2, 6, *SIZE, dtype=torch.float64)
    expected = (images * overall.weight[:, 0]).sum((2, 3))
    torch.testing.assert_close(overall(images)[:, :, 0, 0], expected)
    torch.testing.assert_close(nn.functional.conv2d(images, dense_kernel(overall))[:, :, 0, 0], expected)


# Learned convolutions, and what is refused.


@given(inputs=st.integers(4, 9), outputs=st.integers(4, 9), G=st.integers(1, 4))
@settings(max_examples=30)
def test_a_learned_convolution_has_the_paths_of_its_mask(inputs, outputs, G):
    layer = conv("conv", inputs, outputs, 1)._replace(learned=LearnedGrouping(groups=G, balanced=False))
    module = module_of((layer,), inputs)
    learned = module[0]
    assert isinstance(learned, FullyLearnableGroupConv)
    nn.init.ones_(learned.weight)
    mask = learned.mask().detach().numpy()
    counts = path_counts((Sequence("block", (layer,)),), inputs, masks={"block.conv": mask})
    assert np.array_equal(counts, measured(module.double(), inputs))


def test_a_learned_convolution_needs_a_mask_of_its_shape():
    layer = conv("conv", 4, 6, 1)._replace(learned=LearnedGrouping(groups=2))
    with pytest.raises(ArchitectureError, match="layer conv learns who meets whom"):
        path_counts((layer,), 4)
    with pytest.raises(ArchitectureError, match=r"has shape \(4, 6\), not \(6, 4\)"):
        path_counts((layer,), 4, masks={"conv": np.ones((4, 6))})


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Conv2d(2, 2, 3, bias=False), nn.ReLU()), "a ReLU is not linear"),
        (nn.Sequential(nn.Conv2d(2, 2, 3, bias=False), nn.Conv2d(2, 2, 3, bias=False)), "2 spatial convolutions"),
        (nn.Conv2d(2, 2, 1), "with a bias"),
        (nn.Sequential(), "at least one layer"),
    ],
)
def test_what_is_no_single_convolution_is_refused(module, message):
    with pytest.raises(ArchitectureError, match=message):
        composed_kernel(module)


def test_a_split_convolution_without_any_weight_has_a_kernel_of_zeros():
    assert torch.equal(dense_kernel(SplitConv([0, 3], [2, 0])), torch.zeros(2, 3, 1, 1))


def test_blocks_to_meet_counts_blocks_until_every_pair_is_connected():
    ring = np.eye(5, dtype=int) + np.roll(np.eye(5, dtype=int), 1, 0)
    assert blocks_to_meet(ring) == 4
    assert blocks_to_meet(np.ones((3, 3), dtype=int)) == 1
    assert blocks_to_meet(np.eye(3, dtype=int)) is None
