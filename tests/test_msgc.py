"""Middle spectrum grouped convolution: its masks and its loss."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from support.gated import (
    HOSTS,
    NAMES,
    force,
    hosts,
    layer,
    network,
    random_weights,
    spectral,
)
from torch import nn

from igcnas.modules.build import build
from igcnas.modules.layers import GatedSequential, MultiSpectralConv
from igcnas.modules.layers.msgc import draw
from igcnas.modules.lowering import lower
from igcnas.network.blocks import Block
from igcnas.network.cost import count, count_plan
from igcnas.network.grouping import DENSE
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Convolution, Gated, Sequence
from igcnas.training.grouping_loss import GroupingLoss, deciding_parameters
from igcnas.training.measuring import measure_gates

# Masks


def test_masks_are_exactly_binary_and_have_the_gradient_of_the_noisy_sigmoid() -> None:
    conv = layer()
    context = torch.randn(16, 8)
    conv.begin_step(0.25)
    mask = conv.mask(context)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    upstream = torch.randn_like(mask)
    (gradient,) = torch.autograd.grad((mask * upstream).sum(), conv.mask_generator[3].bias)

    conv.begin_step(0.25)
    norm = conv.mask_generator[1]
    hidden = nn.functional.batch_norm(
        conv.mask_generator[0](context), None, None, norm.weight, norm.bias, training=True
    )
    logits = conv.mask_generator[3](hidden.relu()).detach().requires_grad_()
    soft = torch.sigmoid((logits + conv._noise(logits)) / (2 / 3))
    assert torch.equal(mask, (soft >= 0.5).float())
    (by_logits,) = torch.autograd.grad((soft * upstream).sum(), logits)
    torch.testing.assert_close(gradient, by_logits.sum(0))
    torch.testing.assert_close(by_logits, upstream * (soft * (1 - soft) * 1.5).detach())


def test_noise_is_logistic() -> None:
    conv = layer()
    noise = conv._noise(torch.zeros(500, 400))
    assert noise.mean().item() == pytest.approx(0.0, abs=0.02)
    assert noise.var().item() == pytest.approx(math.pi**2 / 3, rel=0.02)
    assert (noise > math.log(3)).float().mean().item() == pytest.approx(0.25, abs=0.005)


def test_noise_may_fade_after_the_ramp() -> None:
    conv = layer()
    scales = []
    for rules in (GroupingRules(ramp_until=0.5, noise_end=0.2), GroupingRules(), GroupingRules(ramp_until=1.0)):
        conv.configure(rules)
        for progress in (0.0, 0.5, 0.75, 1.0):
            conv.begin_step(progress)
            scales.append(conv.noise_scale())
    assert scales == pytest.approx([1.0, 1.0, 0.6, 0.2] + [1.0] * 8)
    conv.configure(GroupingRules(noise_end=0.0))
    conv.begin_step(1.0)
    assert not conv._noise(torch.zeros(3, 32)).any()


def test_evaluation_draws_no_noise_and_keeps_what_has_a_logit_of_zero_or_more() -> None:
    conv = layer().eval()
    conv.mask_generator[3].bias.data.normal_()
    conv.mask_generator[3].bias.data[0] = conv.mask_generator[3].weight.data[0] = 0.0
    context = torch.randn(16, 8)
    mask = conv.mask(context)
    assert torch.equal(mask, conv.mask(context))
    assert torch.equal(mask, (conv.mask_generator(context) >= 0).float())
    assert mask[:, 0].all()
    assert 0 < mask.mean() < 1


def test_the_noise_of_a_step_depends_on_the_layer_and_the_step_alone() -> None:
    torch.manual_seed(3)
    conv = Convolution("mix", 8, 8, 3, 1, 1, (5, 4), spectral(4), 8)
    first, second = MultiSpectralConv(conv), MultiSpectralConv(conv)
    torch.manual_seed(3)
    again = MultiSpectralConv(conv)
    logits = torch.zeros(4, 32)

    def noises(module: MultiSpectralConv, progress: float, passes: int = 1) -> torch.Tensor:
        module.begin_step(progress)
        return torch.cat([module._noise(logits) for _ in range(passes)])

    earlier = noises(first, 0.5, 3)
    torch.rand(9)
    assert torch.equal(noises(again, 0.5), earlier[:4])  # a new process at the same step, other draws in between
    assert torch.equal(noises(first, 0.5, 2), earlier[:8])
    assert not torch.equal(earlier[:4], earlier[4:8])
    assert not torch.equal(noises(first, 0.5 + 1e-9), earlier[:4])
    assert not torch.equal(noises(second, 0.5), earlier[:4])


def test_processes_that_share_a_batch_draw_the_noise_of_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = torch.Size((6, 3))
    whole = draw(shape, torch.Generator().manual_seed(1))
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    parts = []
    for rank in range(2):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        parts.append(draw(torch.Size((3, 3)), torch.Generator().manual_seed(1)))
    assert torch.equal(torch.cat(parts), whole)


def test_fresh_masks_keep_nearly_every_channel_and_fresh_attention_is_exactly_one() -> None:
    with_attention, images = layer(attention=True).eval(), torch.randn(32, 8, 5, 4)
    context = images.mean((2, 3))
    assert with_attention.mask(context).mean() > 0.8
    assert with_attention.attention_generator is not None
    assert torch.equal(with_attention.attention_generator(context), torch.ones(32, 32))
    without = layer().eval()
    without.load_state_dict({name: with_attention.state_dict()[name] for name in without.state_dict()})
    assert torch.equal(with_attention(images, context), without(images, context))


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_a_head_makes_its_share_of_the_outputs_from_the_channels_it_keeps(heads: int) -> None:
    conv = layer(heads, attention=True).eval()
    force(conv, lambda h, c: torch.rand(h, c, generator=torch.Generator().manual_seed(5)) < 0.5)
    conv.attention_generator[3].bias.data.normal_()
    images = torch.randn(3, 8, 5, 4)
    outputs = conv(images, images.mean((2, 3)))
    gates = conv.attention_generator[3].bias.view(heads, 8) * (conv.mask_generator[3].bias.view(heads, 8) > 0)
    width = 8 // heads
    for head in range(heads):
        rows = slice(head * width, (head + 1) * width)
        plain = nn.functional.conv2d(images * gates[head][:, None, None], conv.weight[rows], padding=1)
        torch.testing.assert_close(outputs[:, rows], plain)


def test_the_generators_of_a_dense_layer_see_what_its_first_activation_gives_and_others_the_input() -> None:
    for block, index in ((HOSTS[0], 0), (HOSTS[3], 2)):
        module = random_weights(network(block))
        body = next(child for child in module.modules() if isinstance(child, GatedSequential))
        seen: dict[str, torch.Tensor] = {}
        for name, child in body.named_children():
            child.register_forward_pre_hook(lambda _child, inputs, name=name, seen=seen: seen.update({name: inputs}))
        module(torch.rand(2, 1, 8, 8))
        names = [name for name, _ in body.named_children()]
        gated = [name for name, child in body.named_children() if isinstance(child, MultiSpectralConv)]
        assert len(gated) == 2
        for name in gated:
            torch.testing.assert_close(seen[name][1], seen[names[index]][0].mean((2, 3)))


def test_only_the_mask_generators_decide() -> None:
    module = build(plan(network(HOSTS[0])))
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    deciding = {names[id(parameter)] for parameter in deciding_parameters(module)}
    assert deciding == {name for name in names.values() if ".mask_generator." in name}


def test_a_network_can_be_copied_between_the_forward_and_the_backward_pass() -> None:
    module = build(plan(network(HOSTS[0])))
    module(torch.rand(4, 1, 8, 8))
    copy.deepcopy(module)


# The objective


def one_gated(*, keep: float, first: Convolution | None = None) -> Plan:
    """A Gated sequence of a first convolution, if any, and one with 2 heads; 4 channels, 3x3 images."""
    conv = Convolution("mix", 4, 4, 1, 1, 1, (3, 3), spectral(2, keep=keep, reduction=4), 4)
    return Plan(Sequence("", (Gated("body", (*([first] if first else []), conv)),)), (4, 3, 3))


def test_the_hinge_follows_its_ramp_and_its_values_by_hand() -> None:
    network_plan = one_gated(keep=0.25)
    module = build(network_plan)
    objective = GroupingLoss(module, network_plan, GroupingRules(hinge_weight=30.0, ramp_until=0.5))
    dense, generator = 4 * 4 * 9, 1 * (4 + 8)
    planned = (dense // 4 + generator) / dense
    for progress, allowed in ((0.0, 1.0), (0.25, (1 + planned) / 2), (0.5, planned), (0.9, planned)):
        objective.begin_step(progress)
        assert objective.allowed_share() == pytest.approx(allowed)
    conv = module.get_submodule("body.mix")
    images = torch.rand(2, 4, 3, 3)
    module.eval()  # masks without noise
    for kept, progress, excess in (
        (8, 0.0, generator / dense),  # all channels and the generator: more than a dense network
        (2, 0.0, 0.0),
        (4, 0.5, (dense / 2 + generator) / dense - planned),
        (2, 0.5, 0.0),
        (1, 0.5, 0.0),
    ):
        conv.mask_generator[3].weight.data.zero_()
        conv.mask_generator[3].bias.data = torch.tensor([1.0] * kept + [-1.0] * (8 - kept))
        module(images)
        objective.begin_step(progress)
        assert objective(torch.tensor(1.0)).item() == pytest.approx(1.0 + 30.0 * excess, abs=1e-5)


def test_the_hinge_counts_the_bonus_but_passes_no_gradient_through_it() -> None:
    first = Convolution("first", 4, 4, 3, 1, 1, (3, 3))
    network_plan = one_gated(keep=0.25, first=first)
    module = build(network_plan)
    objective = GroupingLoss(module, network_plan, GroupingRules())
    conv = module.get_submodule("body.mix")
    dense, generator = 4 * 4 * 9, 12
    objective.begin_step(0.1)
    for kept, unread in (([[1, 0, 0, 0], [1, 0, 0, 0]], 3), ([[1, 0, 0, 0], [0, 1, 1, 1]], 0), ([[0] * 4] * 2, 4)):
        mask = torch.tensor(kept, dtype=torch.float32, requires_grad=True)
        conv.kept = mask.expand(5, 2, 4)
        share = objective.spent_share()
        spent = mask.mean().item() * dense + generator + 9 * dense * (1 - unread / 4)
        assert share.item() == pytest.approx(spent / (10 * dense))
        share.backward()
        torch.testing.assert_close(mask.grad, torch.full((2, 4), 1 / 8 / 10))


@pytest.mark.parametrize("block", HOSTS, ids=NAMES)
def test_the_hinge_counts_what_is_measured_on_the_same_images(block: Block) -> None:
    architecture = network(block)
    network_plan, module = plan(architecture), random_weights(architecture)
    objective = GroupingLoss(module, network_plan, GroupingRules())
    images = torch.rand(20, 1, 8, 8)
    module(images)
    spent = objective.spent_share().item() * objective.full_macs
    measure_gates(network_plan, module, [images])
    assert objective.full_macs == count(network(hosts(DENSE, DENSE)[HOSTS.index(block)])).macs
    # Each layer is rounded up to a whole number.
    assert count_plan(lower(network_plan, module).plan).macs == pytest.approx(spent, abs=10)
