"""How long exported networks take: the same network in every runtime, timed alone, and remembered."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from igcnas.cli import main
from igcnas.cli.timing_options import alone
from igcnas.errors import IgcnasError
from igcnas.export.c import compiling
from igcnas.export.latency import exporting, measuring, timing
from igcnas.export.latency.measuring import Latency, measure
from igcnas.export.latency.memory import FILE, keep, key_of, recall
from igcnas.export.latency.quiet import quiet
from igcnas.export.latency.running import as_exported, runner
from igcnas.export.latency.setting import RUNTIMES, Setting, is_installed
from igcnas.export.latency.timing import timed
from igcnas.modules.build import build
from igcnas.modules.first_state import first_state
from igcnas.modules.lowering import Lowered, lower
from igcnas.network import primitives
from igcnas.network.exported import exported_in
from igcnas.network.literature import family
from igcnas.network.plan import plan
from igcnas.results.first_weights import export_untrained
from igcnas.system import folders

TINY = family("resnet").from_text(["depth=8", "width=4", "size=8", "channels=1", "classes=10"])
HERE = Setting()
QUIET = Latency(median_ms=1.5, iqr_ms=0.25, runs=11, quiet=True)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IGCNAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def tiny() -> Lowered:
    module = build(plan(TINY)).eval()
    module.load_state_dict(first_state(TINY))
    return as_exported(lower(plan(TINY), module))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IGCNAS_CACHE", str(folder.parent / "cache"))
        export_untrained(TINY, folder=folder, also=["c"], times=True)
    return folder


def runtimes() -> list[Any]:
    return [
        pytest.param(name, marks=pytest.mark.skipif(not is_installed(name), reason=f"{name} is not installed here"))
        for name in RUNTIMES
    ]


# What runs


@pytest.mark.parametrize("runtime", runtimes())
def test_every_runtime_gives_the_logits_of_the_network_with_its_normalization(
    tiny: Lowered, runtime: str, tmp_path: Path
) -> None:
    module = build(tiny.plan).eval()
    module.load_state_dict(tiny.state)
    images = np.random.default_rng(0).random((3, 1, 8, 8), np.float32)
    with torch.inference_mode():
        expected = module(torch.from_numpy(images))
    found = runner(tiny, Setting(runtime=runtime, batch=3), tmp_path)()
    assert torch.allclose(torch.as_tensor(found), expected, atol=1e-4)


def test_a_network_is_normalized_once(tiny: Lowered) -> None:
    assert isinstance(tiny.plan.root.layers[0], primitives.Normalize)
    assert as_exported(tiny) is tiny


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"runtime": "tflite"}, "unknown runtime 'tflite'; known: c, onnx, openvino, torch"),
        ({"runtime": "c", "threads": 4}, "model.c has one thread, not 4; leave the threads out, or take onnx"),
        ({"runtime": "c", "device": "cuda"}, "model.c is timed on the cpu, not on cuda; take onnx or torch"),
        ({"device": "tpu"}, "networks are not timed on the device 'tpu'; known: cpu, cuda, cuda:N"),
        ({"batch": 0}, "batch must be a positive integer, but is 0"),
    ],
)
def test_a_setting_that_no_machine_has_is_refused(words: dict[str, Any], said: str) -> None:
    with pytest.raises(IgcnasError) as error:
        Setting(**words)
    assert str(error.value) == said


def test_what_this_machine_lacks_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    lacks = {
        "c": "there is no C compiler, and model.c needs one: install gcc or clang",
        "torch": "torch cannot be timed on cuda: it sees 0 CUDA devices here; take the device cpu",
        "onnx": "onnx cannot be timed on cuda: this onnxruntime has no CUDAExecutionProvider; install onnxruntime-gpu",
    }
    if not is_installed("openvino"):
        lacks["openvino"] = "the runtime openvino needs OpenVINO: pip install openvino"
    for runtime, said in lacks.items():
        device = "cpu" if runtime in ("c", "openvino") else "cuda"
        assert main(["latency", "--family", "igc", "--runtime", runtime, "--device", device]) == 2
        assert capsys.readouterr().err.startswith(f"error: {said}")


# How it is measured


class Clock:
    """A machine on which a call takes a millisecond of the processor, and `waits` of the clock besides."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, waits: Callable[[float], float]) -> None:
        self.processor = self.wall = 0.0
        self.waits = waits
        monkeypatch.setattr(measuring.time, "perf_counter", lambda: self.wall)
        monkeypatch.setattr(measuring.time, "process_time", lambda: self.processor)

    def call(self) -> None:
        self.processor += 0.001
        self.wall += 0.001 + self.waits(self.wall)


def test_the_median_and_the_spread_are_of_single_calls_and_the_first_ones_warm_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch, lambda now: 0.05 if now < 0.1 else 0.0)
    found = measure(clock.call, least=5, seconds=0.4)
    assert found.median_ms == pytest.approx(1.0)
    assert found.iqr_ms == pytest.approx(0.0, abs=1e-9)
    assert found.runs == pytest.approx(400, abs=1)
    assert found.quiet is True


