"""Dynamic group convolution: its schedule, how many channels it keeps, its penalty, and what it costs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from igcnas.data.loading import load_dataset
from igcnas.errors import ExportError
from igcnas.export.source import model_source
from igcnas.modules.build import build
from igcnas.modules.layers import DynamicConv, SalientConv
from igcnas.modules.lowering import lower
from igcnas.modules.reorganised import run_reorganised
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, DenseLayer
from igcnas.network.canonical import canonical_id
from igcnas.network.cost import count, count_plan, layer_cost
from igcnas.network.grouping import DENSE, DynamicChannels, Group
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.plan import plan
from igcnas.network.primitives import Convolution, GatedConvolution, Permutation
from igcnas.training import trainer
from igcnas.training.grouping_loss import GroupingLoss, deciding_parameters
from igcnas.training.reports import EpochReport
from igcnas.training.settings import TrainingSettings
from igcnas.training.tensors import TrainingData
from igcnas.training.trainer import train

DIGITS = load_dataset("digits")
BLOCK = DenseLayer(reduce=DynamicChannels(heads=4, keep=0.25), spatial=Group(groups=4))


def layer(*, heads: int = 4, keep: float = 0.25, channels: int = 24, kernel: int = 1) -> DynamicConv:
    torch.manual_seed(0)
    grouping = DynamicChannels(heads=heads, keep=keep)
    return DynamicConv(Convolution("mix", channels, 8, kernel, 1, 1, (5, 4), grouping))


def network(block: DenseLayer | BasicBlock) -> Architecture:
    stages = (Stage(block=block, width=8, repeats=2), Stage(block=block, width=16, repeats=1, stride=2))
    ends = {"stem_channels": 16, "preactivation": isinstance(block, DenseLayer)}
    return Architecture(family="test", input_shape=(1, 8, 8), num_classes=10, stages=stages, **ends)


@pytest.mark.parametrize(
    ("progress", "kept"),
    # round(24 * 0.75 * 1.5 * (progress - 1/12)) are dropped: 18 of 24 from three quarters on.
    [(0.0, 24), (1 / 12, 24), (0.1, 24), (0.11, 23), (0.3, 24 - 6), (0.5, 24 - 11), (0.75, 6), (0.99, 6)],
)
def test_channels_are_dropped_between_a_twelfth_and_three_quarters_of_training(progress: float, kept: int) -> None:
    conv = layer()
    conv.begin_step(progress)
    assert conv.kept == kept
    saliency = conv.saliency(torch.rand(3, 24))
    assert torch.equal(conv.choose(saliency).sum(2), torch.full((3, 4), float(kept)))


@settings(max_examples=300)
@given(
    channels=st.integers(1, 60).map(lambda n: 4 * n),
    keep=st.sampled_from((0.25, 0.45, 0.5, 0.75, 0.9)),
    steps=st.sampled_from((10, 12, 20, 24, 48, 100, 300)),
    data=st.data(),
)
def test_as_many_channels_are_dropped_as_in_the_authors_order_of_operations(
    channels: int, keep: float, steps: int, data: st.DataObject
) -> None:
    """At a half, as in 2.5 of 8 channels at the middle of training, the last bit of the product decides."""
    progress = data.draw(st.integers(0, steps - 1)) / steps
    conv = layer(keep=keep, channels=channels)
    conv.begin_step(progress)
    if progress >= 3 / 4:
        dropped = round(channels * (1 - keep))
    else:
        dropped = round(channels * (1 - keep) * 3.0 / 2 * max(0.0, progress - 1.0 / 12))
    assert conv.kept == max(1, channels - dropped)


def test_two_and_a_half_channels_round_to_the_even_number_and_not_by_the_last_bit() -> None:
    conv = layer(keep=0.5, channels=8)
    conv.begin_step(0.5)
    assert conv.kept == 6


def test_the_schedule_follows_its_rules() -> None:
    conv = layer()
    conv.configure(GroupingRules(dgc_from=0.5, dgc_until=0.5))
    for progress, kept in ((0.49, 24), (0.5, 6)):
        conv.begin_step(progress)
        assert conv.kept == kept
    conv.configure(GroupingRules(dgc_from=0.0, dgc_until=1.0))
    conv.begin_step(0.5)
    assert conv.kept == 24 - 9


def test_evaluation_keeps_what_is_kept_in_the_end() -> None:
    conv = layer()
    conv.begin_step(0.0)
    assert conv.kept == 24
    assert conv.eval().kept == 6
    conv.train().begin_step(0.0)
    assert conv.kept == 24


@given(
    st.integers(1, 12).flatmap(
        lambda c: st.tuples(st.integers(1, c), st.lists(st.integers(0, 2), min_size=c, max_size=c))
    )
)
@settings(max_examples=100)
def test_exactly_as_many_are_kept_whatever_ties_there_are_and_of_equal_ones_the_first(
    drawn: tuple[int, list[int]],
) -> None:
    kept, values = drawn
    conv = SalientConv(len(values), 2, 1, 1, heads=1, hidden=1, kept=kept)
    chosen = conv.choose(torch.tensor([[values]], dtype=torch.float32))[0, 0].nonzero()[:, 0].tolist()
    assert chosen == sorted(sorted(range(len(values)), key=lambda i: -values[i])[:kept])


@given(
    st.lists(st.sampled_from((0.0, 0.5, 1.0, 2.0)), min_size=4, max_size=12), st.integers(1, 12), st.integers(0, 100)
)
def test_ties_that_are_dropped_leave_only_what_is_above_the_highest_that_must_go(
    row: list[float], kept: int, seed: int
) -> None:
    kept = min(kept, len(row))
    grouping = DynamicChannels(heads=1, keep=kept / len(row), ties="dropped")
    conv = DynamicConv(Convolution("mix", len(row), 8, 1, 1, 1, (5, 4), grouping))
    conv.kept = kept
    chosen = conv.choose(torch.tensor([[row]]))[0, 0].bool()
    must_go = sorted(row)[: len(row) - kept]
    wanted = [not must_go or value > must_go[-1] for value in row]
    assert chosen.tolist() == wanted
    assert chosen.sum() <= kept


def test_with_fresh_biases_alone_a_head_whose_ties_are_dropped_has_nothing_left() -> None:
    for ties, left in (("first", 6), ("dropped", 0)):
        grouping = DynamicChannels(heads=2, keep=0.25, ties=ties)
        conv = DynamicConv(Convolution("mix", 24, 8, 1, 1, 1, (5, 4), grouping)).eval()
        conv.squeeze.weight.data.zero_()  # hidden features of 0: every saliency is its bias, 1
        assert (conv.gates(torch.rand(3, 24)).view(3, 2, 24) > 0).sum(2).eq(left).all()


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_head_convolves_its_most_salient_channels_times_their_saliency(kernel: int) -> None:
    conv = layer(kernel=kernel).eval()
    images = torch.rand(3, 24, 5, 4)
    outputs = conv(images)
    means = images.mean((2, 3))
    for head in range(4):
        hidden = (means @ conv.squeeze.weight[head * 3 : head * 3 + 3].T).relu()  # 24 // 8 hidden features
        rows = slice(head * 24, (head + 1) * 24)
        saliency = (hidden @ conv.expand.weight[rows, :, 0].T + conv.expand.bias[rows]).relu()
        top = saliency.sort(dim=1, descending=True, stable=True)
        gates = torch.zeros(3, 24).scatter(1, top.indices[:, :6], top.values[:, :6])
        filters = conv.weight[head * 2 : head * 2 + 2]
        plain = torch.nn.functional.conv2d(images * gates[:, :, None, None], filters, padding=kernel // 2)
        torch.testing.assert_close(outputs[:, head * 2 : head * 2 + 2], plain, rtol=1e-4, atol=1e-5)


def test_the_outputs_of_the_heads_are_shuffled() -> None:
    layers = dict(plan(network(BLOCK)).layers())
    names = [name.rpartition(".")[2] for name in layers if name.startswith("stage1.block1.concat.body")]
    assert names[2:5] == ["reduce", "reduce_shuffle", "spatial_norm"]
    assert layers["stage1.block1.concat.body.reduce_shuffle"] == Permutation("reduce_shuffle", 32, 4)


def test_the_penalty_is_the_mean_saliency_added_over_heads_and_layers() -> None:
    network_plan = plan(network(BLOCK))
    module = build(network_plan)
    objective = GroupingLoss(module, network_plan, GroupingRules(saliency_weight=0.5))
    objective.begin_step(0.0)
    found: list[torch.Tensor] = []
    for child in module.modules():
        if isinstance(child, DynamicConv):
            child.register_forward_hook(
                lambda child, inputs, _out: found.append(child.saliency(inputs[0].mean((2, 3))))
            )
    module(torch.rand(4, 1, 8, 8))
    expected = sum(saliency[:, head].mean() for saliency in found for head in range(4))
    assert len(found) == 3
    torch.testing.assert_close(objective(torch.tensor(1.0)), 1.0 + 0.5 * expected)


def test_generators_are_trained_like_weights() -> None:
    assert deciding_parameters(build(plan(network(BLOCK)))) == []


def test_a_network_can_be_copied_between_the_forward_and_the_backward_pass() -> None:
    module = build(plan(network(BLOCK)))
    module(torch.rand(4, 1, 8, 8))
    copy.deepcopy(module)


def test_a_layer_costs_the_kept_channels_and_its_generators_in_every_image() -> None:
    conv = Convolution("mix", 100, 8, 1, 1, 1, (5, 4), DynamicChannels(heads=4, keep=0.25))
    generators = 4 * 2 * 100 * 6  # 100 // 16 hidden features
    assert layer_cost(conv) == (25 * 8 * 20 + generators, 100 * 8 + generators + 400, 400)


@pytest.mark.parametrize("block", [BLOCK, BasicBlock(grouping=DynamicChannels(heads=2, keep=0.5))], ids=["1x1", "3x3"])
def test_trained_masked_lowered_and_reorganised_are_one_function_at_the_planned_cost(
    block: DenseLayer | BasicBlock,
) -> None:
    training = TrainingSettings(epochs=2)
    data = TrainingData.of(DIGITS, training, torch.device("cpu"))
    architecture = network(block)
    module = train(architecture, data, training).network
    images = data.normalize(data.validation.images[:10])
    with torch.no_grad():
        masked = module(images)
    reorganised, macs = run_reorganised(plan(architecture), module, images)
    assert set(macs) == {count(architecture).macs}
    torch.testing.assert_close(reorganised, masked, rtol=1e-5, atol=1e-5)
    lowered = lower(plan(architecture), module)
    assert count_plan(lowered.plan) == count(architecture)
    rebuilt = build(lowered.plan)
    rebuilt.load_state_dict(lowered.state)
    with torch.no_grad():
        assert torch.equal(rebuilt.eval()(images), masked)


def test_a_network_that_drops_ties_is_lowered_run_by_its_choice_and_exported_as_it_is() -> None:
    block = DenseLayer(reduce=DynamicChannels(heads=4, keep=0.25, ties="dropped"), spatial=Group(groups=4))
    architecture = network(block)
    assert architecture.label().startswith("test dense D4k0.25d-G4")
    assert Architecture.from_json(architecture.to_json()) == architecture
    assert canonical_id(architecture) != canonical_id(network(BLOCK))
    assert count(architecture) == count(network(BLOCK))
    module = build(plan(architecture))
    for conv in (layer for layer in module.modules() if isinstance(layer, DynamicConv)):
        conv.squeeze.weight.data[: len(conv.squeeze.weight) // 2] = 0.0  # half of the heads have their biases alone
    images = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        masked = module.eval()(images)
    reorganised, macs = run_reorganised(plan(architecture), module, images)
    torch.testing.assert_close(reorganised, masked, rtol=1e-5, atol=1e-5)
    assert max(macs) < count(architecture).macs
    lowered = lower(plan(architecture), module)
    rebuilt = build(lowered.plan)
    rebuilt.load_state_dict(lowered.state)
    with torch.no_grad():
        assert torch.equal(rebuilt.eval()(images), masked)
    told: dict[str, Any] = {"title": "t", "classes": list("0123456789"), "macs": 1, "params": 1}
    assert "kept=4, drop_ties=True)" in model_source(lowered.plan, **told)
    usual = lower(plan(network(BLOCK)), build(plan(network(BLOCK)))).plan
    assert "drop_ties=True" not in model_source(usual, **told)


def test_a_training_that_is_taken_up_equals_an_uninterrupted_one_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "_CHECKPOINT_SECONDS", -1.0)
    training = TrainingSettings(epochs=3)
    data = TrainingData.of(DIGITS, training, torch.device("cpu"))

    def kill(report: EpochReport) -> None:
        if report.epoch == 2:
            raise KeyboardInterrupt

    whole = train(network(BLOCK), data, training)
    with pytest.raises(KeyboardInterrupt):
        train(network(BLOCK), data, training, on_epoch=kill, checkpoint=tmp_path / "checkpoint.pt")
    resumed = train(network(BLOCK), data, training, checkpoint=tmp_path / "checkpoint.pt")
    assert resumed.curve == whole.curve
    states = resumed.network.state_dict(), whole.network.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])


def test_a_module_of_another_plan_is_refused_in_one_line() -> None:
    network_plan = plan(network(BLOCK))
    other = build(plan(network(DenseLayer(reduce=DENSE, spatial=Group(groups=4)))))
    with pytest.raises(ExportError, match=r"^layer reduce is a Conv2d, not a DynamicConv, [^\n]*$"):
        lower(network_plan, other)


def test_lowered_layers_keep_their_grouping_and_their_cost() -> None:
    architecture = network(BLOCK)
    lowered = lower(plan(architecture), build(plan(architecture)))
    gated = [layer for _, layer in lowered.plan.layers() if isinstance(layer, GatedConvolution)]
    assert [layer.macs for layer in gated] == [4 * 32 * 64, 6 * 32 * 64, 8 * 64 * 16]
    assert not [name for name in lowered.state if "measured" in name]
