"""The training step as CUDA sees it, without a GPU: autograd, optimizer and evaluation on tensors that are not there.

benchmarks/fake_cuda is a device that allocates and computes nothing, and a process that trains on it and says what was
asked of the device. A step that reads a number back, or carries one there, cannot be captured in a graph;
one that changes the layout of a map copies it.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "win32":
    import fcntl

from benchmarks import fake_cuda, step_operations
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, Block, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.budget import macs_budget
from igcnas.network.grouping import (
    Condensing,
    DynamicChannels,
    Group,
    Interleaved,
    KroneckerGrouping,
    LearnedGrouping,
    MultiSpectral,
    SparseProduct,
)
from igcnas.network.grouping.rules import GroupingRules
from igcnas.search.proposals import Proposer, SpaceDomain
from igcnas.search.space import load_space
from igcnas.training.recipes import RECIPES, short_recipe
from igcnas.training.settings import TrainingSettings
from igcnas.training.specimens import FIXED, LEARNED, RECIPE

pytestmark = [
    pytest.mark.skipif(fake_cuda.COMPILER is None, reason="the fake device is compiled with a C++ compiler, on Linux"),
    pytest.mark.timeout(1200),  # one process trains all networks
]
SHORT = short_recipe(TrainingSettings(epochs=2))
EPOCHS = 2


def network(block: Block, *, channels: int = 3, **options: Any) -> Architecture:
    """With strides and without, by the first block and the second; `searched` has more stages."""
    stage = Stage(block=block, width=16, repeats=2, stride=2)
    return Architecture(
        family="test", input_shape=(channels, 8, 8), num_classes=10, stem_channels=16, stages=(stage,), **options
    )


def inverted(**grouping: Any) -> Block:
    return InvertedResidual(expansion=2, expand=grouping["both"], project=grouping["both"])


def searched() -> dict[str, Architecture]:
    """A network of each family of the largest space."""
    domain = SpaceDomain(
        space=load_space("all"), input_shape=(3, 16, 16), num_classes=10, budget=macs_budget(600_000), fill=0.3
    )
    found: dict[str, Architecture] = {}
    for seed in range(6):
        proposer = Proposer(
            domain, budget=600_000, lowest_target=200_000, spread=False, sampler="random", seed=seed, images=100
        )
        for candidate in proposer.samples(6):
            found.setdefault(f"searched {candidate.network.family}", candidate.network)
    return found


OF_PROOF = {name: getattr(RECIPE, name) for name in ("grouping", "dropout", "channel_dropout")}
ATTENTION = MultiSpectral(heads=2, keep=0.5, attention=True)
NETWORKS: dict[str, tuple[Architecture, dict[str, Any]]] = {
    "igcv1": (network(BasicBlock(grouping=Interleaved(L=8, M=2))), {}),
    "igcv2": (network(BasicBlock(grouping=SparseProduct(K=(4, 4)))), {}),
    "igcv3": (network(inverted(both=Group(groups=2))), {}),
    "grey images": (network(inverted(both=Group(groups=2)), channels=1), {}),
    "flgc": (network(inverted(both=LearnedGrouping(groups=4))), {}),
    "flgc, free": (network(inverted(both=LearnedGrouping(groups=4, balanced=False))), {}),
    "flgc, nonempty": (network(inverted(both=LearnedGrouping(groups=4, balanced=False, nonempty=True))), {}),
    "flgc, colder": (
        network(inverted(both=LearnedGrouping(groups=2))),
        {"grouping": GroupingRules(temperature_start=2.0, temperature_end=0.1)},
    ),
    "dgconv": (network(Bottleneck(mid=16, spatial=KroneckerGrouping(groups=4))), {}),
    "dgconv, free": (network(Bottleneck(mid=16, spatial=KroneckerGrouping(groups=4, balanced=False))), {}),
    "condensing": (
        network(
            DenseLayer(reduce=Condensing(groups=4, factor=4), bottleneck=2), preactivation=True, condense_classifier=2
        ),
        {"grouping": GroupingRules(group_lasso=1e-4)},
    ),
    "msgc": (network(BasicBlock(grouping=ATTENTION)), {}),
    "msgc, quieter": (network(inverted(both=ATTENTION)), {"grouping": GroupingRules(noise_end=0.0, ramp_until=0.3)}),
    "msgc, authors' count": (network(BasicBlock(grouping=ATTENTION)), {"grouping": GroupingRules(hinge_of="msgc")}),
    "dgc": (network(BasicBlock(grouping=DynamicChannels(heads=4, keep=0.25))), {}),
    "dgc, ties dropped": (network(BasicBlock(grouping=DynamicChannels(heads=4, keep=0.25, ties="dropped"))), {}),
    "dropout": (network(inverted(both=Group(groups=2))), {"dropout": 0.5}),
    "rmsprop": (network(inverted(both=Group(groups=2))), {"optimizer": RECIPES["mobilenetv2-cifar-rmsprop"].optimizer}),
    "dampening": (
        network(inverted(both=Group(groups=2))),
        {"optimizer": dataclasses.replace(SHORT.optimizer, nesterov=False, dampening=0.9)},
    ),
    **{name: (found, {}) for name, found in searched().items()},
    **{f"of the proof, {found.family}": (found, OF_PROOF) for found in (FIXED, LEARNED)},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, dict[str, Any]]:
    """What was asked of the device in two epochs of each network; once for all processes that run tests."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder if worker_id == "master" else folder.parent
    kept = shared / "fake-cuda.jsonl"
    with (shared / "fake-cuda.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(_trained(folder), encoding="utf-8")
    found = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    return dict(zip(NETWORKS, found, strict=True))


def _trained(folder: Path) -> str:
    rows = [
        {"architecture": architecture.to_json(), "recipe": dataclasses.replace(SHORT, **changes).to_dict()}
        for architecture, changes in NETWORKS.values()
    ]
    return "\n".join(map(json.dumps, fake_cuda.trained(fake_cuda.compiled(folder), rows)))


@pytest.mark.parametrize("name", NETWORKS)
def test_no_step_reads_from_the_device_or_carries_anything_there(trained: dict[str, Any], name: str) -> None:
    assert trained[name]["reads"].get("step", 0) == 0
    assert trained[name]["copies"].get("step", []) == []


@pytest.mark.parametrize("name", NETWORKS)
def test_an_epoch_waits_for_the_device_twice_for_its_losses_and_its_evaluation(
    trained: dict[str, Any], name: str
) -> None:
    reads = trained[name]["reads"]
    assert reads["around"] == 2 * EPOCHS
    assert reads.get("answer", 0) == reads.get("rate", 0) == 0
    # Only when a stage of condensing is due is a layer asked how many it has behind it.
    layers = trained[name]["stages"]
    assert reads.get("schedule", 0) <= layers


@pytest.mark.parametrize("name", NETWORKS)
def test_every_map_stays_in_channels_last_forwards_and_backwards(trained: dict[str, Any], name: str) -> None:
    assert trained[name]["layouts"].get("step", []) == []
    assert trained[name]["layouts"].get("answer", []) == []


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_are_convolved_in_bfloat16_and_what_decides_is_in_float32(trained: dict[str, Any], name: str) -> None:
    assert trained[name]["types"]["aten.convolution.default"] == ["torch.bfloat16"]
    assert trained[name]["types"]["aten._log_softmax.default"] == ["torch.float32"]
    assert set(trained[name]["types"].get("aten._softmax.default", [])) <= {"torch.float32"}


def test_every_optimizer_steps_for_all_parameters_at_once_by_a_rate_on_the_device(trained: dict[str, Any]) -> None:
    for name, found in trained.items():
        done = found["operations"]
        if name == "rmsprop":
            assert done["aten._foreach_mul.Tensor"] <= 5
            continue
        assert "aten._fused_sgd_.default" not in done, name
        assert done["aten._fused_sgd_.tensor_lr"] <= 5, name  # one a group of parameters


def test_the_page_of_operations_has_a_row_a_network(trained: dict[str, Any]) -> None:
    rows = [trained[name] | {"images": "8x8", "network": name, "macs": 1} for name in ("igcv1", "igcv3")]
    lines = step_operations.page(rows, []).splitlines()[-2:]
    for line, name in zip(lines, ("igcv1", "igcv3"), strict=True):
        _, images, network_name, operations, _, *zeros, _ = (cell.strip() for cell in line.split("|"))
        assert (images, network_name, zeros) == ("8x8", name, ["0", "2", "0"])
        assert 100 < int(operations) < 400
