"""Layers that keep channels_last where a GPU convolves, and are their bases everywhere else."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from igcnas.modules.layers import (
    ChannelGather,
    ContextSequential,
    GatherChannels,
    GlobalAveragePool,
    PadChannels,
    PaddedShortcut,
    PixelAverage,
    layout,
)
from igcnas.modules.layers.numbers import StepNumber


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way that a GPU takes, here on a CPU."""
    monkeypatch.setattr(layout, "_channels_last", lambda x: x.is_contiguous(memory_format=torch.channels_last))


def both(module: nn.Module, plain: nn.Module, channels: int) -> None:
    """Output and gradient are those of the base, and in channels_last."""
    torch.manual_seed(0)
    values = torch.randn(3, channels, 4, 5)
    x, y = (values.clone(memory_format=layout) for layout in (torch.channels_last, torch.contiguous_format))
    found, expected = module(x.requires_grad_()), plain(y.requires_grad_())
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(expected)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, y.grad)
    if found.ndim == 4:
        assert found.is_contiguous(memory_format=torch.channels_last)
    assert x.grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("indices", [[0], [2, 0, 1, 3], [3, 1, 1, 0, 2], [2, 0]])
def test_a_gather_of_channels_and_its_gradient_are_those_of_the_plain_one(indices: list[int]) -> None:
    channels = 1 if indices == [0] else 4
    both(ChannelGather(indices), GatherChannels(indices), channels)


@given(st.permutations(range(6)))
def test_any_permutation_is_undone_by_its_gradient(order: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "_channels_last", lambda _x: True)
        both(ChannelGather(order), GatherChannels(order), 6)


@pytest.mark.usefixtures("as_on_a_gpu")
def test_a_mean_over_pixels_has_a_gradient_in_the_layout_of_its_input() -> None:
    both(PixelAverage(), GlobalAveragePool(), 6)


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_padded_shortcut_and_its_gradient_are_those_of_the_plain_one(stride: int) -> None:
    both(PaddedShortcut(4, 7, stride), PadChannels(4, 7, stride), 4)


@pytest.mark.usefixtures("as_on_a_gpu")
def test_a_context_is_the_mean_over_pixels() -> None:
    x = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(ContextSequential(OrderedDict()).average(x), x.mean((2, 3)))


def test_on_a_cpu_the_layers_are_their_bases() -> None:
    x = torch.randn(2, 4, 3, 3).contiguous(memory_format=torch.channels_last)
    assert not layout._channels_last(x)
    assert torch.equal(ChannelGather([1, 0, 3, 2])(x), GatherChannels([1, 0, 3, 2])(x))
    assert torch.equal(PixelAverage()(x), x.mean((2, 3)))


def test_a_number_lies_where_it_was_placed_and_is_a_number_elsewhere() -> None:
    cpu, meta = torch.device("cpu"), torch.device("meta")
    number = StepNumber(0.5)
    assert number.on(cpu) == 0.5
    number.place(cpu)
    held = number.on(cpu)
    assert isinstance(held, torch.Tensor)
    number.set(0.25)
    assert number.on(cpu) is held
    assert held.item() == 0.25
    assert number.on(meta) == 0.25
    whole = StepNumber(3)
    whole.place(cpu)
    assert whole.on(cpu).dtype == torch.int64  # type: ignore[union-attr]
