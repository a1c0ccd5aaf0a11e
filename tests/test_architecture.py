"""Architectures are frozen data: they survive JSON, have stable ids, and cannot hold an impossible value."""

from __future__ import annotations

import dataclasses
import json

import pytest
from conftest import architectures
from hypothesis import given

from igcnas.errors import ArchitectureError
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, InvertedResidual
from igcnas.network.cost import count
from igcnas.network.grouping import Dense, Group, Interleaved, LearnedGrouping

IGC = BasicBlock(grouping=Interleaved(L=4, M=2))
IGCV3 = InvertedResidual(expansion=6, expand=Group(groups=2), project=LearnedGrouping(groups=4))


def literal() -> Architecture:
    return Architecture(
        family="literal",
        input_shape=(3, 8, 8),
        num_classes=10,
        stem_channels=8,
        stages=(Stage(block=IGC, width=8, repeats=2), Stage(block=IGCV3, width=16, repeats=1, stride=2)),
        head_channels=32,
        activation="relu6",
    )


@given(architectures(learned=True))
def test_json_brings_back_the_same_architecture(architecture):
    text = architecture.to_json()
    assert "\n" not in text
    again = Architecture.from_json(text)
    assert again == architecture
    assert again.id == architecture.id
    assert again.to_dict() == json.loads(text)


def test_equal_networks_have_equal_ids_whatever_the_family_is_called():
    assert dataclasses.replace(literal(), family="another").id == literal().id


def test_ids_stay_the_same_from_release_to_release():
    assert literal().id == "25fff9848162"


@pytest.mark.parametrize(
    "changes",
    [
        {"input_shape": (3, 8, 9)},
        {"num_classes": 11},
        {"stem_channels": 16},
        {"stem_stride": 2},
        {"head_channels": 0},
        {"activation": "relu"},
        {"stages": literal().stages[:1]},
        {"stages": (dataclasses.replace(literal().stages[0], repeats=3), literal().stages[1])},
        {"stages": (dataclasses.replace(literal().stages[0], block=BasicBlock(grouping=Dense())), literal().stages[1])},
    ],
    ids=str,
)
def test_different_networks_have_different_ids(changes):
    assert dataclasses.replace(literal(), **changes).id != literal().id


def test_ids_do_not_depend_on_what_was_read_before():
    architecture = literal()
    before = architecture.id
    count(architecture)
    assert architecture.id == before == Architecture.from_json(architecture.to_json()).id


@pytest.mark.parametrize(
    "value", [literal(), literal().stages[0], IGC, IGCV3, IGC.grouping], ids=lambda v: type(v).__name__
)
def test_values_are_frozen_and_hashable(value):
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, getattr(value, name))
    assert len({value, dataclasses.replace(value)}) == 1


def test_label_shows_family_blocks_repeats_and_widths():
    assert literal().label() == "literal L4M2 / t6 G2-F4, blocks 2-1, widths 8-16"
    assert literal().depth == 3


def test_label_names_equal_neighbours_once():
    stages = tuple(Stage(block=IGC, width=8, repeats=repeats) for repeats in (1, 2))
    assert dataclasses.replace(literal(), stages=stages).label() == "literal L4M2, blocks 1-2, widths 8-8"


@pytest.mark.parametrize(
    ("block", "label"),
    [
        (BasicBlock(grouping=Dense(), residual=False), "dense plain"),
        (BasicBlock(grouping=Interleaved(L=24, M=2, learned=True)), "L24M2f"),
        (
            InvertedResidual(expansion=2, expand=Dense(), project=LearnedGrouping(groups=8, balanced=False)),
            "t2 dense-F8u",
        ),
    ],
)
def test_label_of_a_block_is_the_papers_notation(block, label):
    assert block.label() == label


