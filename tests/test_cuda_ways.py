"""Each way of a convolution equals the plain form; the rule takes the way that the roofline says."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from igcnas.architecture import Architecture, Stage
from igcnas.blocks import BasicBlock
from igcnas.composition import composed_kernel
from igcnas.cost import count_plan
from igcnas.execution import composing
from igcnas.execution.cpu.operators import CpuOperators
from igcnas.execution.cuda import rule
from igcnas.execution.cuda.operators import ChannelsLast
from igcnas.execution.cuda.rule import H100, Shape, Way
from igcnas.execution.nodes import Convolve
from igcnas.execution.program import Program
from igcnas.grouping import Interleaved, SparseProduct
from igcnas.network import build
from igcnas.plan import Plan, plan
from igcnas.primitives import Activation, Convolution, Gather, GlobalPool, Layer, Linear, Norm, Sequence

CPU = torch.device("cpu")


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_every_way_has_the_output_and_both_gradients_of_the_plain_form(data: st.DataObject) -> None:
    draw = data.draw
    torch.manual_seed(draw(st.integers(0, 2**31), label="seed"))
    groups = draw(st.integers(1, 4), label="groups")
    per_group = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)), label="channels of a group")
    ins, outs = per_group[0] * groups, per_group[1] * groups
    kernel, stride = draw(st.sampled_from([(1, 1), (1, 1), (1, 1), (1, 2), (3, 1), (3, 2)]), label="kernel, stride")
    size = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)), label="size")
    way = draw(st.sampled_from([None, *Way]), label="way")
    dtype = draw(st.sampled_from([torch.float32, torch.float64]), label="type")
    batch = draw(st.integers(2, 5), label="batch")
    mixed = Convolution("mixed", ins, outs, kernel, stride, groups, size)
    layers: list[Layer] = [Convolution("before", 2, ins, 3, 1, 1, size)]
    if draw(st.sampled_from([True, True, False]), label="a norm before"):
        layers.append(Norm("norm", ins, size))
        if draw(st.booleans(), label="and an activation"):
            layers.append(Activation("act", draw(st.sampled_from(["relu", "relu6"])), ins, size))
    if draw(st.sampled_from([True, True, False]), label="permuted"):
        layers.append(Gather("permute", tuple(torch.randperm(ins).tolist())))
    # Without a norm between, rows of convolutions would be composed; that is tested elsewhere.
    alone = len(layers) > 1 and isinstance(layers[1], Norm)
    layers.append(mixed)
    if draw(st.sampled_from([True, True, False]), label="a norm behind"):
        layers.append(Norm("norm2", outs, mixed.out_size))
    if draw(st.sampled_from([True, True, False]), label="permuted behind"):
        layers.append(Gather("back", tuple(torch.randperm(outs).tolist())))
    end = (Activation("act2", "relu", outs, mixed.out_size), GlobalPool("pool", outs, mixed.out_size))
    network_plan = Plan(Sequence("", (*layers, *end, Linear("classifier", outs, 3))), (2, *size))
    plain = build(network_plan).to(dtype).train()
    fast = copy.deepcopy(plain)
    for parameter in fast.parameters():
        parameter.grad = torch.zeros_like(parameter)
    images, labels = torch.randn(batch, 2, *size, dtype=dtype), torch.randint(3, (batch,))
    program = Program(network_plan, fast, ChannelsLast(batch, CPU, dtype, way))
    exact = copy.deepcopy(plain).double()
    wanted = exact(images.double())
    functional.cross_entropy(wanted, labels).backward()
    program.loss(images, lambda logits: functional.cross_entropy(logits, labels))
    tolerance = 1e-9 if dtype == torch.float64 else 2e-3
    assert torch.allclose(program.logits.double(), wanted, rtol=tolerance, atol=tolerance)
    scale = max(float(parameter.grad.norm()) for parameter in exact.parameters() if parameter.grad is not None)
    for (name, mine), theirs in zip(fast.named_parameters(), exact.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        off = float((mine.grad.double() - theirs.grad).norm())
        # Norms of a handful of numbers blow float32's rounding up. Gradients can all be zero: labels in equal numbers.
        assert off <= tolerance * max(scale, 1e-3), f"{name} is off by {off} of {scale}"
    for name, buffer in exact.named_buffers():
        assert torch.allclose(fast.get_buffer(name).double(), buffer.double(), rtol=tolerance, atol=tolerance), name
    if alone and way is not None and way is not Way.DEPTHWISE:
        assert len([node for node in program.nodes if isinstance(node, Convolve)]) == 2


def pointwise(channels: int, groups: int, **changes: object) -> Shape:
    pixels = 512 * 32 * 32
    shape = Shape(in_channels=channels, out_channels=channels, groups=groups, pixels=pixels, in_pixels=pixels)
    return dataclasses.replace(shape, **changes)  # type: ignore[arg-type]


def test_narrow_permuted_groups_are_multiplied_densely_and_wide_ones_are_not() -> None:
    dense = (Way.LIBRARY, Way.TILED)
    for channels in (24, 48, 96, 144):
        assert rule.choose(pointwise(channels, 2, permuted=True)) in dense
    assert rule.choose(pointwise(2048, 8)) not in dense
    assert rule.choose(pointwise(2048, 8, permuted=True)) in (*dense, Way.GROUPED)


def test_a_permuted_input_is_never_copied() -> None:
    for channels in (32, 256, 1024, 4096):
        for groups in (2, 8, 32):
            for kernels in (True, False):
                machine = dataclasses.replace(H100, kernels=kernels)
                ways = set(rule.allowed(pointwise(channels, groups, permuted=True), machine))
                assert ways <= {Way.LIBRARY, Way.TILED, Way.GROUPED}
                assert ways


def test_without_our_kernels_the_libraries_remain() -> None:
    machine = dataclasses.replace(H100, kernels=False)
    for channels in (8, 64, 512, 2048):
        for groups in (1, 2, 8):
            assert rule.choose(pointwise(channels, groups), machine) in (Way.LIBRARY, Way.BATCHED, Way.GROUPS)


def test_no_way_is_faster_than_its_bytes_and_its_products() -> None:
    for channels in (16, 64, 256, 1024):
        for groups in (1, 2, 8):
            shape = pointwise(channels, groups)
            least = 3 * 2 * shape.pixels * channels * 2 / H100.memory
            for way in rule.allowed(shape):
                assert rule.seconds(way, shape) >= max(least, 3 * 2 * shape.macs / 798e12)


def igc(L: int, M: int) -> Plan:
    stage = Stage(block=BasicBlock(grouping=Interleaved(L=L, M=M)), width=L * M, repeats=1, stride=1)
    shape = (3, 32, 32)
    return plan(Architecture(family="t", input_shape=shape, num_classes=10, stem_channels=L * M, stages=(stage,)))


def convolutions(network_plan: Plan, batch: int, *, cpu: bool = False) -> list[Convolve]:
    network = build(network_plan)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    ops = CpuOperators(batch) if cpu else ChannelsLast(batch, CPU, torch.bfloat16)
    program = Program(network_plan, network, ops)
    return [node for node in program.nodes if isinstance(node, Convolve)]


def test_interleaved_convolutions_are_composed_where_the_roofline_says_so() -> None:
    assert len(convolutions(igc(24, 2), 256)) == 1 + 2  # the stem, and one dense convolution for each pair
    assert len(convolutions(igc(64, 16), 16)) == 1 + 4


def test_on_a_cpu_nothing_is_composed_that_costs_more() -> None:
    for L, M in ((24, 2), (4, 2), (2, 8)):
        network_plan = igc(L, M)
        fixed = [layer for _, layer in network_plan.layers() if isinstance(layer, Convolution)]
        assert len(convolutions(network_plan, 4, cpu=True)) == len(fixed)
        assert count_plan(network_plan).macs > 0


def test_what_a_permutation_behind_a_dense_product_asks_for_is_how_it_is_stored() -> None:
    layers = (
        Convolution("stem", 3, 12, 3, 1, 1, (4, 4)),
        Norm("norm", 12, (4, 4)),
        Convolution("mix", 12, 12, 1, 1, 3, (4, 4)),
        Gather("first", (1, 2, 3, 4, 5, 6, 0, 8, 7, 11, 9, 10)),
        Norm("norm2", 12, (4, 4)),
        Gather("second", (5, 0, 1, 9, 2, 3, 4, 6, 8, 10, 11, 7)),
        GlobalPool("pool", 12, (4, 4)),
        Linear("classifier", 12, 10),
    )
    network_plan = Plan(Sequence("", layers), (3, 4, 4))
    network = build(network_plan)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    program = Program(network_plan, network, ChannelsLast(2, CPU, torch.float32, Way.LIBRARY))
    mixed = [node for node in program.nodes if isinstance(node, Convolve)][1]
    assert not mixed.out.ordered
    assert program.pooled.use.value.ordered


def test_rows_are_cut_where_the_sum_is_least() -> None:
    row = tuple(Convolution(str(place), 8, 8, 3 if place == 1 else 1, 1, 4, (4, 4)) for place in range(4))

    def cost(layer: Convolution, *, begins: bool, ends: bool) -> float:
        return {"0": 1.0, "1": 5.0, "2": 1.0, "3": 1.0, "1+2": 5.0}.get(layer.name, 9.0)

    assert composing.first(row, cost) == ()
    assert composing.first(row[1:], cost) == row[1:3]
    assert composing.first(row[2:], cost) == ()


def test_two_spatial_convolutions_are_never_one() -> None:
    row = tuple(Convolution(str(place), 8, 8, 3, 1, 4, (4, 4)) for place in range(2))
    assert composing.first(row, lambda layer, begins, ends: 1.0) == ()


@pytest.mark.parametrize("grouping", [Interleaved(L=4, M=4), SparseProduct(K=(1, 4, 4))])
def test_the_composed_kernel_is_that_of_the_modules(grouping: Interleaved | SparseProduct) -> None:
    row = grouping.layers("mix", 16, 16, 3, 2, (5, 5))
    network = build(Plan(Sequence("", row), (16, 5, 5)))
    found = composing.kernel(row, list(network))  # type: ignore[arg-type]
    assert torch.allclose(found, composed_kernel(network), atol=1e-6)
    one = composing.composition(row)  # type: ignore[arg-type]
    x = torch.randn(2, 16, 5, 5)
    assert torch.allclose(
        functional.conv2d(x, found, stride=one.stride, padding=one.kernel // 2), network(x), atol=1e-5
    )
