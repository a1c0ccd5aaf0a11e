"""What a recipe says of a network before the first step is what the network gets, and a search's changes nothing."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import nn

from igcnas.data.loading import load_dataset
from igcnas.modules.build import build
from igcnas.modules.layers import DynamicConv
from igcnas.network.literature import family
from igcnas.network.plan import Plan, plan
from igcnas.training.engine import Engine
from igcnas.training.flat import FlatSGD
from igcnas.training.optimizer import make_optimizer, parameter_kinds
from igcnas.training.preparing import hang_dropout, prepare
from igcnas.training.recipes import (
    RECIPES,
    ChannelDropout,
    FirstWeights,
    Optimizer,
    Recipe,
    short_recipe,
    short_settings,
)
from igcnas.training.tensors import TrainingData

CPU = torch.device("cpu")
SHORT = short_recipe(short_settings(0))


def made(name: str, recipe: Recipe, **parameters: Any) -> tuple[nn.Module, Plan]:
    torch.manual_seed(3)
    network_plan = plan(family(name).build(**parameters))
    network = build(network_plan)
    prepare(network, network_plan, recipe)
    return network, network_plan


def norms(network: nn.Module) -> set[tuple[float, float | None]]:
    return {(m.eps, m.momentum) for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)}


def deviation(weight: torch.Tensor) -> float:
    return float(weight.detach().square().mean().sqrt())


def test_the_recipe_of_a_search_touches_nothing_and_draws_nothing() -> None:
    torch.manual_seed(3)
    plain = build(plan(family("flgc-mobilenetv2").build(width=0.25)))
    drawn = torch.rand(1)
    network, _ = made("flgc-mobilenetv2", SHORT, width=0.25)
    assert torch.equal(torch.rand(1), drawn)
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in plain.state_dict().items())
    assert norms(network) == {(1e-5, 0.1)}


def test_norms_of_igc_are_those_of_the_mxnet_code_without_and_with_shortcuts() -> None:
    recipe = RECIPES["igc-cifar"]
    assert norms(made("igc", recipe, L=4, M=2, depth=8)[0]) == {(2e-5, 0.01)}
    assert norms(made("igc", recipe, L=4, M=2, depth=8, residual=True)[0]) == {(2e-5, 0.1)}
    assert norms(made("regconv", recipe, width=8, depth=8)[0]) == {(2e-5, 0.01)}
    assert norms(made("igcv3", RECIPES["igcv3-imagenet"], width=0.5)[0]) == {(1e-5, 0.1)}


@pytest.mark.parametrize("rule", ["fan-in", "fan-out", "xavier", "torch"])
def test_weights_start_with_the_variance_of_their_rule(rule: str) -> None:
    linear_rule = "torch" if rule == "fan-out" else rule  # no code starts its classifier by fan-out
    first = FirstWeights(convolution=rule, linear=linear_rule, bias="torch")  # type: ignore[arg-type]
    network, _ = made("igcv3", dataclasses.replace(SHORT, first=first))
    linear = network.get_submodule("classifier")
    assert isinstance(linear, nn.Linear)
    project = network.get_parameter("stage6.block2.residual.body.project.weight")  # (160, 480, 1, 1), of 2 groups
    for weight, filters, its_rule in ((project, 160, rule), (linear.weight, 10, linear_rule)):
        inputs = weight[0].numel()
        variance = {
            "fan-in": 2 / inputs,
            "fan-out": 2 / filters,
            "xavier": 2 / (inputs + filters),
            "torch": 1 / (3 * inputs),
        }[its_rule]
        assert deviation(weight) == pytest.approx(math.sqrt(variance), rel=0.03)
    assert 0 < linear.bias.abs().max() <= 1280**-0.5


def test_a_depthwise_convolution_starts_by_fan_out_whatever_its_groups() -> None:
    network, _ = made("igcv3", RECIPES["igcv3-cifar"])
    depthwise = network.get_parameter("stage6.block2.residual.body.depthwise.weight")  # (960, 1, 3, 3)
    assert deviation(depthwise) == pytest.approx(math.sqrt(2 / (960 * 9)), rel=0.05)
    assert torch.count_nonzero(network.get_parameter("classifier.bias")) == 0


def test_the_weights_of_layers_that_learn_start_as_their_authors_start_them_and_what_decides_stays() -> None:
    torch.manual_seed(3)
    plain = build(plan(family("flgc-mobilenetv2").build()))
    network, _ = made("flgc-mobilenetv2", RECIPES["flgc-cifar"])
    name = "stage6.block2.residual.body.project"  # (160, 960), of 8 groups
    assert torch.equal(network.get_parameter(f"{name}.in_logits"), plain.get_parameter(f"{name}.in_logits"))
    assert deviation(network.get_parameter(f"{name}.weight")) == pytest.approx(math.sqrt(2 / 160), rel=0.03)
    assert deviation(plain.get_parameter(f"{name}.weight")) == pytest.approx(math.sqrt(2 * 8 / 960), rel=0.03)


def test_a_head_of_dgc_is_a_layer_of_its_own_for_its_authors() -> None:
    network, _ = made("dgc", RECIPES["dgc-cifar"], host="densenet", heads=4)
    layer = max((m for m in network.modules() if isinstance(m, DynamicConv)), key=lambda m: m.weight.numel())
    assert deviation(layer.weight) == pytest.approx(math.sqrt(2 / (len(layer.weight) / 4)), rel=0.05)
    assert layer.expand.bias is not None
    assert torch.equal(layer.expand.bias, torch.ones_like(layer.expand.bias))


def test_rmsprop_of_the_mobilenet_port_smooths_by_099_and_decays_all() -> None:
    recipe = RECIPES["mobilenetv2-cifar-rmsprop"]
    network, _ = made("mobilenetv2", recipe, width=0.25)
    optimizer = make_optimizer(network, recipe)
    assert isinstance(optimizer, torch.optim.RMSprop)
    expected = {"alpha": 0.99, "eps": 1e-8, "momentum": 0.9, "weight_decay": 5e-4, "centered": False}
    for group in optimizer.param_groups:
        assert {key: group[key] for key in expected} == expected


def test_mxnets_sgd_decays_weights_and_scales_and_neither_biases_nor_shifts() -> None:
    recipe = RECIPES["igcv3-imagenet"]
    for make in (make_optimizer, FlatSGD):
        network, _ = made("igcv3", recipe, width=0.5)
        decayed = {
            id(parameter)
            for group in make(network, recipe).param_groups
            if group["weight_decay"] == 4e-5
            for parameter in group["params"]
        }
        names = {name for name, parameter in network.named_parameters() if id(parameter) in decayed}
        assert names == {name for name, _ in network.named_parameters() if name.endswith(".weight")}


def test_the_gates_of_dgconv_are_decayed_as_its_code_has_one_optimizer_for_all() -> None:
    recipe = RECIPES["dgconv-imagenet"]
    network, _ = made("dg-resnext", recipe, depth=50, base=1, classes=10)
    optimizer = make_optimizer(network, recipe)
    assert {group["weight_decay"] for group in optimizer.param_groups if group["params"]} == {1e-4}
    assert len(parameter_kinds(network)["deciding"]) == 16


def test_dampening_is_torchs_in_both_engines() -> None:
    recipe = dataclasses.replace(SHORT, epochs=1, optimizer=Optimizer(nesterov=False, dampening=0.5))
    states = []
    for engine in ("eager", "fast"):
        found = trained(recipe, engine=engine, name="resnet", depth=8, width=4)
        assert isinstance(found.optimizer, torch.optim.SGD)
        assert found.optimizer.param_groups[0]["dampening"] == 0.5
        states.append(found.curve[-1].train_loss)
    assert states[0] == pytest.approx(states[1], rel=1e-3)


def trained(recipe: Recipe, *, engine: str, name: str, **parameters: Any) -> Engine:
    data = load_dataset("digits")
    network_plan = plan(family(name).build(**parameters, classes=10, size=8, channels=1))
    source = TrainingData.split(data, CPU, fraction=0.9, seed=0, augmentation=recipe.augmentation)
    found = Engine(network_plan, source, recipe, seed=1, engine=engine)
    found.run()
    return found


def channels(x: torch.Tensor) -> torch.Tensor:
    """Which channels of which images are not all zero: (images, channels)."""
    return (x.flatten(2) if x.ndim > 2 else x[:, :, None]).ne(0).any(2)


@pytest.mark.parametrize(
    ("place", "before", "after"),
    [
        ("stem", "stem.norm", "stem.act"),
        ("head", "head.norm", "head.act"),
        ("map", "head.act", "pool"),
        ("pooled", "pool", "classifier"),
    ],
)
def test_a_fifth_of_the_channels_is_dropped_at_each_place_and_none_in_evaluation(
    place: Any, before: str, after: str
) -> None:
    whole = RECIPES["mobilenetv2-cifar-rmsprop"]
    assert place in whole.channel_dropout.at
    recipe = dataclasses.replace(whole, channel_dropout=ChannelDropout(share=0.2, at=(place,)))
    network, network_plan = made("mobilenetv2", recipe)
    alive: dict[str, torch.Tensor] = {}
    network.get_submodule(before).register_forward_hook(lambda _m, _i, out: alive.update(before=channels(out)))
    hang_dropout(network, network_plan, recipe)
    network.get_submodule(after).register_forward_pre_hook(lambda _m, inputs: alive.update(after=channels(inputs[0])))
    images = torch.randn(32, 3, 32, 32)
    with torch.no_grad():
        network.train()(images)
        assert alive["after"][alive["before"]].float().mean() == pytest.approx(0.8, abs=0.04)
        network.eval()(images)
        assert torch.equal(alive["after"], alive["before"])


def test_a_recipe_that_drops_channels_inside_runs_eagerly_and_one_that_does_not_runs_fast() -> None:
    recipe = RECIPES["mobilenetv2-cifar-rmsprop"].adapted(epochs=1)
    inside = trained(recipe, engine="fast", name="mobilenetv2", width=0.25)
    assert (inside.fast, inside.draws) == (False, True)
    plain = dataclasses.replace(recipe, channel_dropout=ChannelDropout())
    assert trained(plain, engine="fast", name="mobilenetv2", width=0.25).fast


def test_a_network_without_a_place_drops_nothing_there() -> None:
    recipe = RECIPES["mobilenetv2-cifar-rmsprop"]
    assert trained(recipe.adapted(epochs=1), engine="eager", name="resnet", depth=8, width=4).curve


@pytest.mark.parametrize("engine", ["eager", "fast"])
def test_running_statistics_follow_the_momentum_of_the_recipe_in_both_engines(engine: str) -> None:
    recipe = RECIPES["igc-cifar"].adapted(epochs=1)
    found = trained(recipe, engine=engine, name="igc", L=2, M=2, depth=5)
    assert norms(found.network) == {(2e-5, 0.01)}
    steps = found.steps_per_epoch
    variance = found.network.get_buffer("stem.norm.running_var")
    assert variance.min() > 0.99**steps * 0.99  # of the first one, 1, so much is left at least