def test_where_another_program_has_the_core_the_quietest_of_a_few_attempts_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch, lambda now: 0.001 if now < 0.5 else 0.0002)
    found = measure(clock.call, least=5, seconds=0.4, attempts=3)
    assert found.median_ms == pytest.approx(1.2)
    assert found.quiet is False
    assert 1.2 < clock.wall < 1.5  # three attempts, and no more


def test_a_machine_that_gets_quiet_is_measured_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, lambda now: 0.001 if now < 0.3 else 0.0)
    found = measure(clock.call, least=5, seconds=0.4)
    assert (round(found.median_ms, 6), found.quiet) == (1.0, True)


def test_of_several_threads_nothing_tells_whether_the_machine_was_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, lambda _now: 0.001)
    assert measure(clock.call, Setting(threads=2), least=5, seconds=0.4).quiet is None
    assert clock.wall < 0.6


def test_torch_has_the_threads_of_the_setting_and_gets_its_own_back() -> None:
    before, seen = torch.get_num_threads(), set()
    found = measure(lambda: seen.add(torch.get_num_threads()), Setting(runtime="torch", threads=2), seconds=0.001)
    assert (seen, torch.get_num_threads()) == ({2}, before)
    assert found.runs >= 11


# One at a time


def test_one_process_times_at_a_time(cache: Path) -> None:
    code = "from igcnas.export.latency.quiet import quiet\nwith quiet() as alone: print(alone, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        with quiet(seconds=0.1) as alone:
            assert not alone
        other.stdin.close()
        with quiet(seconds=60.0) as alone:  # the lock ends with its process
            assert alone


# What is remembered


def counting(monkeypatch: pytest.MonkeyPatch, latency: Latency = QUIET) -> list[object]:
    """Every network that is made to run from now on; times are not measured."""
    made: list[object] = []

    def counted(*words: Any) -> Callable[[], object]:
        made.append(words)
        return lambda: None

    monkeypatch.setattr(timing, "runner", counted)
    monkeypatch.setattr(timing, "measure", lambda *_words, **_how: latency)
    return made


def test_a_network_is_timed_once_in_each_setting_and_again_where_that_is_asked(
    tiny: Lowered, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = counting(monkeypatch)
    assert [timed(tiny, HERE).remembered for _ in range(2)] == [False, True]
    assert timed(tiny, HERE).latency == QUIET
    assert not timed(tiny, Setting(batch=2)).remembered
    assert not timed(tiny, HERE, again=True).remembered
    assert len(made) == 3


def test_mean_and_deviation_of_the_normalization_make_no_other_network(tiny: Lowered) -> None:
    front = primitives.Normalize("normalize", (0.1,), (0.7,))
    other = tiny.plan.root._replace(layers=(front, *tiny.plan.root.layers[1:]))
    changed = tiny.plan.root._replace(layers=tiny.plan.root.layers[:-1])
    keys = [key_of(type(tiny.plan)(root, (1, 8, 8)), HERE, ()) for root in (tiny.plan.root, other, changed)]
    assert keys[0] == keys[1] != keys[2]


def test_what_was_timed_on_a_busy_machine_is_not_remembered(tiny: Lowered, monkeypatch: pytest.MonkeyPatch) -> None:
    counting(monkeypatch, Latency(median_ms=9.0, iqr_ms=1.0, runs=11, quiet=False))
    assert not any(timed(tiny, HERE).remembered for _ in range(2))


def test_torn_and_damaged_lines_are_passed_over_and_the_last_one_counts(cache: Path) -> None:
    keep("a" * 24, Latency(median_ms=1.0, iqr_ms=0.0, runs=1), HERE, ())
    file = cache / FILE
    torn = file.read_bytes()[:-20]
    damaged = json.dumps({"key": "a" * 24, "latency": {"median_ms": "fast"}}).encode()
    file.write_bytes(file.read_bytes() + b"\xff\x00\n" + damaged + b"\n" + torn)
    assert recall("a" * 24) == Latency(median_ms=1.0, iqr_ms=0.0, runs=1)
    keep("a" * 24, QUIET, HERE, ())
    assert recall("a" * 24) == QUIET
    assert recall("b" * 24) is None


def test_where_nothing_can_be_written_networks_are_timed_all_the_same(
    tiny: Lowered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGCNAS_CACHE", "/dev/null/nothing")
    monkeypatch.setattr(folders, "private_temporary", lambda: None)
    found = timed(tiny, HERE, least=3, seconds=0.001, attempts=1)
    assert found.latency.median_ms > 0
    assert not found.remembered


# Exports


def test_an_export_says_how_long_it_takes_beside_its_macs(exported: Path) -> None:
    record = exported_in(exported)
    assert record is not None
    assert [one.runtime.split()[0] for one in record.times] == ["ONNX", "model.c"]
    card = (exported / "card.md").read_text(encoding="utf-8")
    for one in record.times:
        assert one.median_ms > 0
        assert (one.batch, one.threads) == (1, 1)
        assert f"| time, {one.runtime} | {one.words(named=False)} |" in card


def test_no_export_fails_because_it_cannot_be_timed(tiny: Lowered, tmp_path: Path, caplog: Any) -> None:
    assert exporting.export_times(tmp_path, tiny.plan, c=True) == ()
    assert "the card says no time of ONNX Runtime" in caplog.text


def test_the_command_prints_a_row_for_each_runtime_and_remembers_them(
    exported: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "measure", lambda *_words, **_how: QUIET)
    command = ["latency", str(exported), "--runtime", "onnx", "torch"]
    assert main([*command, "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["timings"]
    assert (first["runtime"], second["runtime"]) == ("onnx", "torch")
    assert first["median_ms"] == 1.5
    assert first["images_per_second"] == pytest.approx(1000 / 1.5)
    assert first["gflops"] == pytest.approx(2e-9 * first["macs"] * 1000 / 1.5)
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-2:] for line in lines[-2:]] == [["quiet", "before"]] * 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing is named; give a study, the folder of an export, or --family for a network"),
        (["{here}", "--trial", "3"], "{here} is an export of one network; --trial and --front are for studies"),
        (["{here}", "--runtime", "onx"], "unknown runtime 'onx'; did you mean 'onnx'? known: c, onnx, openvino, torch"),
        (["{here}", "--family", "igc"], "--family igc stands in place of '{here}'; give one"),
    ],
)
def test_what_cannot_be_timed_is_one_line(words: list[str], said: str, exported: Path, capsys: Any) -> None:
    assert main(["latency", *(word.format(here=exported) for word in words)]) == 2
    assert capsys.readouterr().err == f"error: {said.format(here=exported)}\n"


