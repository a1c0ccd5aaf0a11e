"""The benchmarks of speed: all ways compute the same, all peers train the same, and bytes are counted as by hand."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import pickle
import subprocess
import sys
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks import gpu_session
from benchmarks.roofline import published
from benchmarks.speed import checks, mps
from benchmarks.speed.clock import interleaved
from benchmarks.speed.loader import Images, LoaderBatches
from benchmarks.speed.networks import known, learns_groups, sample
from benchmarks.speed.operations import errors, inputs, reference
from benchmarks.speed.outcome import Failure, Outcome
from benchmarks.speed.page import number
from benchmarks.speed.processes import Setting, Throughput, run_fleet
from benchmarks.speed.resident import ResidentBatches
from benchmarks.speed.session_page import networks as session_networks
from benchmarks.speed.session_page import variants
from benchmarks.speed.session_results import Results, Size
from benchmarks.speed.shapes import KINDS, Case, cases
from benchmarks.speed.stock import Form, prepare, train
from benchmarks.speed.traffic import Traffic, composed, demand
from benchmarks.speed.variants import EAGER, GRAPH, LOADER, VARIANTS, Place
from benchmarks.speed.ways import WAYS
from benchmarks.speed.workload import Workload, synthetic_images
from igcnas.data.dataset import Split
from igcnas.errors import DataError, IgcnasError
from igcnas.modules.build import build
from igcnas.network import literature
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Activation, Convolution, Norm, Permutation, Residual, Sequence
from igcnas.training.tensors import TrainingData

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
    digits = Workload("synthetic-digits:40", 1, 16).dataset
    assert digits.input_shape == (1, 8, 8)
    assert not digits.flip


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


TESTS = {
    "works": "import pytest\n\n@pytest.mark.cuda\ndef test_one():\n    assert 1 == 1\n",
    "fails": "import pytest\n\n@pytest.mark.cuda\ndef test_one():\n    assert 1 == 2, 'what'\n",
    "hangs": "import pytest, time\n\n@pytest.mark.cuda\ndef test_one():\n    time.sleep(60)\n",
    "lacks": "import pytest\nimport no_such_package.inside\n\n@pytest.mark.cuda\ndef test_one():\n    pass\n",
    "skips": "import pytest\n\n@pytest.mark.cuda\n@pytest.mark.skip('why')\ndef test_one():\n    pass\n",
    "other": "def test_one():\n    assert 1 == 2\n",
}


def test_a_file_of_tests_that_fails_hangs_or_lacks_a_package_does_not_stop_the_others(tmp_path: Path) -> None:
    for name, text in TESTS.items():
        (tmp_path / f"test_{name}.py").write_text(text)
    (tmp_path / "conftest.py").write_text("import no_such_package\n")
    files = checks.marked(tmp_path)
    assert [path.stem for path in files] == ["test_fails", "test_hangs", "test_lacks", "test_skips", "test_works"]
    log = tmp_path / "checks.log"
    quick, hangs = [path for path in files if path.stem != "test_hangs"], [tmp_path / "test_hangs.py"]
    late = time.monotonic() + 200
    found = [*checks.run_tests(hangs, log, deadline=late, limit=3), *checks.run_tests(quick, log, deadline=late)]
    assert {check.name: (check.state, check.found) for check in found} == {
        "test_fails.py": ("failed", "1 failed"),
        "test_hangs.py": ("out of time", ""),
        "test_lacks.py": ("missing", "no module no_such_package"),
        "test_skips.py": ("skipped", "1 skipped"),
        "test_works.py": ("ok", "1 passed"),
    }
    assert "what" in log.read_text()


VERDICT = {"captured": True, "why": "right, and 3.1 times as fast as eager", "identity": {"gpu": "A"}, "speedup": 3.1}
WRONG = VERDICT | {"captured": False, "why": "the loss differs"}


@pytest.mark.parametrize(
    ("code", "state", "found"),
    [
        (f"print('a warning'); print({json.dumps(VERDICT)!r})", "ok", "right, and 3.1 times as fast as eager"),
        (f"print({json.dumps(WRONG, indent=1)!r})", "failed", "the loss differs"),
        ("raise SystemExit('no such device')", "failed", "status 1: no such device"),
        ("import time; time.sleep(60)", "out of time", ""),
    ],
)
def test_what_the_proof_says_is_a_check(tmp_path: Path, code: str, state: str, found: str) -> None:
    check = checks.proof(tmp_path / "checks.log", limit=3, words=("-c", code))
    assert (check.state, check.found) == (state, found)


DAEMON = """#!/bin/sh
echo "$1 $CUDA_MPS_PIPE_DIRECTORY" >> "{log}"
test "$1" = -d || cat >> "{log}"
echo words of the daemon
exit {status}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="MPS is for Linux")
@pytest.mark.parametrize(
    ("status", "trial", "shares"), [(0, "pass", True), (1, "pass", False), (0, "raise SystemExit('no context')", False)]
)
def test_workers_share_a_gpu_by_a_daemon_that_was_tried_and_is_told_to_quit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, trial: str, shares: bool
) -> None:
    program, log, notes = tmp_path / mps.PROGRAM, tmp_path / "log", list[str]()
    program.write_text(DAEMON.format(log=log, status=status))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_MPS_PIPE_DIRECTORY", raising=False)
    with mps.shared(notes.append, trial=(sys.executable, "-c", trial)) as found:
        assert found is shares
        assert ("CUDA_MPS_PIPE_DIRECTORY" in os.environ) is shares
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
    started, told, words = log.read_text().splitlines()
    assert (started.split()[0], words) == ("-d", "quit")
    assert told.split()[-1] == started.split()[-1]  # the same folder
    assert [note.split(": ")[-1] for note in notes] == (
        [] if shares else ["words of the daemon" if status else "no context"]
    )


