"""The program on channels_last tensors against stock PyTorch: here with stock operators, on a GPU with its kernels."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_execution import SEARCHED, Compared, plans
from torch import nn

from igcnas.execution.cuda.operators import ChannelsLast
from igcnas.execution.cuda.rule import Way
from igcnas.execution.program import Program
from igcnas.plan import Plan, plan
from igcnas.primitives import Convolution

CPU = torch.device("cpu")


class Composing(ChannelsLast):
    """Composes whatever may be: fewer convolutions always cost less."""

    def cost(self, layer: Convolution, *, begins: bool, ends: bool) -> float:
        return 1.0


def compared(network_plan: Plan, way: Way | None = None, kind: type[ChannelsLast] = ChannelsLast) -> Compared:
    def make(network_plan: Plan, network: nn.Module, batch: int) -> Program:
        return Program(network_plan, network, kind(batch, CPU, torch.float32, way))

    return Compared(network_plan, make=make)


@given(network=plans(), way=st.sampled_from([None, *Way]), kind=st.sampled_from([ChannelsLast, Composing]))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_tree_of_layers_has_the_loss_and_gradients_of_stock_pytorch_in_any_way(
    network: Plan, way: Way | None, kind: type[ChannelsLast]
) -> None:
    compared(network, way, kind).check()


@pytest.mark.parametrize("name", SEARCHED)
def test_a_searched_network_has_the_loss_gradients_and_statistics_of_stock_pytorch(name: str) -> None:
    compared(plan(SEARCHED[name])).check()
