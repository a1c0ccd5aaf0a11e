"""A plan as steps: run one after another with torch, they are the module that is built of the plan."""

from __future__ import annotations

import pytest
import torch
from support.equality import finished, randomised, rebuilt
from support.networks import all_kinds
from torch import nn

from igcnas.errors import ExportError
from igcnas.modules.layers import LEARNED
from igcnas.modules.lowering import Lowered, lower
from igcnas.network.flow import Append, Mean, Sum, consumers, flow
from igcnas.network.grouping import LearnedGrouping
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Convolution, Sequence

torch.set_num_threads(1)


def run(lowered: Lowered, images: torch.Tensor) -> torch.Tensor:
    """Each step by itself; a layer is the torch module of its path."""
    module: nn.Module = rebuilt(lowered)
    values = [images]
    for step in flow(lowered.plan):
        inputs = [values[number] for number in step.inputs]
        match step.operation:
            case Sum():
                made = inputs[0] + inputs[1]
            case Append():
                made = torch.cat(inputs, 1)
            case Mean():
                made = inputs[0].mean((2, 3))
            case _:
                made = module.get_submodule(step.path)(*inputs)
        size = (made.shape[2], made.shape[3]) if made.dim() == 4 else (1, 1)
        assert (made.shape[1], size) == step.shape
        values.append(made)
    return values[-1]


@pytest.mark.parametrize("name", all_kinds())
def test_the_steps_of_a_network_are_its_module_and_say_the_shape_of_every_value(name: str) -> None:
    network = plan(all_kinds()[name])
    lowered = lower(network, finished(randomised(network)))
    images = torch.rand(2, *network.input_shape)
    with torch.no_grad():
        torch.testing.assert_close(run(lowered, images), rebuilt(lowered)(images), rtol=0, atol=0)


def test_every_kind_of_learned_grouping_is_among_them() -> None:
    layers = [layer for one in all_kinds().values() for _, layer in plan(one).layers()]
    learned = [one.learned for one in layers if isinstance(one, Convolution) and one.learned is not None]
    assert {one.kind for one in learned} >= set(LEARNED)


def test_who_reads_a_value_is_known() -> None:
    network = plan(all_kinds()[next(iter(all_kinds()))])
    steps = flow(lower(network, randomised(network)).plan)
    read = consumers(steps)
    assert all(number in read[value] for number, step in enumerate(steps) for value in step.inputs)
    assert read[len(steps)] == []


def test_a_learned_layer_has_no_flow() -> None:
    conv = Convolution("mix", 4, 4, 1, 1, 1, (5, 4), LearnedGrouping(groups=2))
    with pytest.raises(ExportError, match=r"^layer mix is still learned; lower the network first$"):
        flow(Plan(Sequence("", (conv,)), (4, 5, 4)))