def refused(make, fragment: str) -> None:
    with pytest.raises(ArchitectureError) as error:
        make()
    assert fragment in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"num_classes": 0}, "num_classes must be a positive integer"),
        ({"num_classes": 2.0}, "num_classes must be a positive integer"),
        ({"num_classes": True}, "num_classes must be a positive integer"),
        ({"stem_channels": 0}, "stem_channels must be a positive integer"),
        ({"stem_stride": 0}, "stem_stride must be a positive integer"),
        ({"head_channels": -1}, "head_channels must be 0 (none) or more"),
        ({"head_channels": 1.5}, "head_channels must be 0 (none) or more"),
        ({"input_shape": (8, 8)}, "input_shape must be (channels, height, width)"),
        ({"input_shape": 8}, "input_shape must be (channels, height, width)"),
        ({"input_shape": [3, 8, 8]}, "input_shape must be (channels, height, width)"),
        ({"input_shape": (0, 8, 8)}, "input_channels must be a positive integer"),
        ({"input_shape": (3, -8, 8)}, "input_height must be a positive integer"),
        ({"input_shape": (3, 8, "8")}, "input_width must be a positive integer"),
        ({"activation": "gelu"}, "activation must be one of"),
        ({"activation": ["relu"]}, "activation must be one of"),
        ({"family": 5}, "family must be"),
        ({"stages": ()}, "stages must be a positive integer"),
        ({"stages": ("dense",)}, "stages must be"),
        ({"stages": list(literal().stages)}, "stages must be"),
        ({"stem_channels": 7, "stages": literal().stages[1:]}, "stage 1 of literal: 2 groups do not divide"),
        (
            {"stages": (Stage(block=IGC, width=12, repeats=1),)},
            "L * M must be the width of the block, but 4 * 2 is not 12",
        ),
    ],
    ids=str,
)
def test_impossible_architecture_is_refused_in_one_line(changes, fragment):
    refused(lambda: dataclasses.replace(literal(), **changes), fragment)


@pytest.mark.parametrize(
    ("make", "fragment"),
    [
        (lambda: Stage(block=IGC, width=0, repeats=1), "width must be a positive integer"),
        (lambda: Stage(block=IGC, width=8, repeats=0), "repeats must be a positive integer"),
        (lambda: Stage(block=IGC, width=8, repeats=1, stride=0), "stride must be a positive integer"),
        (
            lambda: Stage(block=Dense(), width=8, repeats=1),
            "block must be one of ['basic', 'bottleneck',",
        ),
        (lambda: BasicBlock(grouping=Dense(), kernel=2), "kernel must be odd"),
        (lambda: BasicBlock(grouping=Dense(), kernel=0), "kernel must be a positive integer"),
        (lambda: BasicBlock(grouping=Dense(), residual=1), "residual must be true or false"),
        (lambda: BasicBlock(grouping=IGC), "grouping must be one of"),
        (lambda: BasicBlock(grouping="dense"), "grouping must be one of"),
        (lambda: BasicBlock(grouping=LearnedGrouping(groups=2)), "learned grouping (flgc) applies to 1x1 convolutions"),
        (lambda: dataclasses.replace(IGCV3, expand=IGC), "expand must be one of"),
        (lambda: dataclasses.replace(IGCV3, project=None), "project must be one of"),
        (lambda: dataclasses.replace(IGCV3, expansion=0), "expansion must be a positive integer"),
        (lambda: dataclasses.replace(IGCV3, kernel=4), "kernel must be odd"),
        (lambda: dataclasses.replace(IGCV3, shortcut="zero"), "shortcut must be one of"),
        (lambda: dataclasses.replace(IGCV3, always_expand=1), "always_expand must be true or false"),
        (lambda: Group(groups=0), "groups must be a positive integer"),
        (lambda: LearnedGrouping(groups=0), "groups must be a positive integer"),
        (lambda: LearnedGrouping(groups=2, balanced="yes"), "balanced must be true or false"),
        (lambda: Interleaved(L=0, M=2), "L must be a positive integer"),
        (lambda: Interleaved(L=2, M=-2), "M must be a positive integer"),
        (lambda: Interleaved(L=2, M=2, learned=0), "learned must be true or false"),
    ],
)
def test_impossible_part_is_refused_in_one_line(make, fragment):
    refused(make, fragment)


