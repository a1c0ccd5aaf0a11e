"""How learned groups change while a network trains: counted, shown, written, and the same after a kill."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from tensorboardX.proto.event_pb2 import Event

from igcnas.cli import main
from igcnas.errors import IgcnasError
from igcnas.modules.build import build
from igcnas.modules.layers import FullyLearnableGroupConv, GroupableConv, LearnedGroupConv
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import Block, InvertedResidual
from igcnas.network.grouping import Condensing, Dense, KroneckerGrouping, LearnedGrouping
from igcnas.network.plan import plan
from igcnas.training.runs.curve import Events
from igcnas.training.runs.groups import GroupWatch, detail, summary, totals

FREE = InvertedResidual(expansion=1, expand=Dense(), project=LearnedGrouping(groups=2, balanced=False))


def network(block: Block) -> torch.nn.Module:
    torch.manual_seed(0)
    stages = (Stage(block=block, width=8, repeats=1),)
    shape = Architecture(family="x", input_shape=(1, 8, 8), num_classes=10, stem_channels=8, stages=stages)
    return build(plan(shape))


def layer(module: torch.nn.Module, kind: type) -> torch.nn.Module:
    return next(child for child in module.modules() if isinstance(child, kind))


def assign(conv: torch.nn.Module, groups: list[int], name: str = "in_logits") -> None:
    with torch.no_grad():
        conv.get_parameter(name).copy_(torch.nn.functional.one_hot(torch.tensor(groups), 2))


def test_inputs_that_change_their_group_are_counted_with_those_that_left_and_came(tmp_path: Path) -> None:
    module = network(FREE)
    conv = layer(module, FullyLearnableGroupConv)
    assign(conv, [0, 0, 0, 0, 0, 1, 1, 1])
    assign(conv, [0, 1] * 4, "out_logits")
    watch = GroupWatch(tmp_path, module, epochs=0)
    assign(conv, [1, 1, 0, 0, 0, 0, 1, 1])  # two go to the second group, one to the first
    (inputs, filters), news = watch.of(1)
    assert news
    assert (inputs.moved, inputs.sizes, inputs.left, inputs.came) == (3, (4, 4), (2, 1), (1, 2))
    assert (filters.moved, filters.sizes) == (0, (4, 4))
    assert totals([inputs, filters]) == {"inputs": (3, 8), "filters": (0, 8)}
    assert summary([inputs, filters]).startswith("inputs 3 of 8 changed, 4 to 4 a group; filters 0 of 8")
    assert detail(inputs).endswith("project inputs -2/+1/4  -1/+2/4  (3 changed)")


def test_gates_that_turn_are_counted(tmp_path: Path) -> None:
    gated = KroneckerGrouping(groups=2, balanced=False)
    module = network(InvertedResidual(expansion=1, expand=Dense(), project=gated))
    conv = layer(module, GroupableConv)
    with torch.no_grad():
        conv.get_parameter("gates").copy_(torch.tensor([1.0, -1.0, -1.0]))
    watch = GroupWatch(tmp_path, module, epochs=0)
    with torch.no_grad():
        conv.get_parameter("gates").copy_(torch.tensor([1.0, 1.0, 1.0]))
    (gates,), _ = watch.of(1)
    assert (gates.moved, gates.sizes, gates.assignment) == (2, (3,), (1, 1, 1))
    assert detail(gates).endswith("gates 111 (2 turned, 1 groups)")
    assert summary([gates]) == "gates 2 of 3 changed, 3 on"


def test_inputs_that_a_group_drops_are_counted(tmp_path: Path) -> None:
    module = network(InvertedResidual(expansion=1, expand=Dense(), project=Condensing(groups=2, factor=4)))
    conv = layer(module, LearnedGroupConv)
    assert isinstance(conv, LearnedGroupConv)
    watch = GroupWatch(tmp_path, module, epochs=0)
    conv.begin_step(0.4)  # two of three stages
    (kept,), _ = watch.of(1)
    assert (kept.moved, kept.sizes, kept.left) == (8, (4, 4), (4, 4))


def test_a_training_that_is_taken_up_compares_with_the_epoch_before(tmp_path: Path) -> None:
    module = network(FREE)
    conv = layer(module, FullyLearnableGroupConv)
    assign(conv, [0] * 8)
    first = GroupWatch(tmp_path, module, epochs=0)
    assign(conv, [0] * 6 + [1] * 2)
    first.of(1)
    before = (tmp_path / "groups.csv").read_text()
    assign(conv, [1] * 8)  # within the second epoch, when it is killed
    again = GroupWatch(tmp_path, module, epochs=1)
    assert (tmp_path / "groups.csv").read_text() == before
    (inputs, _), news = again.of(1)
    assert (inputs.moved, news) == (2, False)
    assert again.of(2)[0][0].moved == 6


def test_a_network_without_learned_groups_and_an_unknown_layer_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IgcnasError, match="learns no groups that all images share"):
        GroupWatch(tmp_path, network(InvertedResidual(expansion=1, expand=Dense(), project=Dense())), epochs=0)
    with pytest.raises(IgcnasError, match=r"unknown layer 'stage9'.*known: stage1"):
        GroupWatch(tmp_path, network(FREE), epochs=0, layer="stage9")


def test_train_shows_and_writes_how_groups_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stages = (Stage(block=FREE, width=8, repeats=2),)
    shape = Architecture(family="x", input_shape=(1, 8, 8), num_classes=10, stem_channels=8, stages=stages)
    (tmp_path / "x.json").write_text(shape.to_json())
    words = ["train", str(tmp_path / "x.json"), "--recipe", "short", "--epochs", "2", "--out", str(tmp_path / "r")]
    assert main([*words, "--show-groups"]) == 0
    out = capsys.readouterr().out
    assert out.count("\ngroups    inputs ") == 2
    rows = list(csv.DictReader((tmp_path / "r/groups.csv").read_text().splitlines()))
    assert len(rows) == 3 * 2 * 2  # epochs from 0 on, layers, sides
    assert {row["what"] for row in rows} == {"inputs", "filters"}
    for row in rows:
        members = [row["assignment"].split().count(str(group)) for group in range(2)]
        assert row["sizes"].split() == [str(count) for count in members]
    assert json.loads((tmp_path / "r/summary.json").read_text())["epochs"] == 2
    words[-1] = str(tmp_path / "s")
    assert main([*words, "--show-groups", "block2"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("groups ")]
    assert len(lines) == 4
    assert all("block2" in line and "changed)" in line for line in lines)
    assert (tmp_path / "r/last.safetensors").read_bytes() == (tmp_path / "s/last.safetensors").read_bytes()


def test_how_many_changed_is_told_to_tensorboard_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Events(tmp_path).add_groups(3, {"inputs": 2, "kept inputs": 0})
    content, found = next(tmp_path.glob("events.out.tfevents.*")).read_bytes(), []
    while content:  # a record: length (8 bytes), its checksum (4), the event, its checksum (4)
        size = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + size])
        found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
        content = content[16 + size :]
    assert found == [("groups/inputs_changed", 3, 2.0), ("groups/kept_inputs_changed", 3, 0.0)]
    monkeypatch.setattr("igcnas.training.runs.curve.no_events", lambda: "it is not installed")
    Events(tmp_path).add_groups(3, {"inputs": 2})
    assert list(tmp_path.glob("events.out.tfevents.*")) == []
