"""Every learned kind trained for real on the digits: what was trained is what is lowered, counted and exported."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.equality import lowered_as_it_is
from torch import nn

from igcnas.data.loading import load_dataset
from igcnas.export.folder import export_network
from igcnas.modules.build import build
from igcnas.modules.layers import LearnedModule
from igcnas.modules.layers.condensing import CondensingLinear
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import Block, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.cost import count, count_plan
from igcnas.network.grouping import Condensing, KroneckerGrouping, LearnedGrouping
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.plan import plan
from igcnas.training.settings import TrainingSettings
from igcnas.training.tensors import TrainingData
from igcnas.training.trainer import TrainResult, train

SETTINGS = TrainingSettings(epochs=1, learning_rate=0.6)
DIGITS = load_dataset("digits")
RULES = GroupingRules(
    gradient="masked", temperature_start=2.0, temperature_end=0.2, group_lasso=1e-4, gate_scale=0.01, ratio_of="macs"
)


def flgc(**options: Any) -> Block:
    grouping = LearnedGrouping(**options)
    return InvertedResidual(expansion=2, expand=grouping, project=grouping)


def dgconv(**options: Any) -> Block:
    return Bottleneck(mid=16, spatial=KroneckerGrouping(**options))


BLOCKS = {
    "flgc": flgc(groups=4),
    "flgc-rounded": flgc(groups=3, multiple=2),
    "flgc-free": flgc(groups=3, balanced=False),
    "flgc-nonempty": flgc(groups=5, balanced=False, nonempty=True),
    "dgconv": dgconv(groups=4),
    "dgconv-free": dgconv(groups=4, balanced=False),
    "condensing": DenseLayer(reduce=Condensing(groups=4, factor=3), bottleneck=2),
}
EXACT = ("flgc", "flgc-rounded", "dgconv", "condensing")


def network(*blocks: Block) -> Architecture:
    stages = tuple(Stage(block=block, width=8, repeats=2, stride=2) for block in blocks)
    return Architecture(
        family="test", input_shape=(1, 8, 8), num_classes=10, stem_channels=8, stages=stages, condense_classifier=2
    )


@pytest.fixture(scope="module")
def digits() -> TrainingData:
    return TrainingData.of(DIGITS, SETTINGS, torch.device("cpu"))


def trained(architecture: Architecture, digits: TrainingData, rules: GroupingRules = RULES) -> TrainResult:
    return train(architecture, digits, dataclasses.replace(SETTINGS, grouping=rules))


def test_every_learned_module_of_these_networks_is_covered() -> None:
    kinds = {type(m) for block in BLOCKS.values() for m in build(plan(network(block))).modules()}
    assert {kind.__name__ for kind in kinds if issubclass(kind, LearnedModule)} == {
        "FullyLearnableGroupConv",
        "GroupableConv",
        "LearnedGroupConv",
        "CondensingLinear",
    }


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("rules", [GroupingRules(), RULES], ids=["published", "options"])
def test_a_trained_network_equals_its_lowered_form_and_costs_what_was_planned(
    kind: str, rules: GroupingRules, digits: TrainingData
) -> None:
    architecture = network(BLOCKS[kind])
    result = trained(architecture, digits, rules)
    lowered = lowered_as_it_is(plan(architecture), result.network)
    measured, planned = count_plan(lowered.plan), count(architecture)
    if kind in EXACT:
        assert measured == planned
    else:
        living = {name: int(m.mask().sum()) for name, m in result.network.named_modules() if hasattr(m, "mask")}
        learned = {name: each for name, each in plan(architecture).layers() if getattr(each, "learned", None)}
        extra = sum(
            (living[name] - conv.connections) * conv.kernel**2 * conv.out_size[0] * conv.out_size[1]
            for name, conv in learned.items()
        )
        assert measured.macs == planned.macs + extra
        sizes = [g for a in lowered.assignments.values() if "inputs" in a for g in (a["inputs"], a["filters"])]
        assert kind != "flgc-nonempty" or all(set(groups) == set(range(5)) for groups in sizes)


@pytest.mark.parametrize("until", [0.5, 1.0])
def test_a_training_of_one_step_ends_as_planned(until: float, digits: TrainingData) -> None:
    few = dataclasses.replace(
        digits, training=type(digits.training)(digits.training.images[:9], digits.training.labels[:9])
    )
    architecture = network(BLOCKS["condensing"])
    result = trained(architecture, few, GroupingRules(condense_until=until))
    assert count_plan(lowered_as_it_is(plan(architecture), result.network).plan) == count(architecture)
    assert isinstance(result.network.classifier, CondensingLinear)


@pytest.mark.parametrize("kind", ["dgconv-free", "condensing"])
def test_a_resumed_training_equals_an_uninterrupted_one_to_the_bit(
    kind: str, digits: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("igcnas.training.trainer._CHECKPOINT_SECONDS", -1.0)
    architecture = network(BLOCKS[kind])
    settings = dataclasses.replace(SETTINGS, epochs=2, grouping=RULES)
    checkpoint = tmp_path / "checkpoint.pt"

    def kill(_report: object) -> None:
        if checkpoint.exists():
            raise KeyboardInterrupt

    whole = train(architecture, digits, settings)
    with pytest.raises(KeyboardInterrupt):
        train(architecture, digits, settings, on_epoch=kill, checkpoint=checkpoint)
    resumed = train(architecture, digits, settings, checkpoint=checkpoint)
    found = resumed.network.state_dict()
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(found[name], tensor), name


def test_a_trained_network_of_all_kinds_is_exported_and_every_form_agrees(digits: TrainingData, tmp_path: Path) -> None:
    architecture = network(BLOCKS["flgc-rounded"], BLOCKS["dgconv-free"], BLOCKS["condensing"])
    result = trained(architecture, digits)
    images = DIGITS.train.images[:50]
    report = export_network(
        folder=tmp_path / "out",
        architecture=architecture,
        state=result.network.state_dict(),
        mean=digits.mean.flatten().tolist(),
        std=digits.std.flatten().tolist(),
        classes=DIGITS.classes,
        test=(np.ascontiguousarray(images), DIGITS.train.labels[:50]),
        facts={},
    )
    assert set(report.parity) == {"lowered", "onnx", "model.py"}
    assert max(report.parity.values()) < 1e-5
    assert len(set(report.accuracies.values())) == 1
    assert report.macs == count_plan(lowered_as_it_is(plan(architecture), result.network).plan).macs


def test_learning_the_groups_moves_them(digits: TrainingData) -> None:
    architecture = network(BLOCKS["dgconv-free"], BLOCKS["flgc"])
    settings = dataclasses.replace(SETTINGS, epochs=2)
    torch.manual_seed(settings.network_seed(architecture.id))
    start = masks(build(plan(architecture)))
    end = masks(train(architecture, digits, settings).network)
    assert any(not torch.equal(start[name], end[name]) for name in start if "stage1" in name)
    assert any(not torch.equal(start[name], end[name]) for name in start if "stage2" in name)


def masks(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: child.mask().detach() for name, child in module.named_modules() if hasattr(child, "mask")}
