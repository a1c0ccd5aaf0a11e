"""A kind of grouping, of block and of learned layer answers for itself: nothing outside its wing asks which it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from igcnas.modules.build import build
from igcnas.modules.layers import LEARNED, CondensingLinear
from igcnas.modules.replacement import lower_mask
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BLOCKS, InvertedResidual
from igcnas.network.cost import count_plan
from igcnas.network.grouping import (
    DENSE,
    GROUPINGS,
    KINDS,
    Condensing,
    Group,
    Grouping,
    Interleaved,
    KroneckerGrouping,
    LearnedGrouping,
)
from igcnas.network.plan import Plan
from igcnas.network.primitives import Convolution, Sequence
from igcnas.results.figures import block_type
from igcnas.search.records import TrialRecord

ROOT = Path(__file__).resolve().parents[1]
FROZEN = {cls.frozen for cls in LEARNED.values()} - {None}
# Where the kinds live, and the names of their classes.
WINGS = {
    "igcnas/network": {cls.__name__ for cls in (*GROUPINGS, *BLOCKS)},
    "igcnas/modules": {cls.__name__ for cls in (*LEARNED.values(), *FROZEN, CondensingLinear) if cls is not None},
}


def asked(tree: ast.AST) -> Iterator[tuple[int, set[str]]]:
    """The lines that test a type, by `isinstance` or as the key of a table, and the names there."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("isinstance", "issubclass")
        ):
            yield node.lineno, {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
        elif isinstance(node, ast.Dict):
            yield node.lineno, {key.id for key in node.keys if isinstance(key, ast.Name)}


@pytest.mark.parametrize("wing", WINGS)
def test_nothing_outside_its_wing_asks_which_kind_it_is(wing: str):
    found = [
        f"{path.relative_to(ROOT)}:{line}: {sorted(names & WINGS[wing])}"
        for path in sorted((ROOT / "igcnas").rglob("*.py"))
        if not path.relative_to(ROOT).as_posix().startswith(wing)
        for line, names in asked(ast.parse(path.read_text(encoding="utf-8")))
        if names & WINGS[wing]
    ]
    assert found == []


@given(st.data())
def test_any_mask_becomes_plain_layers_that_compute_the_same(data: st.DataObject):
    inputs, outputs = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    kernel, stride = data.draw(st.sampled_from((1, 3))), data.draw(st.sampled_from((1, 2)))
    bits = st.lists(st.integers(0, 1), min_size=inputs, max_size=inputs)
    distinct = data.draw(st.lists(bits, min_size=1, max_size=3))
    rows = [data.draw(st.sampled_from(distinct)) for _ in range(outputs)]
    mask = torch.tensor(rows, dtype=torch.float32)
    torch.manual_seed(0)
    weight, images = torch.randn(outputs, inputs, kernel, kernel), torch.randn(2, inputs, 5, 5)
    conv = Convolution("mix", inputs, outputs, kernel, stride, 1, (5, 5))
    lowered = lower_mask(conv, weight, mask, {"mix"})
    plain = build(Plan(Sequence("network", lowered.layers), (inputs, 5, 5)))
    plain.load_state_dict(lowered.state)
    expected = nn.functional.conv2d(images, weight * mask[:, :, None, None], stride=stride, padding=kernel // 2)
    torch.testing.assert_close(plain(images), expected)


def test_a_mask_of_equal_groups_costs_what_lives():
    mask = torch.tensor([[1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 1, 0], [0, 1, 1, 0]])
    conv = Convolution("mix", 4, 4, 3, 1, 1, (5, 5))
    lowered = lower_mask(conv, torch.ones(4, 4, 3, 3), mask, {"mix"})
    assert count_plan(Plan(Sequence("network", lowered.layers), (4, 5, 5))).macs == 25 * 9 * int(mask.sum())
    assert lowered.assignment == {"filters": [0, 1, 0, 1], "kept": [0, 2, 1, 2]}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decided(Group):
    """Of a package: group convolutions of which training decides the groups."""

    learned_instead: ClassVar[bool] = True


@pytest.mark.parametrize(
    ("grouping", "said"),
    [
        (Interleaved(L=4, M=2), "mine"),
        (Interleaved(L=4, M=2, learned=True), "mine (learned)"),
        (LearnedGrouping(groups=2), "mine (learned)"),
        (KroneckerGrouping(groups=2), "mine (learned)"),
        (Condensing(groups=2, factor=2), "mine"),  # its family has no fixed groups to be told apart from
        (_Decided(groups=2), "mine (learned)"),
    ],
    ids=str,
)
def test_a_grouping_says_itself_whether_figures_tell_it_apart_from_fixed_groups(
    grouping: Grouping, said: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(KINDS._known, "group", type(grouping) if isinstance(grouping, Group) else Group)
    stage = Stage(block=InvertedResidual(expansion=1, expand=DENSE, project=grouping), width=8, repeats=1)
    architecture = Architecture(family="mine", input_shape=(1, 8, 8), num_classes=2, stem_channels=8, stages=(stage,))
    one = TrialRecord(
        number=0,
        state="complete",
        architecture=architecture,
        macs=1,
        params=1,
        target=1,
        baseline=None,
        seed=0,
        epochs=1,
    )
    assert block_type(one) == said
