"""One id for one network, whatever words described it; and never one id for two."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
from conftest import architectures, gated_architectures
from hypothesis import given, settings
from hypothesis import strategies as st
from support.relabelled import assert_same_function

from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, Block, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.budget import macs_budget
from igcnas.network.canonical import canonical_id, plan_id
from igcnas.network.cost import count
from igcnas.network.grouping import (
    DENSE,
    Condensing,
    Group,
    Interleaved,
    KroneckerGrouping,
    LearnedGrouping,
    MultiSpectral,
    SparseProduct,
)
from igcnas.network.literature import FAMILIES
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import (
    Convolution,
    Gather,
    GlobalPool,
    Linear,
    Norm,
    PadShortcut,
    Permutation,
    Residual,
    Sequence,
)
from igcnas.search.space import load_space


def net(*stages: tuple[Block, int], strides: tuple[int, ...] = (), **fields: Any) -> Architecture:
    """A small network; a stage is (block, width)."""
    strides = strides or (1,) * len(stages)
    made = tuple(
        Stage(block=block, width=width, repeats=1, stride=stride)
        for (block, width), stride in zip(stages, strides, strict=True)
    )
    values: dict[str, Any] = {"input_shape": (1, 8, 8), "num_classes": 3, "stem_channels": 8} | fields
    return Architecture(family=values.pop("family", "test"), stages=made, **values)


def plain(grouping: Any) -> Block:
    return BasicBlock(grouping=grouping, residual=False)


def inverted(expand: Any, project: Any, **fields: Any) -> Block:
    return InvertedResidual(expansion=2, expand=expand, project=project, **fields)


RESNET = BasicBlock(grouping=DENSE)
XCEPTION = Interleaved(L=8, M=1)

SAME: dict[str, tuple[Architecture, Architecture]] = {
    "one group is dense": (net((RESNET, 8)), net((BasicBlock(grouping=Group(groups=1)), 8))),
    "a stage that goes on unchanged is one stage": (
        net((RESNET, 8), (RESNET, 8)),
        dataclasses.replace(net((RESNET, 8)), stages=(Stage(block=RESNET, width=8, repeats=2),)),
    ),
    "M = 1 is a product of a depthwise and a dense kernel": (
        net((BasicBlock(grouping=XCEPTION), 8)),
        net((BasicBlock(grouping=SparseProduct(K=(1, 8))), 8)),
    ),
    "IGC V1 is a product of two kernels": (
        net((BasicBlock(grouping=Interleaved(L=4, M=2)), 8)),
        net((BasicBlock(grouping=SparseProduct(K=(2, 4))), 8)),
    ),
    "a dense projection needs no permutation": (
        net((inverted(Group(groups=2), DENSE), 8)),
        net((inverted(Group(groups=2), Group(groups=1)), 8)),
    ),
    "no permutation comes back from one group": (
        net((inverted(DENSE, Group(groups=1), permute_back=True), 8)),
        net((inverted(DENSE, DENSE), 8)),
    ),
    "learned groups: one group leaves nothing to learn": (
        net((inverted(LearnedGrouping(groups=1), LearnedGrouping(groups=1)), 8)),
        net((inverted(DENSE, DENSE), 8)),
    ),
    "learned groups in multiples that are equal": (
        net((inverted(LearnedGrouping(groups=2, multiple=4), DENSE), 8)),
        net((inverted(LearnedGrouping(groups=2), DENSE), 8)),
    ),
    "Kronecker gates that are all on": (
        net((Bottleneck(mid=8, spatial=KroneckerGrouping(groups=1)), 8)),
        net((Bottleneck(mid=8), 8)),
    ),
    "Kronecker gates that are all off": (
        net((Bottleneck(mid=8, spatial=KroneckerGrouping(groups=8)), 8)),
        net((Bottleneck(mid=8, spatial=Group(groups=8)), 8)),
    ),
    "the last shuffle in front of a dense layer": (
        net((plain(SparseProduct(K=(1, 2, 2), restore=False)), 8)),
        net((plain(SparseProduct(K=(1, 2, 2))), 8)),
    ),
    "what widens where nothing is widened": (
        net((BasicBlock(grouping=Interleaved(L=4, M=2, widen="secondary")), 8)),
        net((BasicBlock(grouping=Interleaved(L=4, M=2)), 8)),
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_descriptions_of_one_network_have_one_id(name):
    one, other = SAME[name]
    assert one.id != other.id
    assert canonical_id(one) == canonical_id(other)
    assert count(one)[:2] == count(other)[:2]
    assert_same_function(plan(other), plan(one))


DIFFERENT: dict[str, tuple[Architecture, Architecture]] = {
    "shuffles around a shortcut": (
        net((inverted(Group(groups=2), Group(groups=2), permute_back=True), 8), strides=(1,)),
        net((inverted(Group(groups=2), Group(groups=2)), 8)),
    ),
    "a product that leaves its channels rotated": (
        net((BasicBlock(grouping=SparseProduct(K=(1, 2, 2), restore=False)), 8)),
        net((BasicBlock(grouping=SparseProduct(K=(1, 2, 2))), 8)),
    ),
    "the order of kernels": (
        net((plain(SparseProduct(K=(1, 2, 4))), 8)),
        net((plain(SparseProduct(K=(1, 4, 2))), 8)),
    ),
    "an activation": (net((RESNET, 8)), net((RESNET, 8), activation="relu6")),
    "depthwise in front of grouped and behind it": (
        net((plain(SparseProduct(K=(1, 4))), 8)),
        net((plain(SparseProduct(K=(4, 1))), 8)),
    ),
    "learned and fixed groups": (
        net((inverted(LearnedGrouping(groups=2), DENSE), 8)),
        net((inverted(Group(groups=2), DENSE), 8)),
    ),
    "free groups and free groups with a channel each": (
        net((inverted(LearnedGrouping(groups=2, balanced=False), DENSE), 8)),
        net((inverted(LearnedGrouping(groups=2, balanced=False, nonempty=True), DENSE), 8)),
    ),
    "gates that choose and gates that must": (
        net((Bottleneck(mid=8, spatial=KroneckerGrouping(groups=2, balanced=False)), 8)),
        net((Bottleneck(mid=8, spatial=KroneckerGrouping(groups=2)), 8)),
    ),
    "groups that a lasso would know": (
        net((DenseLayer(reduce=Condensing(groups=2, factor=1)), 4), preactivation=True),
        net((DenseLayer(reduce=Condensing(groups=4, factor=1)), 4), preactivation=True),
    ),
    "a stride early or late": (
        net((RESNET, 8), (RESNET, 8), strides=(2, 1)),
        net((RESNET, 8), (RESNET, 8), strides=(1, 2)),
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_networks_have_different_ids(name):
    one, other = DIFFERENT[name]
    assert canonical_id(one) != canonical_id(other)


def test_the_name_of_the_family_is_no_part_of_a_network():
    assert canonical_id(net((RESNET, 8), family="a")) == canonical_id(net((RESNET, 8), family="b"))


def chain(*layers: Any, channels: int = 8) -> Plan:
    """Layers between a dense stem and the classifier."""
    stem = Convolution("stem", 1, channels, 3, 1, 1, (4, 4))
    last = Convolution("last", channels, 5, 1, 1, 1, (4, 4))
    return Plan(Sequence("", (stem, *layers, last)), (1, 4, 4))


def grouped(groups: int, channels: int = 8) -> Convolution:
    return Convolution(f"conv{groups}", channels, channels, 1, 1, groups, (4, 4))


SHUFFLE, BACK = Permutation("shuffle", 8, 2), Permutation("back", 8, 4)
NORM = Norm("norm", 8, (4, 4))
DEPTHWISE = Convolution("depthwise", 8, 8, 3, 1, 8, (4, 4))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((grouped(2), SHUFFLE, BACK, grouped(2)), (grouped(2), grouped(2))),
        ((SHUFFLE, grouped(2)), (grouped(2),)),
        ((grouped(2), NORM, SHUFFLE), (grouped(2), NORM)),
        ((grouped(2), SHUFFLE, DEPTHWISE, NORM, grouped(2)), (grouped(2), DEPTHWISE, NORM, SHUFFLE, grouped(2))),
        ((grouped(2), SHUFFLE, grouped(4)), (grouped(2), Gather("g", SHUFFLE.indices), grouped(4))),
        # The groups change places, and the channels within one.
        ((grouped(2), Gather("g", (4, 7, 6, 5, 3, 2, 1, 0)), grouped(2)), (grouped(2), grouped(2))),
        # In a chain of groups that stay apart nothing is renamed across them.
        ((grouped(4), Gather("g", (2, 3, 0, 1, 6, 7, 5, 4)), grouped(2)), (grouped(4), grouped(2))),
    ],
)
def test_permutations_that_only_rename_channels_are_absorbed(one, other):
    assert plan_id(chain(*one)) == plan_id(chain(*other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((grouped(2), SHUFFLE, grouped(2)), (grouped(2), grouped(2))),
        ((grouped(4), SHUFFLE, grouped(4)), (grouped(4), grouped(4))),
        ((grouped(4), Gather("g", (0, 1, 4, 3, 2, 5, 6, 7)), grouped(2)), (grouped(4), grouped(2))),
        ((grouped(2), SHUFFLE, grouped(4), grouped(2)), (grouped(2), grouped(4), SHUFFLE, grouped(2))),
    ],
)
def test_permutations_that_change_who_meets_whom_are_not(one, other):
    assert plan_id(chain(*one)) != plan_id(chain(*other))


@st.composite
def shuffled_groups(draw: st.DrawFn) -> Plan:
    """Two pairs of group convolutions of 4 channels, with or without shortcuts, and any permutations between."""
    layers: list[Any] = []
    for block in range(2):
        body: list[Any] = []
        for number in range(2):
            body.append(Gather(f"gather{block}{number}", tuple(draw(st.permutations(range(4))))))
            groups = draw(st.sampled_from((1, 2, 4)))
            body.append(Convolution(f"conv{block}{number}", 4, 4, 1, 1, groups, (4, 4)))
        body.append(Gather(f"gather{block}", tuple(draw(st.permutations(range(4))))))
        whole = Sequence(f"block{block}", tuple(body))
        joined = draw(st.booleans())
        layers.append(Residual(f"block{block}", whole, Sequence("shortcut", ())) if joined else whole)
    network = chain(*layers, channels=4)
    ends = (GlobalPool("pool", 5, (4, 4)), Linear("classifier", 5, 2))
    return Plan(Sequence("", (*network.root.layers, *ends)), network.input_shape)


_plans: dict[str, Plan] = {}


@settings(max_examples=150)
@given(shuffled_groups())
def test_networks_of_one_id_compute_the_same_with_the_same_weights(network):
    known = _plans.setdefault(plan_id(network), network)
    if known != network:
        assert_same_function(known, network)


SPACES = ("igcv1", "igcv2", "igcv3", "dgconv", "learned")


@pytest.mark.parametrize("name", SPACES)
def test_duplicates_of_a_space_are_the_same_function(name):
    space, draws = load_space(name), random.Random(0)
    first: dict[str, Architecture] = {}
    found = 0
    for _ in range(300):
        family = draws.choice(space.families)
        axes = space.axes(family).items()
        parameters = {"block": family.name} | {axis: draws.choice(options) for axis, options in axes}
        parameters |= {"growth": 1.0}
        fit = space.decode(parameters, (1, 8, 8), 4).fit(macs_budget(draws.choice((20_000, 50_000))))
        if fit is None:
            continue
        known = first.setdefault(canonical_id(fit.architecture), fit.architecture)
        if known.id != fit.architecture.id:
            found += 1
            if found <= 4:
                assert_same_function(plan(known), plan(fit.architecture))
    assert found > 0


def residual(*body: Any) -> Residual:
    return Residual("residual", Sequence("body", body), Sequence("shortcut", ()))


def test_a_shuffle_in_front_of_a_sum_counts_only_where_the_summands_are_told_apart():
    dense_body = residual(grouped(1), SHUFFLE)
    assert plan_id(chain(dense_body, grouped(2))) == plan_id(chain(residual(grouped(1)), grouped(2)))
    grouped_body = residual(grouped(2), SHUFFLE)
    assert plan_id(chain(grouped_body, grouped(2))) != plan_id(chain(residual(grouped(2)), grouped(2)))
    # Nothing else reads these channels in groups: the shuffle renames the groups of the body's output.
    assert plan_id(chain(residual(grouped(2)))) != plan_id(chain(grouped_body))


def test_a_body_that_only_carries_channels_along_keeps_its_places():
    # Each channel is added to another one; without the shuffle to itself.
    assert plan_id(chain(residual(DEPTHWISE, SHUFFLE))) != plan_id(chain(residual(DEPTHWISE)))


@settings(max_examples=60)
@given(architectures(learned=True))
def test_an_id_survives_json_and_another_family_name(architecture):
    again = Architecture.from_dict(architecture.to_dict() | {"family": "other"})
    assert canonical_id(again) == canonical_id(architecture)


@settings(max_examples=50)
@given(gated_architectures())
def test_gated_networks_have_ids_and_each_gate_counts(architecture):
    assert canonical_id(architecture) == canonical_id(dataclasses.replace(architecture, family="other"))
    assert canonical_id(dataclasses.replace(architecture, num_classes=4)) != canonical_id(architecture)


_seen: dict[str, tuple[Any, ...]] = {}


@settings(max_examples=120)
@given(architectures(learned=True))
def test_one_id_means_one_cost(architecture):
    network = plan(architecture)
    sizes = sorted(type(layer).__name__ for _, layer in network.layers() if not isinstance(layer, Permutation))
    known = _seen.setdefault(canonical_id(architecture), (count(architecture), sizes))
    assert known == (count(architecture), sizes)


@settings(max_examples=60)
@given(architectures(learned=False))
def test_every_convolution_counts(architecture):
    network = plan(architecture)
    whole = plan_id(network)
    for path, layer in network.layers():
        if isinstance(layer, Convolution):
            changed = replaced(network, path, layer._replace(kernel=layer.kernel + 2))
            assert plan_id(changed) != whole, path


def replaced(network: Plan, path: str, layer: Any) -> Plan:
    """The plan with another layer at this dotted path."""

    def within(node: Any, names: list[str]) -> Any:
        if not names:
            return layer
        if isinstance(node, Residual):
            return node._replace(**{names[0]: within(getattr(node, names[0]), names[1:])})
        if hasattr(node, "body"):
            return node._replace(body=within(node.body, names[1:]))
        children = [within(child, names[1:]) if child.name == names[0] else child for child in node.layers]
        return node._replace(layers=tuple(children))

    return Plan(within(network.root, path.split(".")), network.input_shape)


# Studies keep these ids: a network that a study holds must be known again.
IDS = {
    "igc": "66b66d2a35c0",
    "regconv": "3a5a102cdbae",
    "igcv2": "f49f17765652",
    "igcv3": "936c2490a15b",
    "mobilenetv2": "bfeb3160b601",
    "flgc-mobilenetv2": "70c645bb8965",
    "resnext": "c779d700e17f",
    "dg-resnext": "81991d221e9b",
    "msgc": "b34defecc553",
    "dgc": "36f6dbdc067a",
    "condensenet": "147d7edeb551",
    "resnet": "c1dfb15882a0",
}

# How to ask for the same network where a default is another one now.
AS_THEN = {"flgc-mobilenetv2": ["balanced=true"]}


@pytest.mark.parametrize("name", IDS)
def test_ids_in_studies_that_users_have_stay(name):
    """Among them every primitive layer and every learned grouping of the literature."""
    assert canonical_id(FAMILIES[name].from_text(AS_THEN.get(name, []))) == IDS[name]


def test_every_family_has_its_id_here():
    assert IDS.keys() == FAMILIES.keys()


def test_ids_of_networks_with_gates_stay_with_a_shortcut_and_without():
    masked = MultiSpectral(heads=2, keep=0.5)
    assert canonical_id(net((BasicBlock(grouping=masked), 8))) == "e38dc38caa3f"
    assert canonical_id(net((plain(masked), 8))) == "6be9d26c6137"


def test_sums_that_meet_other_sums_are_another_network():
    """Channels are added in pairs, so that 0 and 1 are one, and 2 and 3: do such twins meet, or not."""
    sums = residual(Gather("swap", (1, 0, 3, 2, 5, 4, 7, 6)))
    apart = Gather("apart", (0, 2, 1, 3, 4, 6, 5, 7))
    assert plan_id(chain(grouped(1), sums, grouped(4))) != plan_id(chain(grouped(1), sums, apart, grouped(4)))


def test_ids_of_networks_with_padded_shortcuts_stay():
    assert canonical_id(FAMILIES["resnet"].from_text(["shortcut=pad"])) == "ecee98517dfb"
    padded = PadShortcut("pad", 4, 8, 1, (4, 4))
    for groups, wanted in ((2, "b7451139a4a6"), (4, "24519d763cd1")):
        assert plan_id(chain(padded, grouped(groups), channels=4)) == wanted
