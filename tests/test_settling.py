"""After a short training a gated network costs at most what was planned, whatever the penalty reached."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from igcnas.data.loading import load_dataset
from igcnas.modules.build import build
from igcnas.modules.layers import MultiSpectralConv
from igcnas.modules.lowering import lower
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, InvertedResidual
from igcnas.network.cost import count, count_plan
from igcnas.network.grouping import DENSE, Interleaved, MultiSpectral
from igcnas.network.plan import plan
from igcnas.search.evaluation import ProcessEvaluator
from igcnas.search.settings import DataSettings
from igcnas.search.worker import WorkerSetup
from igcnas.training.measuring import measure_gates
from igcnas.training.metrics import accuracy
from igcnas.training.settings import TrainingSettings
from igcnas.training.settling import settle_gates
from igcnas.training.tensors import TrainingData

GATED = (
    BasicBlock(grouping=MultiSpectral(heads=1), second=MultiSpectral(heads=4)),
    InvertedResidual(expansion=3, expand=DENSE, project=MultiSpectral(heads=2, keep=0.25, attention=True)),
)


def network(block) -> Architecture:
    stages = tuple(Stage(block=block, width=8, repeats=1, stride=s) for s in (1, 2))
    return Architecture(family="test", input_shape=(1, 8, 8), num_classes=10, stem_channels=8, stages=stages)


def fresh(block) -> tuple[Architecture, nn.Sequential]:
    torch.manual_seed(0)
    architecture = network(block)
    return architecture, build(plan(architecture)).eval()


IMAGES = torch.randn(60, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("block", GATED, ids=["basic", "inverted"])
def test_masks_that_keep_too_much_are_raised_just_to_the_plan(block):
    architecture, module = fresh(block)
    planned = count(architecture).macs
    macs, raised = settle_gates(plan(architecture), module, lambda: IMAGES.split(16))
    assert raised
    assert macs <= planned
    with torch.no_grad():
        for gate in (m for m in module.modules() if isinstance(m, MultiSpectralConv)):
            list(gate.mask_generator.children())[-1].bias += 0.02  # a bar a little lower is over the plan
    measure_gates(plan(architecture), module, IMAGES.split(16))
    assert count_plan(lower(plan(architecture), module).plan).macs > planned


def test_what_is_stored_with_the_network_is_what_the_raised_bar_measures():
    architecture, module = fresh(GATED[0])
    macs, _ = settle_gates(plan(architecture), module, lambda: IMAGES.split(16))
    again, raised = settle_gates(plan(architecture), module, lambda: IMAGES.split(7))
    assert (again, raised) == (macs, False)


def test_a_network_that_keeps_its_plan_is_left_as_it_was_trained():
    architecture, module = fresh(GATED[0])
    for gate in (m for m in module.modules() if isinstance(m, MultiSpectralConv)):
        nn.init.constant_(list(gate.mask_generator.children())[-1].bias, -9.0)
    before = {name: tensor.clone() for name, tensor in module.named_parameters()}
    macs, raised = settle_gates(plan(architecture), module, lambda: [IMAGES])
    assert macs < count(architecture).macs
    assert not raised
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.named_parameters())


def test_a_network_without_gates_costs_what_was_planned():
    architecture, module = fresh(BasicBlock(grouping=Interleaved(L=4, M=2)))
    assert settle_gates(plan(architecture), module, lambda: [IMAGES]) == (count(architecture).macs, False)


def test_a_search_stores_the_cost_and_the_accuracy_of_the_network_with_its_bar_raised(tmp_path: Path) -> None:
    training = TrainingSettings(epochs=1)
    digits = load_dataset("digits")
    data = DataSettings.of(digits, training, spec="digits", data_dir=None, image_size=None)
    architecture = network(GATED[0])
    with ProcessEvaluator(WorkerSetup(data=data, training=training, device="cpu")) as evaluator:
        results = evaluator(architecture, tmp_path, lambda _: None).results
    assert results is not None
    assert results["measured_macs"] <= count(architecture).macs
    module = build(plan(architecture))
    module.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    images = TrainingData.of(digits, training, torch.device("cpu"))
    assert results["val_accuracy"] == accuracy(module, images.validation, images.normalize)
    assert results["val_accuracy"] != results["curve"][-1][2]  # one epoch does not reach the plan
