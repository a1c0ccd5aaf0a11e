"""model.py of every kind of network goes through torch.jit.script once it is folded."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from igcnas.export.source import model_source
from igcnas.modules.build import build
from igcnas.modules.folding import fold
from igcnas.modules.lowering import Lowered, lower
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import InvertedResidual
from igcnas.network.grouping import LearnedGrouping
from igcnas.network.literature import FAMILIES
from igcnas.network.plan import plan

torch.set_num_threads(1)

SMALL = {"dg-resnext": ["size=32"], "msgc": ["size=32"], "resnext": ["size=32"]}


def unequal() -> Architecture:
    """Groups of different sizes, one of them without inputs."""
    grouping = LearnedGrouping(groups=4, balanced=False)
    block = InvertedResidual(expansion=2, expand=grouping, project=grouping, expand_activation=False)
    stages = (Stage(block=block, width=16, repeats=2, stride=2),)
    return Architecture(family="own", input_shape=(3, 16, 16), num_classes=5, stem_channels=8, stages=stages)


def lowered(architecture: Architecture) -> Lowered:
    torch.manual_seed(0)
    network = plan(architecture)
    module = build(network).eval()
    for name, child in module.named_modules():
        if isinstance(child, nn.BatchNorm2d):
            child.running_mean.normal_()
            child.running_var.uniform_(0.5, 2.0)
            child.weight.data.uniform_(0.5, 2.0)
            child.bias.data.normal_()
        if hasattr(child, "finish"):
            child.finish()
        if name.endswith("block1.project") and hasattr(child, "in_logits"):
            child.in_logits.data[:, 0] = -9.0
            child.out_logits.data[:, 1] += 4.0
    return lower(network, module)


def imported(text: str, folder: Path) -> ModuleType:
    path = folder / "model.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", [*sorted(FAMILIES), "unequal"])
def test_every_kind_of_network_can_be_scripted_when_it_is_folded(name: str, tmp_path: Path) -> None:
    architecture = unequal() if name == "unequal" else FAMILIES[name].from_text(SMALL.get(name, []))
    before = lowered(architecture)
    after = fold(before, wide=name != "unequal")
    images = torch.rand(2, *architecture.input_shape)
    classes = [str(k) for k in range(architecture.num_classes)]
    text = model_source(after.plan, title=name, classes=classes, macs=1, params=1)
    network = imported(text, tmp_path).build().eval()
    network.load_state_dict(after.state)
    with torch.inference_mode():
        expected = network(images)
        torch.testing.assert_close(torch.jit.script(network)(images), expected, equal_nan=True, rtol=0, atol=0)
