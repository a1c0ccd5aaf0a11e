"""Products of sparse kernels (IGC V2): who meets whom for any mixed radix, and the balance condition."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from igcnas.errors import ArchitectureError
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.cost import layer_cost
from igcnas.network.grouping import Interleaved, SparseProduct
from igcnas.network.grouping.product import (
    balanced_branches,
    least_weights,
    most_kernels,
    weights,
)
from igcnas.network.paths import blocks_to_meet, path_counts
from igcnas.network.primitives import Convolution, Gather, Permutation

SIZE = (4, 4)


def layers(K, in_channels, out_channels=None, *, restore=True):
    grouping = SparseProduct(K=tuple(K), restore=restore)
    out_channels = out_channels or in_channels
    grouping.check(in_channels, out_channels)
    return grouping.layers("conv", in_channels, out_channels, 3, 1, SIZE)


def counts(K, in_channels, out_channels=None, *, restore=True):
    return path_counts(layers(K, in_channels, out_channels, restore=restore), in_channels)


radices = st.lists(st.integers(1, 6), min_size=1, max_size=5).filter(lambda K: math.prod(K) <= 300)


@given(radices)
def test_one_path_joins_every_pair_for_any_mixed_radix(K):
    assert (counts(K, math.prod(K)) == 1).all()


@given(radices)
def test_kernel_l_mixes_the_channels_that_differ_in_digit_l_alone(K):
    channels = math.prod(K)
    place = np.arange(channels)  # which channel lies where
    kernels = []
    for layer in layers(K, channels):
        if isinstance(layer, Convolution):
            kernels.append(place.reshape(layer.groups, -1))
        else:
            place = place[list(layer.indices)]
    for number, (size, groups) in enumerate(zip(K, kernels, strict=True)):
        digit = groups // math.prod(K[:number]) % size
        others = groups - digit * math.prod(K[:number])
        assert (np.sort(digit, axis=1) == np.arange(size)).all()
        assert (others == others[:, :1]).all()


@given(radices, st.integers(1, 6))
def test_one_path_joins_every_pair_where_the_last_kernel_widens(K, before):
    grouping = SparseProduct(K=(1, *K), widen="last")
    in_channels, out_channels = math.prod(K[:-1]) * before, math.prod(K)
    grouping.check(in_channels, out_channels)
    matrix = path_counts(grouping.layers("conv", in_channels, out_channels, 3, 1, SIZE), in_channels)
    assert matrix.shape == (out_channels, in_channels)
    assert (matrix == 1).all()


def test_last_kernel_that_widens_needs_its_branches_on_the_input_too():
    with pytest.raises(ArchitectureError, match="4 groups do not divide the 6 channels of the input of K1x4x3"):
        SparseProduct(K=(1, 4, 3), widen="last").check(6, 12)


@st.composite
def branches_and_widths(draw):
    """Any branch sizes that divide a width; their product need not."""
    channels = draw(st.integers(1, 240))
    divisors = [d for d in range(1, channels + 1) if channels % d == 0]
    return draw(st.lists(st.sampled_from(divisors), min_size=1, max_size=4)), channels


@given(branches_and_widths())
@example(([1, 8, 4, 8], 416))
def test_every_channel_comes_back_to_its_place(case):
    K, channels = case
    place = np.arange(channels)
    for layer in layers(K, channels):
        if isinstance(layer, Permutation | Gather):
            place = place[list(layer.indices)]
    assert (place == np.arange(channels)).all()


def test_a_move_that_no_shuffle_can_make_is_a_gather():
    assert [type(layer) for layer in layers((8, 32, 8), 416)][-1] is Gather
    assert [type(layer) for layer in layers((8, 8), 416)][-1] is Permutation


@given(radices, st.integers(1, 6), st.booleans())
def test_a_loose_product_reaches_as_many_channels_as_its_branches_allow(K, times, restore):
    P, matrix = math.prod(K), counts(K, math.prod(K) * times, restore=restore)
    assert matrix.max() == 1
    assert (matrix.sum(1) == P).all()
    assert (matrix.sum(0) == P).all()


@given(branches_and_widths(), st.booleans())
def test_paths_are_as_even_as_can_be_for_any_branches_that_divide_the_width(case, restore):
    K, channels = case
    matrix = counts(K, channels, restore=restore)
    P = math.prod(K)
    assert matrix.min() == P // channels
    assert matrix.max() == -(-P // channels)
    assert (matrix.sum(1) == P).all()


def test_the_width_of_the_paper_s_cifar_network_is_no_multiple_of_its_branches_and_still_reaches_64_channels():
    matrix = counts((1, 8, 8), 416)
    assert 416 % 64 != 0
    assert (matrix.sum(1) == 64).all()
    assert matrix.max() == 1


@given(radices, st.integers(1, 4), st.integers(1, 4))
def test_where_the_width_changes_every_pair_has_as_many_paths(K, before, after):
    base = math.prod(K)
    in_channels, out_channels = base * before, base * after
    groups = math.gcd(in_channels, out_channels) // K[0]
    rest = math.prod(K[1:])
    matrix = counts(K, in_channels, out_channels)
    assert matrix.shape == (out_channels, in_channels)
    assert matrix.min() == rest // groups
    assert matrix.max() == -(-rest // groups)


def test_a_strict_product_that_doubles_the_width_has_two_paths_for_every_pair():
    assert (counts((1, 8, 8), 32, 64) == 2).all()
    assert (counts((1, 8, 8), 64) == 1).all()


@given(L=st.integers(1, 12), M=st.integers(1, 12))
def test_two_kernels_are_igc_v1(L, M):
    product = [layer[1:] for layer in layers((M, L), L * M)]
    interleaved = Interleaved(L=L, M=M).layers("conv", L * M, L * M, 3, 1, SIZE)
    moves = [layer for layer in interleaved if not isinstance(layer, Permutation) or 1 < layer.groups < L * M]
    assert product == [layer[1:] for layer in moves]


def test_a_restored_loose_product_keeps_parts_of_the_width_apart_and_a_rotated_one_does_not():
    assert blocks_to_meet(counts((1, 4, 4), 64)) is None
    assert blocks_to_meet(counts((1, 4, 4), 64, restore=False)) == 2
    assert blocks_to_meet(counts((1, 8, 8), 416)) is not None
    assert blocks_to_meet(counts((1, 8, 8), 1664, restore=False)) == 2
    assert blocks_to_meet(counts((1, 4, 16), 64)) == 1


@given(radices, st.integers(1, 6))
def test_rotated_blocks_in_a_row_reach_as_many_channels_as_one_longer_product(K, times):
    assume(math.prod(K) > 1)
    channels, P = math.prod(K) * times, math.prod(K)
    once = counts(K, channels, restore=False)
    reached = (once.astype(float) @ once).astype(int)
    assert reached.min() == P * P // channels
    assert reached.max() == -(-P * P // channels)


@given(radices, st.integers(1, 4))
def test_the_counts_are_those_of_the_formula(K, times):
    channels = math.prod(K) * times
    convolutions = [layer for layer in layers(K, channels) if isinstance(layer, Convolution)]
    assert [layer.groups for layer in convolutions] == [channels // size for size in K]
    assert sum(layer_cost(layer).params for layer in convolutions) == weights(tuple(K), channels)


@pytest.mark.parametrize(
    ("channels", "totals"),
    [
        (64, (36864, 3072, 1598, 1254, 1141, 1108, 1111, 1133)),
        (256, (589824, 24576, 10144, 7094, 6022, 5582, 5416, 5391)),
    ],
)
def test_the_bound_is_that_of_the_paper_s_balance_condition(channels, totals):
    assert tuple(round(least_weights(channels, n)) for n in range(1, 9)) == totals


def test_two_balanced_kernels_are_the_widest_igc_block():
    # S K1 = K2 is L = M S: M = K1 = 4, L = K2 = 36.
    assert balanced_branches(144, 2) == (4, 36)
    assert weights((4, 36), 144) == least_weights(144, 2)


@given(st.integers(1, 200), st.integers(1, 8), st.sampled_from((1, 3, 5)))
def test_balanced_branches_have_the_fewest_weights_of_all_that_multiply_to_the_width(channels, kernels, kernel):
    divisors = [d for d in range(1, channels + 1) if channels % d == 0]
    if kernels > most_kernels(channels):
        with pytest.raises(ArchitectureError, match="no product of"):
            balanced_branches(channels, kernels, kernel)
        return
    best = balanced_branches(channels, kernels, kernel)
    assert math.prod(best) == channels
    assert len(best) == kernels
    assert least_weights(channels, kernels, kernel) <= weights(best, channels, kernel) * (1 + 1e-12)
    if kernels <= 3:
        every = [K for K in itertools.product(divisors, repeat=kernels) if math.prod(K) == channels and 1 not in K[1:]]
        assert weights(best, channels, kernel) == min(weights(K, channels, kernel) for K in every)


def test_balanced_branches_are_strict_products_for_every_number_of_kernels():
    assert most_kernels(96) == 7
    choices = {n: balanced_branches(96, n) for n in range(2, 8)}
    assert all((counts(K, 96) == 1).all() for K in choices.values())


@pytest.mark.parametrize(
    ("K", "in_channels", "out_channels", "message"),
    [
        ((2, 4), 15, 16, "2 groups do not divide the 15 channels of the input"),
        ((1, 3, 4), 16, 16, "branches of 3 channels do not divide the 16 of K1x3x4"),
        ((3, 4), 9, 16, "branches of 3 channels do not divide the 16 of K3x4"),
    ],
)
def test_branches_that_do_not_divide_are_refused(K, in_channels, out_channels, message):
    with pytest.raises(ArchitectureError, match=message):
        SparseProduct(K=K).check(in_channels, out_channels)


@pytest.mark.parametrize("restore", [True, False])
def test_a_product_survives_json(restore):
    block = BasicBlock(grouping=SparseProduct(K=(1, 4, 4), restore=restore))
    network = Architecture(
        family="igcv2",
        input_shape=(3, 8, 8),
        num_classes=10,
        stem_channels=16,
        stages=(Stage(block=block, width=16, repeats=1, stride=1),),
    )
    assert Architecture.from_json(network.to_json()) == network
    assert network.stages[0].block.label() == ("K1x4x4" if restore else "K1x4x4r")