@pytest.mark.parametrize(
    ("block", "width", "fragment"),
    [
        (BasicBlock(grouping=Group(groups=3)), 9, "3 groups do not divide the 8 channels of the input"),
        (BasicBlock(grouping=Group(groups=4)), 9, "4 groups do not divide the 9 channels of the output"),
        (
            dataclasses.replace(IGCV3, expand=Group(groups=16)),
            16,
            "16 groups do not divide the 8 channels of the input",
        ),
        (
            dataclasses.replace(IGCV3, project=Group(groups=5)),
            10,
            "5 groups do not divide the 48 channels of the input",
        ),
        (dataclasses.replace(IGCV3, project=LearnedGrouping(groups=9, balanced=False)), 8, "9 learned groups are more"),
        (BasicBlock(grouping=Interleaved(L=2, M=2)), 8, "2 * 2 is not 8"),
    ],
    ids=str,
)
def test_groups_that_do_not_fit_the_channels_are_refused(block, width, fragment):
    stages = (Stage(block=block, width=width, repeats=1),)
    refused(lambda: dataclasses.replace(literal(), stages=stages), fragment)


def test_groups_are_checked_against_the_stage_before():
    odd = Stage(block=BasicBlock(grouping=Dense()), width=7, repeats=1)
    even = Stage(block=BasicBlock(grouping=Group(groups=2)), width=8, repeats=1)
    refused(
        lambda: dataclasses.replace(literal(), stages=(odd, even)), "stage 2 of literal: 2 groups do not divide the 7"
    )


def json_with(**changes: object) -> str:
    return json.dumps(literal().to_dict() | changes)


def json_with_stage(**changes: object) -> str:
    data = literal().to_dict()
    data["stages"][0] |= changes
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("{", "no JSON"),
        ("", "no JSON"),
        ("[]", "an architecture is a JSON object"),
        ("null", "an architecture is a JSON object"),
        ("{}", "format None is not known"),
        (json_with(format=2), "format 2 is not known; this version reads 1"),
        ('{"format": 1}', "cannot be made from"),
        (json_with(colour="red"), "colour"),
        (json_with(input_shape=8), "input_shape"),
        (json_with(stages=8), "stages"),
        (json_with(stages=None), "stages"),
        (json_with(stages=["dense"]), "stage"),
        (json_with(family=None), "family"),
        (json_with_stage(colour="red"), "colour"),
        (json_with_stage(width="8"), "width must be a positive integer"),
        (json_with_stage(block={"kind": "dense"}), "block must be one of"),
        (json_with_stage(block={"kind": "transformer"}), "unknown kind 'transformer'"),
        (json_with_stage(block={"kind": ["basic"]}), "unknown kind ['basic']"),
        (json_with_stage(block={}), "unknown kind None"),
        (json_with_stage(block=None), "block must be one of"),
        (json_with_stage(block={"kind": "basic"}), "grouping"),
        (json_with_stage(block={"kind": "basic", "grouping": {"kind": "inverted"}}), "InvertedResidual"),
        (json_with_stage(block={"kind": "basic", "grouping": {"kind": "group", "groups": 2, "size": 3}}), "size"),
        (
            json_with_stage(block={"kind": "basic", "grouping": {"kind": "group", "groups": 3}}),
            "3 groups do not divide",
        ),
    ],
)
def test_json_that_is_no_architecture_is_refused_in_one_line(text, fragment):
    refused(lambda: Architecture.from_json(text), fragment)


def test_a_network_has_a_name_in_words_beside_its_short_one():
    stages = tuple(
        Stage(block=InvertedResidual(expansion=4, expand=Group(groups=2), project=Group(groups=2)), width=w, repeats=r)
        for w, r in ((4, 2), (4, 3), (8, 1))
    )
    network = Architecture(family="igcv3", input_shape=(1, 8, 8), num_classes=10, stem_channels=4, stages=stages)
    assert network.label() == "igcv3 t4 G2-G2, blocks 2-3-1, widths 4-4-8"
    words = "igcv3: IGC V3 block, expansion 4, G1 = 2, G2 = 2; stages of 2, 3, 1 blocks with 4, 4, 8 channels"
    assert network.title() == words
