"""The benchmarks of speed: all ways compute the same, all peers train the same, and bytes are counted as by hand."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import gpu_session
from benchmarks.roofline import published
from benchmarks.speed.clock import interleaved
from benchmarks.speed.loader import Images, LoaderBatches
from benchmarks.speed.networks import known, learns_groups, sample
from benchmarks.speed.operations import errors, inputs, reference
from benchmarks.speed.outcome import Failure, Outcome
from benchmarks.speed.page import number
from benchmarks.speed.processes import Setting, run_fleet
from benchmarks.speed.resident import ResidentBatches
from benchmarks.speed.shapes import KINDS, Case, cases
from benchmarks.speed.stock import Form, prepare, train
from benchmarks.speed.traffic import Traffic, composed, demand
from benchmarks.speed.variants import EAGER, LOADER, VARIANTS, Place
from benchmarks.speed.ways import WAYS
from benchmarks.speed.workload import Workload, synthetic_images
from igcnas import literature
from igcnas.data import Split
from igcnas.errors import DataError, IgcnasError
from igcnas.network import build
from igcnas.plan import Plan, plan
from igcnas.primitives import Activation, Convolution, Norm, Permutation, Residual, Sequence
from igcnas.training import TrainingData

CPU = torch.device("cpu")
WORK = Workload("digits", 2, 128)
CASES = list(cases(KINDS, (2,)))
SMALL = [case for case in CASES if case.size <= 8]
# Computed by other code before: MMAC, dense MMAC, convolutions, MB an image unfused / pointwise / fused2 / fused1.
TABLE = {
    "ResNet-20": ("40.6", "40.6", 19, None, "5.6", "3.7", "2.6"),
    "ResNet-18": ("555", "555", 20, "26", "18.5", "12.5", "8.7"),
    "IGC-L24M2 D20": ("28.8", "405", 37, None, "22.0", "19.4", "12.9"),
    "IGC-L24M2 D20, composed": ("362", "362", 19, "21.4", "15.8", "10.1", "6.7"),
    "IGC-L24M2 D38": ("57.1", "829", 73, None, "42.6", "38.0", "25.3"),
    "IGC-L16M16 D20": ("693", "11483", 37, None, "117", "103", "69"),
    "MobileNetV2 1.0": ("89.0", "89.0", 53, "62.9", "47.0", "30.3", "20.3"),
    "IGCV3-D 1.0": ("93.5", "167", 98, None, "90", "58", "39"),
}
# The same code had one permutation in an IGC block where ours has two, and no zero-padded shortcuts.
UNFUSED = {"ResNet-20": "8.2", "IGC-L24M2 D20": "31.7", "IGC-L24M2 D38": "61.7", "IGC-L16M16 D20": "169"}


def printed_as(value: float, text: str) -> bool:
    """Whether the value rounds to the text, or to its last digit either way where it is in the middle."""
    digits = len(text.partition(".")[2])
    return abs(value - float(text)) <= 0.5001 * 10.0**-digits


@pytest.mark.parametrize("name", TABLE)
def test_the_byte_model_gives_the_table_that_was_computed_before(name: str) -> None:
    macs, dense, convolutions, *mb = TABLE[name]
    found = demand(published()[name])
    assert printed_as(found.macs / 1e6, macs)
    assert printed_as(found.dense_macs / 1e6, dense) or name == "IGCV3-D 1.0"  # 167.46, cut to 167
    assert found.convolutions == convolutions
    for elements, text in zip(found.traffic, mb, strict=True):
        assert text is None or printed_as(2 * elements / 1e6, text)


@pytest.mark.parametrize("name", UNFUSED)
def test_unfused_bytes_differ_from_that_table_by_the_copies_that_it_leaves_out(name: str) -> None:
    network = published()[name]
    kept = [layer for _, layer in network.layers()]
    copies = 0
    for before, layer in itertools.pairwise(kept):
        if isinstance(layer, Permutation) and layer.name.endswith("_deinterleave"):
            assert isinstance(before, Convolution)
            copies += 4 * layer.channels * math.prod(before.out_size)
    if name == "ResNet-20":
        copies = 2 * (16 * 16**2 + 32 * 16**2 + 32 * 8**2 + 64 * 8**2)
    assert copies
    assert printed_as(2 * (demand(network).traffic.unfused - copies) / 1e6, UNFUSED[name])


def test_bytes_of_a_block_are_those_counted_by_hand() -> None:
    size = (4, 6)  # 24 pixels
    body = (
        Convolution("a", 8, 16, 1, 1, 2, size),
        Norm("n", 16, size),
        Activation("r", "relu", 16, size),
        Permutation("p", 16, 2),
        Convolution("b", 16, 8, 3, 1, 4, size),
    )
    network = Plan(Sequence("", (Residual("residual", Sequence("body", body), Sequence("shortcut", ())),)), (8, *size))
    x, h = 8 * 24, 16 * 24
    convolutions, summed = 3 * (x + h) + 3 * (h + x), x
    assert demand(network).traffic == Traffic(
        unfused=convolutions + 8 * h + 5 * h + 4 * h + 6 * summed,
        pointwise=convolutions + 8 * h + 2 * summed,
        fused2=(4 * x + 5 * h) + (4 * h + 5 * x) + 2 * summed,
        fused1=convolutions + 2 * summed,
    )
    assert demand(network).macs == 24 * (8 * 16 // 2 + 9 * 16 * 8 // 4)
    assert demand(network).dense_macs == 24 * (8 * 16 + 9 * 16 * 8)
    assert demand(network).flops == 6 * demand(network).macs


def test_composing_keeps_what_is_around_a_chain_and_its_shapes() -> None:
    network = composed(plan(literature.igc(size=8, channels=1)))
    assert not any(isinstance(layer, Permutation) for _, layer in network.layers())
    build(network)(torch.zeros(2, 1, 8, 8))
    assert demand(network).activations < demand(plan(literature.igc(size=8, channels=1))).activations


@pytest.mark.parametrize("case", SMALL, ids=lambda case: f"{case.kind} {case.setting} {case.text()}")
def test_every_way_of_an_operator_equals_its_definition_in_float64(case: Case) -> None:
    given = inputs(case, seed=1)
    expected = reference(given)
    assert len(WAYS[case.kind]) >= 2
    for way in WAYS[case.kind]:
        assert errors(way.make(given).results(), expected) < 1e-5, way.name


def test_a_wrong_gradient_is_seen() -> None:
    given = inputs(SMALL[0])
    y, x, w = reference(given)
    assert errors((y, x, w), (y, x, w)) == 0
    assert errors((y, x, w * 1.01), (y, x, w)) == pytest.approx(0.01)


def test_every_variant_says_what_was_predicted_of_it() -> None:
    for variant in VARIANTS.values():
        assert set(variant.predicted) == set(variant.devices), variant.name


def test_ways_take_turns_and_the_first_call_is_apart() -> None:
    calls: list[str] = []
    ways = {name: (lambda name=name: calls.append(name)) for name in "ab"}  # type: ignore[misc]
    found = interleaved(ways, CPU, repeats=3, seconds=0.0)
    assert calls[-6:] == ["a", "b"] * 3
    assert all(len(timing.seconds) == 3 and timing.first > 0 for timing in found.values())


def test_peers_start_from_the_weights_of_igcnas_and_a_shuffle_is_the_permutation() -> None:
    network_plan = plan(literature.igc(size=8, channels=1))
    torch.manual_seed(7)
    ours = build(network_plan).eval()
    theirs = prepare(network_plan, 7, CPU, Form(channels_last=True)).eval()
    assert any(isinstance(module, torch.nn.ChannelShuffle) for module in theirs.modules())
    images = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(theirs(images), ours(images))


def test_the_loader_gives_images_as_igcnas_does_but_for_chance() -> None:
    data = TrainingData.of(WORK.dataset, WORK.settings, CPU)
    theirs = torch.cat([images for images, _ in LoaderBatches(data, 128, CPU, loaders=0).validation()])
    ours = torch.cat([images for images, _ in data.validation_batches()])
    torch.testing.assert_close(theirs, ours)
    resident = torch.cat([images for images, _ in ResidentBatches(data, 128).validation()])
    torch.testing.assert_close(resident, ours)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_of_the_loader_is_a_window_of_the_padded_one_mirrored_half_of_the_time(channels: int) -> None:
    pixels = np.arange(1, 1 + channels * 4 * 5, dtype=np.uint8).reshape(1, channels, 4, 5)
    split = Split(images=pixels, labels=np.zeros(1, np.int64))
    one = (1.0,) * channels
    images = Images(split, mean=(0.0,) * channels, std=one, pad=1, flip=True, augments=True)
    padded = np.pad(pixels[0], ((0, 0), (1, 1), (1, 1)))
    windows = [padded[:, t : t + 4, w : w + 5] for t in range(3) for w in range(3)]
    known_images = {(window[..., ::step]).tobytes() for window in windows for step in (1, -1)}
    torch.manual_seed(0)
    seen = {(images[0][0] * 255).round().to(torch.uint8).numpy().tobytes() for _ in range(300)}
    assert seen == known_images


def test_resident_batches_are_windows_too_and_see_each_image_once() -> None:
    work = Workload("synthetic-cifar:64", 1, 16)
    data = TrainingData.of(work.dataset, work.settings, CPU)
    batches = ResidentBatches(data, 16)
    torch.manual_seed(0)
    images, labels = batches.augmented()
    assert sorted(labels.tolist()) == sorted(data.training.labels.tolist())
    padded = np.pad(data.training.images.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)))
    held = {
        window.tobytes()
        for image in padded
        for t in range(9)
        for w in range(9)
        for window in (image[:, t : t + 32, w : w + 32], image[:, t : t + 32, w : w + 32][..., ::-1])
    }
    assert all(image.numpy().tobytes() in held for image in images)


def test_made_up_images_go_to_another_process() -> None:
    sent = pickle.loads(pickle.dumps(Workload("synthetic-cifar:40", 1, 16).dataset))
    assert len(sent.train.labels) == 40
    with pytest.raises(DataError, match="no test split"):
        sent.load_test()


def test_synthetic_images_can_be_told_apart() -> None:
    labels = np.arange(400) % 10
    images = synthetic_images(labels).astype(float)
    assert (synthetic_images(labels) == images).all()
    means = np.stack([images[:200][labels[:200] == k].mean(0) for k in range(10)])
    far = ((images[200:, None] - means[None]) ** 2).sum((2, 3, 4))
    assert (far.argmin(1) == labels[200:]).mean() > 0.9


@pytest.mark.parametrize("name", [LOADER, "resident", EAGER])
def test_a_variant_learns_and_tells_its_epochs(name: str) -> None:
    work = Workload("digits", 3, 64)
    trial = VARIANTS[name].prepare(work, Place(device=CPU, loaders=0, threads=1))
    network = literature.resnet(depth=8, width=8, size=8, channels=1)
    outcome = trial(network, 0)
    assert len(outcome.epoch_seconds) == len(outcome.losses) == 3
    assert outcome.steps == 1078 // 64
    assert outcome.accuracy > 30
    assert outcome.losses[-1] < outcome.losses[0]
    assert outcome.seconds > sum(outcome.epoch_seconds)


def test_steady_epochs_leave_out_the_first() -> None:
    outcome = Outcome(seconds=9.0, epoch_seconds=(5.0, 1.0, 2.0, 1.2), steps=4, losses=(1.0,) * 4, accuracy=50.0)
    assert outcome.steady == 1.2
    assert outcome.step_ms == pytest.approx(300)
    assert outcome.fixed == pytest.approx(9 - 4.8)
    once = dataclasses.replace(outcome, epoch_seconds=(5.0,))
    assert math.isnan(once.steady)


def test_random_networks_are_the_same_each_time_fixed_and_within_the_budget() -> None:
    one, two = (sample((1, 8, 8), 10, 300_000, 6, seed=3) for _ in range(2))
    assert [network.architecture for network in one] == [network.architecture for network in two]
    assert len({network.architecture.id for network in one}) == 6
    assert all(0.4 * 300_000 <= network.macs <= 300_000 for network in one)
    assert not any(learns_groups(network.architecture) for network in one)
    assert next(network.name for network in known((3, 32, 32), 10, 1)) == "IGCV3-D 1.0"
    assert max(network.macs for network in known((1, 8, 8), 10, 500_000)) <= 500_000


def test_a_fleet_trains_all_networks_and_ends_a_variant_that_cannot() -> None:
    networks = sample((1, 8, 8), 10, 200_000, 2)
    setting = Setting(variant=EAGER, workload=WORK, device="cpu", cores=_cores(), threads=1, loaders=0)
    fleet = run_fleet(setting, networks, processes=1, repeat=0, limit=120)
    assert all(isinstance(outcome, Outcome) for outcome in fleet.outcomes)
    assert fleet.per_hour == pytest.approx(2 * 3600 / fleet.seconds)
    refused = run_fleet(dataclasses.replace(setting, variant="none"), networks, processes=1, repeat=0, limit=120)
    assert all(isinstance(outcome, Failure) and "unknown variant" in outcome.reason for outcome in refused.outcomes)


def _cores() -> tuple[int, ...]:
    from benchmarks.speed.machine import available_cores

    return available_cores()


def test_a_compiled_peer_refuses_learned_groups() -> None:
    network = literature.flgc_mobilenetv2(size=8, channels=1, width=0.25)
    batches = ResidentBatches(TrainingData.of(WORK.dataset, WORK.settings, CPU), 128)
    with pytest.raises(IgcnasError, match="learned"):
        train(network, WORK.settings, batches, CPU, Form(compiles="default"))


def test_numbers_have_so_many_digits() -> None:
    assert [number(x) for x in (1234.5, 0.012345, 0.0, math.nan, 2.0)] == ["1,234", "0.0123", "0", "-", "2.00"]


def test_a_step_of_a_session_that_hangs_or_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    def step(name: str, code: str, log: str = "") -> gpu_session.Step:
        return gpu_session.Step(name=name, words=(sys.executable, "-c", code), share=0.5, log=log)

    plan_of = [
        step("hangs", "import time; time.sleep(60)"),
        step("fails", "print('what'); raise SystemExit(3)", "checks.log"),
        step("works", ""),
    ]
    ended = gpu_session.run(plan_of[:1], tmp_path, minutes=0.02) + gpu_session.run(plan_of[1:], tmp_path, minutes=1)
    assert [e.word for e in ended] == ["out of time", "status 3", "ok"]
    assert "what" in (tmp_path / "checks.log").read_text()


def test_a_session_runs_in_a_tiny_form_on_a_cpu_and_leaves_its_files(tmp_path: Path) -> None:
    assert gpu_session.main(["--device", "cpu", "--tiny", "--out", str(tmp_path)]) == 0
    names = {"session.md", "checks.log"} | {f"{n}.{e}" for n in ("roofline", "trial") for e in ("md", "json")}
    assert {path.name for path in tmp_path.iterdir()} == names
    trial = json.loads((tmp_path / "trial.json").read_text())
    (outcome,) = trial["trials"][EAGER].values()
    assert outcome["seconds"] > 0
    assert "| IGCV3-D 1.0 |" in (tmp_path / "roofline.md").read_text()
    assert str(tmp_path.parent) not in "".join(path.read_text() for path in tmp_path.glob("*.md"))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["resident", EAGER])
def test_a_variant_learns_on_cuda(name: str) -> None:
    work = Workload("digits", 3, 64)
    trial = VARIANTS[name].prepare(work, Place(device=torch.device("cuda"), loaders=0, threads=1))
    outcome = trial(literature.resnet(depth=8, width=8, size=8, channels=1), 0)
    assert outcome.accuracy > 30
    assert outcome.losses[-1] < outcome.losses[0]
    assert outcome.device_mb is not None
