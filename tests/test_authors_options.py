"""What users of the authors' code can ask for: their transition, first blocks, widths, targets and counters."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.reference import ROWS, compute

from igcnas.drawing.thumbnails import block_svg
from igcnas.errors import ArchitectureError, IgcnasError
from igcnas.modules.build import build
from igcnas.modules.layers import MultiSpectralConv
from igcnas.modules.lowering import lower
from igcnas.network.architecture import Architecture
from igcnas.network.blocks import InvertedResidual
from igcnas.network.canonical import canonical_id
from igcnas.network.conventions import msgc
from igcnas.network.cost import count, count_plan
from igcnas.network.grouping import Interleaved
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.literature import family, flgc_mobilenetv2, igc, igcv3
from igcnas.network.paths import path_counts
from igcnas.network.plan import plan
from igcnas.network.primitives import Convolution, Permutation, Residual
from igcnas.training.grouping_loss import GroupingLoss

# What igcnas wrote for `igc residual=true transition=reference` and `igcv3 wider=true` before they were mended.
OLD_TRANSITION = "reference"


def earlier(architecture: Architecture) -> Architecture:
    """The network that a file of an earlier version holds under this name."""
    data = json.loads(architecture.to_json())
    for stage in data["stages"]:
        block = stage["block"]
        if block["kind"] == "basic" and block["grouping"]["transition"] == "authors":
            block["grouping"]["transition"] = OLD_TRANSITION
        if block["kind"] == "inverted" and block["shortcut"] == "none":
            block["shortcut"] = "identity"
    return Architecture.from_json(json.dumps(data))


MENDED = {
    "igc": (igc(L=4, M=2, depth=8, residual=True, transition="reference"), "03e5d7984eaf"),
    "igcv3": (igcv3(wider=True, width=0.25), "263b81d2bfbe"),
}


@pytest.mark.parametrize("name", MENDED)
def test_what_earlier_versions_stored_keeps_its_id_and_its_meaning(name: str) -> None:
    now, old_id = MENDED[name]
    old = earlier(now)
    assert old.id == old_id
    assert now.id != old.id
    # Renaming channels makes the transitions of IGC V1 equal: with weights yet to be drawn they are one network.
    assert (canonical_id(now) == canonical_id(old)) == (name == "igc")
    assert count(now) == count(old)  # equal counts are not equal networks
    images = torch.randn(4, 3, 32, 32)
    outputs = []
    for network in (now, old):
        torch.manual_seed(0)
        outputs.append(build(plan(network)).train()(images))
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", MENDED)
def test_a_mended_network_is_the_same_in_every_reading(name: str) -> None:
    architecture, _ = MENDED[name]
    assert Architecture.from_json(architecture.to_json()) == architecture
    network = plan(architecture)
    module = build(network).eval()
    assert sum(parameter.numel() for parameter in module.parameters()) == count(architecture).params
    assert lower(network, module).plan == network
    assert all("<svg" in block_svg(architecture, stage=stage) for stage in range(len(architecture.stages)))


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3))
def test_in_a_transition_of_the_authors_every_pair_has_as_many_paths_as_the_width_grows(
    L: int, M: int, growth: int
) -> None:
    grouping = Interleaved(L=L, M=M * growth, transition="authors")
    layers = grouping.layers("conv", L * M, L * M * growth, 3, 1, (4, 4))
    assert (path_counts(layers, L * M) == growth).all()
    groups = [layer.groups for layer in layers if isinstance(layer, Permutation)]
    assert groups == [L, M]  # the second reordering over inputs / L


def test_no_first_block_of_the_wider_network_has_a_shortcut_and_every_other_one_has() -> None:
    roots = [stage for stage in plan(igcv3(wider=True)).root.layers if stage.name.startswith("stage")]
    stages = igcv3(wider=True).stages
    assert isinstance(stages[0].block, InvertedResidual)
    assert stages[0].block.shortcut == "none"
    assert len(stages) == len(igcv3(repeats="1-2-3-4-3-3-1").stages)
    for stage in roots:
        first, *others = stage.layers
        assert not any(isinstance(layer, Residual) for layer in first.layers)
        assert all(any(isinstance(layer, Residual) for layer in block.layers) for block in others)


# FLGC.


@pytest.mark.parametrize(
    ("options", "params", "macs"),
    [
        ({"width": 0.5}, 503_754, 19_581_440),  # the public code's widths
        ({"width": 0.5, "learned": False}, 503_754, 19_581_440),
        ({"width": 0.5, "balanced": True, "rounding": "groups"}, 389_642, 14_672_128),
        ({}, 1_453_034, 57_735_680),
        ({"learned": False}, 1_453_034, 57_735_680),
        ({"groups": 3, "multiple": 1}, 1_653_701, 65_443_328),
        ({"groups": 5, "multiple": 1}, 1_525_283, 60_512_960),
        ({"groups": 16, "multiple": 1}, 1_392_834, 55_423_488),
    ],
)
def test_flgc_has_the_counts_of_the_public_code_and_of_near_balanced_groups(
    options: dict[str, Any], params: int, macs: int
) -> None:
    found = count(flgc_mobilenetv2(**options))
    assert (found.params, found.macs) == (params, macs)


def test_standard_groups_are_plain_group_convolutions() -> None:
    layers = plan(flgc_mobilenetv2(groups=4, learned=False)).layers()
    projections = [layer for name, layer in layers if isinstance(layer, Convolution) and name.endswith("project")]
    assert [layer.groups for layer in projections] == [4] * 17
    assert not any(layer.learned for layer in projections)


@pytest.mark.parametrize("width", [0.25, 0.35, 0.5, 0.7, 1.0, 1.3, 1.4])
def test_flgc_widths_are_multiples_of_eight_and_the_head_only_grows(width: float) -> None:
    network = flgc_mobilenetv2(width=width)
    widths = [network.stem_channels, network.head_channels, *(stage.width for stage in network.stages)]
    assert all(channels % 8 == 0 for channels in widths)
    assert network.head_channels >= 1280
    like = family("mobilenetv2").build(width=width, rounding="eight", head="wider", always_expand=False)
    assert [stage.width for stage in like.stages] == widths[2:]


# MSGC.

HOSTS = ("resnet18", "resnet50", "mobilenetv2", "mobilenetv2-cifar", "condensenet")


def host_macs(host: str, **options: Any) -> int:
    """MACs of the network without masks, generators and attention."""
    network = plan(family("msgc").build(host=host, keep=1.0, **options))
    generators = sum(
        layer.learned.overhead(layer.in_channels, layer.out_channels, layer.context_channels).macs
        for _, layer in network.layers()
        if isinstance(layer, Convolution) and layer.learned is not None
    )
    return count_plan(network).macs - generators


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("target", [0.7, 0.85, 1.0])
def test_a_target_is_the_share_of_all_macs_up_to_whole_pairs(host: str, attention: bool, target: float) -> None:
    network = family("msgc").build(host=host, attention=attention, target=target)
    share = count(network).macs / host_macs(host, attention=attention)
    assert target - 2e-4 < share <= target  # each layer has a whole number of pairs


def test_the_hinge_aims_at_the_target() -> None:
    network = family("msgc").build(host="mobilenetv2-cifar", target=0.7)
    objective = GroupingLoss(build(plan(network)), plan(network), GroupingRules())
    assert objective.planned_share == pytest.approx(0.7, abs=2e-4)


def test_the_targets_of_the_authors_give_their_macs() -> None:
    found = count(family("msgc").build(attention=True, target=0.488))
    assert 885.0e6 < found.macs < 885.3e6  # 885 M in their table
    blocks = family("msgc").build(attention=True, target=0.488).stages[0].block
    assert blocks.grouping.keep == pytest.approx(0.445, abs=5e-4)


def test_without_a_target_half_of_the_pairs_meet_as_before() -> None:
    assert family("msgc").build() == family("msgc").build(keep=0.5)
    assert family("msgc").build().id == family("msgc").from_text([]).id
    with pytest.raises(ArchitectureError, match="leave out one of them"):
        family("msgc").build(keep=0.5, target=0.5)


def forced(network_plan: Any, rule: str) -> tuple[Any, GroupingLoss, msgc.Count]:
    """A network whose masks of the last pass, the same for three images, are those of a rule."""
    module = build(network_plan)
    objective = GroupingLoss(module, network_plan, GroupingRules(hinge_of="msgc"))
    counted = msgc.count(network_plan)
    for name, heads in msgc.probe(counted, rule).items():
        conv = module.get_submodule(name)
        assert isinstance(conv, MultiSpectralConv)
        conv.kept = torch.tensor(heads, dtype=torch.float64).expand(3, -1, -1).clone().requires_grad_()
    return module, objective, counted


@pytest.mark.parametrize("rule", list(msgc.PROBES))
@pytest.mark.parametrize(
    ("host", "options"),
    [("resnet18", {"size": 32}), ("resnet50", {"size": 32}), ("mobilenetv2-cifar", {})],
)
def test_the_hinge_may_count_as_the_authors_counter(host: str, options: dict[str, int], rule: str) -> None:
    network_plan = plan(family("msgc").build(host=host, attention=True, **options))
    _, objective, counted = forced(network_plan, rule)
    measured = counted.measured(msgc.probe(counted, rule))
    assert objective.spent_share().item() == pytest.approx(float(measured.total / counted.original))
    assert objective.planned_share == pytest.approx(float(counted.expected() / counted.original))


def test_the_hinge_of_the_authors_has_no_gradient_through_the_bonus() -> None:
    network_plan = plan(family("msgc").build(size=32, keep=0.01))
    module, objective, counted = forced(network_plan, "head0")
    objective.begin_step(0.9)
    objective(torch.tensor(1.0, dtype=torch.float64)).backward()
    for layer in counted.masked:
        kept = module.get_submodule(layer.name).kept
        wanted = 30.0 * layer.cost / counted.original / kept.numel()
        torch.testing.assert_close(kept.grad, torch.full_like(kept, wanted))


def test_the_authors_count_multiplies_means_over_the_batch_where_ours_goes_image_by_image() -> None:
    network_plan = plan(family("msgc").build(size=32))
    module, objective, counted = forced(network_plan, "ones")
    ours = GroupingLoss(module, network_plan, GroupingRules())
    for layer in counted.masked:  # one image computes everything, another nothing
        module.get_submodule(layer.name).kept = torch.stack(
            [
                torch.ones(layer.learned.heads, layer.layer.in_channels),
                torch.zeros(layer.learned.heads, layer.layer.in_channels),
            ]
        )
    by_means = sum(layer.cost / 2 for layer in counted.masked)
    bonus = sum(layer.producer.cost / 4 for layer in counted.masked if layer.producer is not None)
    wanted = (counted.main + counted.mask + by_means - bonus) / counted.original
    assert objective.spent_share().item() == pytest.approx(wanted)
    assert ours.spent_share().item() > wanted  # where the share of nothing costs nothing, there is nothing to save


def test_an_unknown_count_of_the_hinge_is_refused() -> None:
    with pytest.raises(IgcnasError, match="unknown hinge_of 'mscg'; did you mean 'msgc'"):
        GroupingRules(hinge_of="mscg")


# Precision.


@pytest.mark.parametrize("name", ["msgc-mobilenetv2-cifar-h2", "dgc-densenet-2-2-2-h4-keep0.25-progress0.3"])
def test_gates_are_computed_in_float64_where_the_network_is(name: str) -> None:
    row = next(row for row in ROWS if row["name"] == name)
    found = compute(row)
    assert found.trained.dtype == torch.float64
    assert np.abs(found.trained.flatten()[:10].numpy() - np.array(row["train"])).max() < 1e-8