def test_an_export_without_model_c_says_how_to_get_it(exported: Path, tmp_path: Path, capsys: Any) -> None:
    for file in ("architecture.json", "model.onnx"):
        (tmp_path / file).write_bytes((exported / file).read_bytes())
    assert main(["latency", str(tmp_path), "--runtime", "c"]) == 2
    said = f"error: {tmp_path} holds no model.c; write the folder again with igcnas export with --c\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("runtime", ["torch", "c"])
def test_an_export_is_evaluated_by_the_runtime_that_is_asked_for(
    exported: Path, runtime: str, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGCNAS_CACHE", str(exported.parent / "cache"))
    monkeypatch.setattr(compiling, "_compile", lambda *_: pytest.fail("model.c is compiled once"))
    command = ["evaluate", str(exported), "--data", "digits", "--split", "test", "--json"]
    found = []
    for words in ([], ["--runtime", runtime]):
        assert main([*command, *words]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert [one["form"] for one in found] == ["onnx", runtime]
    assert found[0]["test"]["top1"] == found[1]["test"]["top1"]


# Studies


SEARCH = (
    "search",
    "--space",
    "igcv3",
    "--budget-mflops",
    "0.03",
    "--epochs",
    "1",
    "--seeds",
    "1",
    "--workers",
    "1",
    "--no-baselines",
)


def test_a_study_of_times_says_what_they_are_of_and_one_of_before_goes_on_with_its_clock(
    tmp_path: Path, capsys: Any
) -> None:
    words = [*SEARCH, "--no-export", "--objective", "accuracy,latency", "--study", "s", "--studies-dir", str(tmp_path)]
    assert main([*words, "--networks", "1"]) == 0
    assert "latency   ONNX Runtime, batch 1, 1 thread, CPU" in capsys.readouterr().out
    assert main(["status", "s", "--studies-dir", str(tmp_path)]) == 0
    assert "latency   ONNX Runtime 1." in capsys.readouterr().out
    settings = json.loads((tmp_path / "s" / "settings.json").read_text(encoding="utf-8"))
    assert settings["latency"] == {"runtime": "onnx", "batch": 1, "threads": 1, "device": "cpu"}

    assert main([*words, "--networks", "2", "--latency-batch", "8"]) == 2
    assert "was started with other settings (latency.batch: 1 -> 8)" in capsys.readouterr().err

    # As an earlier version began it: no word of how networks are timed.
    del settings["latency"]
    (tmp_path / "s" / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    assert main([*words, "--networks", "2"]) == 0
    assert "goes on as it began: torch module, batch 1, on the device that trained" in capsys.readouterr().out
    table = (tmp_path / "s" / "trials.csv").read_text(encoding="utf-8").splitlines()
    assert len(table) == 3
    assert "ONNX Runtime" in table[1]
    assert "ONNX Runtime" not in table[2]


def test_the_options_of_timing_are_for_studies_of_times(capsys: Any) -> None:
    assert main([*SEARCH, "--runtime", "c"]) == 2
    said = "error: --runtime is for --budget-ms and --objective accuracy,latency; add one, or leave it out\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("workers", "setting", "expected"),
    [
        ("auto", HERE, True),
        (2, HERE, False),
        (2, Setting(device="cuda"), True),
        (2, None, True),  # of before: timed where it trains, in no turn
    ],
)
def test_workers_share_a_device_where_they_are_asked_for_and_networks_are_timed_in_turn_on_the_cpu(
    workers: int | str, setting: Setting | None, expected: bool
) -> None:
    assert alone(workers, setting, timed=True) is expected
    assert not alone(workers, setting, timed=False)