def test_without_the_program_of_mps_workers_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = list[str]()
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CUDA_MPS_PIPE_DIRECTORY", raising=False)
    with mps.shared(notes.append) as found:
        assert not found
    assert len(notes) == 1


def without_what_is_not_needed(folder: Path) -> None:
    """Makes Python refuse every package that torch, numpy, scipy, pandas, matplotlib and safetensors can do without."""
    needed, waiting = set[str](), ["torch", "numpy", "scipy", "pandas", "matplotlib", "safetensors"]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in needed:
            continue
        needed.add(name)
        with suppress(metadata.PackageNotFoundError):
            wanted = [Requirement(text) for text in metadata.requires(name) or ()]
            waiting += [one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    missing = [
        module
        for module, names in metadata.packages_distributions().items()
        if not {canonicalize_name(name) for name in names} & (needed | {"igcnas"})
    ]
    assert {"numba", "optuna", "msgspec", "psutil", "sklearn", "pytest", "hypothesis"} <= set(missing)
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({missing!r}))\n")


@pytest.mark.timeout(900)  # many processes that each load torch
def test_a_session_runs_in_a_tiny_form_on_a_cpu_with_the_packages_that_a_gpu_image_has(tmp_path: Path) -> None:
    without_what_is_not_needed(tmp_path)
    out = tmp_path / "gpu"
    words = [sys.executable, "-m", "benchmarks.gpu_session", "--device", "cpu", "--tiny", "--out", str(out)]
    paths = os.pathsep.join([str(tmp_path), str(checks.ROOT)])
    done = subprocess.run(
        words, cwd=checks.ROOT, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in out.iterdir()} == {"gpu-session.md", "gpu-session.json", "checks.log"}
    page, found = (out / "gpu-session.md").read_text(), json.loads((out / "gpu-session.json").read_text())
    assert "pytest is not installed" in page
    assert "No GPU" in page
    assert str(tmp_path) not in page
    assert found["notes"] == []
    small, large = found["sizes"]
    assert all(set(small["cold"][name]) == set(small["networks"]) for name in ("eager", "graph"))
    assert list(small["cold"]["loader"]) == ["IGCV3-D"]
    assert small["cold"]["eager"].keys() == small["cold"]["graph"].keys()
    for row, other in zip(small["cold"]["eager"].values(), small["cold"]["graph"].values(), strict=True):
        assert row["losses"] == other["losses"]
    assert len(small["fleets"]["2 workers"]["outcomes"]) == 2
    assert len(large["cold"]["eager"]) == 1
    assert [len(left) for left in found["memory"].values()] == [4, 4]


def test_a_session_on_a_cpu_is_asked_for_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu_session.main(["--device", "cpu", "--out", str(tmp_path / "gpu")]) == 2
    assert "--tiny" in capsys.readouterr().out
    assert not (tmp_path / "gpu").exists()


def test_a_page_tells_a_failed_trial_an_early_end_and_how_far_graph_and_eager_are_apart() -> None:
    def one(seconds: float, loss: float, accuracy: float) -> Outcome:
        epochs = (seconds / 2, seconds / 4, seconds / 4)
        return Outcome(seconds=seconds, epoch_seconds=epochs, steps=10, losses=(loss,) * 3, accuracy=accuracy, ran="x")

    networks = sample((1, 8, 8), 10, 200_000, 2)
    size = Size(name="8x8", workload=WORK, known=[], random=networks)
    first, second = (network.name for network in networks)
    size.cold = {
        "eager": {first: one(8.0, 1.0, 50.0), second: one(4.0, 1.0, 50.0)},
        "graph": {first: one(2.0, 1.02, 49.0), second: Failure(reason="CaptureError: no")},
    }
    size.fleets = {
        "4 workers, MPS": Throughput(seconds=10.0, outcomes=(one(4.0, 1.0, 50.0), Failure(reason="late", over=True)))
    }
    results = Results(device="cuda", minutes=9.0, machine={}, graph="graph", sizes=[size])
    assert not results.well
    table, by_network = variants(size), session_networks(size)
    assert "| graph | 1 | 2.00 (2.00 to 2.00) |" in table
    assert "1: CaptureError: no" in table
    assert "| graph, 4 workers, MPS | 1 |" in table
    assert "| 360 |" in table
    assert (
        f"| {first} | {networks[0].macs:,} |  | 8.00 (200) | 2.00 (50.0) | 4.00 | 1.0000 | +0.0200 | 50.0 | -1.0 |"
        in by_network
    )
    assert "failed | - | - | - | - | - |" in by_network


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["resident", EAGER, GRAPH])
def test_a_variant_learns_on_cuda(name: str) -> None:
    work = Workload("digits", 3, 64)
    trial = VARIANTS[name].prepare(work, Place(device=torch.device("cuda"), loaders=0, threads=1))
    outcome = trial(literature.resnet(depth=8, width=8, size=8, channels=1), 0)
    assert outcome.accuracy > 30
    assert outcome.losses[-1] < outcome.losses[0]
    assert outcome.device_mb is not None
    assert name != GRAPH or outcome.ran == "graph"
