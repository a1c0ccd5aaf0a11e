"""model.py of every kind of network goes through torch.jit.script, and permutations never stand before a norm."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from igcnas.export.source import model_source
from igcnas.modules.build import build
from igcnas.modules.lowering import Lowered, lower, norms_first
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import InvertedResidual
from igcnas.network.grouping import LearnedGrouping
from igcnas.network.literature import FAMILIES
from igcnas.network.plan import plan
from igcnas.network.primitives import Gather, Norm, Permutation, Sequence, branches

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
def test_every_kind_of_network_can_be_scripted_and_its_norms_moved(name: str, tmp_path: Path) -> None:
    architecture = unequal() if name == "unequal" else FAMILIES[name].from_text(SMALL.get(name, []))
    before = lowered(architecture)
    after = norms_first(before)
    images = torch.rand(2, *architecture.input_shape)
    classes = [str(k) for k in range(architecture.num_classes)]
    text = model_source(after.plan, title=name, classes=classes, macs=1, params=1)
    network = imported(text, tmp_path).build().eval()
    network.load_state_dict(after.state)
    old = build(before.plan).eval()
    old.load_state_dict(before.state)
    with torch.inference_mode():
        expected = network(images)
        torch.testing.assert_close(expected, old(images), equal_nan=True, rtol=0, atol=0)
        torch.testing.assert_close(torch.jit.script(network)(images), expected, equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["igc", "igcv2", "dg-resnext", "condensenet", "dgc", "flgc-mobilenetv2"])
def test_a_norm_right_behind_a_permutation_of_all_channels_comes_before_it(name: str) -> None:
    found = lowered(FAMILIES[name].from_text(SMALL.get(name, [])))
    assert pairs(found) or name == "flgc-mobilenetv2"
    assert pairs(norms_first(found)) == []


def pairs(network: Lowered) -> list[tuple[str, str]]:
    rows, left = [], [network.plan.root]
    while left:
        layer = left.pop()
        children = [child for _, child in branches(layer) or ()]
        left += children
        if hasattr(layer, "layers"):
            rows += [
                (first.name, second.name)
                for first, second in itertools.pairwise(children)
                if isinstance(first, Gather | Permutation) and isinstance(second, Norm)
            ]
    return rows


def test_a_gather_that_repeats_a_channel_stays_before_its_norm() -> None:
    found = lowered(FAMILIES["igc"].from_text(["L=2", "M=2", "depth=8"]))
    gather, norm = Gather("twice", (0, 0)), Norm("norm", 2, (4, 4))
    state = {f"norm.{name}": torch.rand(2) for name in ("weight", "bias", "running_mean", "running_var")}
    twice = Lowered(found.plan.__class__(Sequence("", (gather, norm)), (1, 4, 4)), state, {})
    assert norms_first(twice).plan.root.layers == (gather, norm)
