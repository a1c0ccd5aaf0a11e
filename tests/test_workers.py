"""Several workers at once, for real: killed, hung, stopped, and as good as one; and how many of them there are."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.workers import LONG, is_gone, network, setup, wait_until

from igcnas.errors import CaptureError, IgcnasError, TrainingError
from igcnas.network.architecture import Architecture
from igcnas.search.evaluation import (
    Interrupted,
    Outcome,
    ProcessEvaluator,
    Slot,
    affordable,
    fitting,
    gpus,
    slots,
    slots_for,
)
from igcnas.search.evaluation.child import command
from igcnas.search.evaluation.gpus import Gpu
from igcnas.search.worker import Job, memory, messages
from igcnas.search.worker.process import _work
from igcnas.search.worker.trainer import Trainer
from igcnas.training.reports import EpochReport

ROOT = Path(__file__).parents[1]
ONE_THREAD = Slot(device="cpu", threads=1)
NETWORKS = [network(L) for L in (2, 3, 4, 5, 6)]


@pytest.fixture(scope="module")
def three() -> Iterator[ProcessEvaluator]:
    with ProcessEvaluator(setup(2), slots=[ONE_THREAD] * 3) as evaluator:
        yield evaluator


def train_all(evaluator: ProcessEvaluator, folder: Path, networks: list[Architecture]) -> dict[int, Outcome]:
    for number, architecture in enumerate(networks):
        evaluator.submit(number, architecture, folder / str(number))
    return dict(evaluator.wait(lambda _number, _report: None) for _ in networks)


def test_what_three_workers_train_is_to_the_bit_what_one_trains(three: ProcessEvaluator, tmp_path: Path) -> None:
    def told(outcome: Outcome) -> dict[str, Any]:
        assert outcome.results is not None
        assert outcome.results["peak_memory_mb"] < 700
        return {k: v for k, v in outcome.results.items() if k not in ("seconds", "peak_memory_mb")}

    at_once = train_all(three, tmp_path / "three", NETWORKS)
    assert len(set(three.pids)) == 3
    with ProcessEvaluator(setup(2)) as one:
        in_turn = train_all(one, tmp_path / "one", NETWORKS)
        assert len(one.pids) == 1
    for number in range(len(NETWORKS)):
        assert told(at_once[number]) == told(in_turn[number])
        files = (tmp_path / name / str(number) / "weights.safetensors" for name in ("three", "one"))
        assert len({file.read_bytes() for file in files}) == 1


def test_of_three_workers_one_is_killed_and_only_its_training_begins_again(
    three: ProcessEvaluator, tmp_path: Path
) -> None:
    begun: list[int] = []
    pids: list[tuple[int, ...]] = []

    def kill_one(number: int, report: EpochReport) -> None:
        if report.epoch == 1:
            begun.append(number)
        if not pids and number == 1:
            pids.append(three.pids)
            os.kill(three.pids[1], signal.SIGKILL)

    for number in range(3):
        three.submit(number, NETWORKS[number], tmp_path / str(number))
    outcomes = dict(three.wait(kill_one) for _ in range(3))
    assert all(outcome.results is not None for outcome in outcomes.values())
    assert begun.count(1) == 2  # the first was reported before the kill
    assert (begun.count(0), begun.count(2)) == (1, 1)
    assert set(pids[0]) - set(three.pids) == {pids[0][1]}


def test_a_worker_that_hangs_does_not_hold_up_the_others(tmp_path: Path) -> None:
    hung: list[int] = []

    def hang(number: int, report: EpochReport) -> None:
        if number == 0 and report.epoch == 1:
            hung.append(evaluator.pids[0])
            os.kill(evaluator.pids[0], signal.SIGSTOP)

    def patience() -> bool:  # asked several times a second; a busy machine may need seconds for an epoch
        evaluator._epoch_deadline = 1.0 if ended and hung and hung[-1] in evaluator.pids else 600.0
        return False

    ended: list[int] = []
    with ProcessEvaluator(LONG, slots=[ONE_THREAD] * 2, stop=patience) as evaluator:
        evaluator.submit(0, network(), tmp_path / "0")
        evaluator.submit(1, network(3), tmp_path / "1")
        number, outcome = evaluator.wait(hang)
        assert (number, outcome.reason) == (1, None)
        ended.append(number)
        number, outcome = evaluator.wait(hang)
    assert number == 0
    assert outcome.reason == "the training process was silent for 1 s and was ended"
    assert len(set(hung)) == 2
    assert all(is_gone(pid) for pid in hung)


def test_a_stop_ends_all_workers_and_leaves_their_checkpoints(tmp_path: Path) -> None:
    reached: set[int] = set()
    often = dataclasses.replace(LONG, checkpoint_seconds=0.0)
    with ProcessEvaluator(often, slots=[ONE_THREAD] * 2, stop=lambda: len(reached) == 2) as evaluator:
        for number in range(2):
            evaluator.submit(number, NETWORKS[number], tmp_path / str(number))
        pids = evaluator.pids
        with pytest.raises(Interrupted):
            evaluator.wait(lambda number, _report: reached.add(number))
        assert evaluator.pids == ()
    assert all(is_gone(pid) for pid in pids)
    assert all((tmp_path / str(number) / "checkpoint.pt").exists() for number in range(2))


# Starting


def test_a_worker_that_is_killed_while_it_starts_is_started_again(tmp_path: Path) -> None:
    with ProcessEvaluator(setup(1)) as evaluator:
        evaluator.submit(0, network(), tmp_path / "0")
        killed = evaluator.pids[0]
        os.kill(killed, signal.SIGKILL)
        _, outcome = evaluator.wait(lambda _number, _report: None)
        assert evaluator.pid not in (None, killed)
    assert outcome.results is not None


def test_a_start_that_failed_is_no_attempt_of_the_training(tmp_path: Path) -> None:
    def kill(_number: int, report: EpochReport) -> None:
        if report.epoch == 1 and len(killed) == 1:
            kill_now()

    def kill_now() -> None:
        killed.append(evaluator.pids[0])
        os.kill(killed[-1], signal.SIGKILL)

    killed: list[int] = []
    with ProcessEvaluator(LONG) as evaluator:
        evaluator.submit(0, network(), tmp_path / "0")
        kill_now()
        _, outcome = evaluator.wait(kill)
    assert outcome.results is not None
    assert len(set(killed)) == 2


def test_a_slot_where_no_worker_starts_is_given_up_and_its_network_trained_elsewhere(tmp_path: Path) -> None:
    notes: list[str] = []
    bad = Slot(device="tpu")
    with ProcessEvaluator(setup(1), slots=[bad, ONE_THREAD], note=notes.append) as evaluator:
        outcomes = train_all(evaluator, tmp_path, NETWORKS[:2])
        assert evaluator.slots == 1
    assert all(outcome.results is not None for outcome in outcomes.values())
    assert len(notes) == 1
    assert notes[0].startswith("a worker cannot start (unknown device 'tpu'; ")


def test_where_no_worker_can_start_the_reason_is_told_in_one_line(tmp_path: Path) -> None:
    with ProcessEvaluator(setup(1), slots=[ONE_THREAD]) as evaluator:
        evaluator.submit(0, network(), tmp_path / "0")
        killed: list[int] = []

        def kill() -> bool:  # asked again and again
            if evaluator.pid is not None and evaluator.pid not in killed:
                killed.append(evaluator.pid)
                os.kill(evaluator.pid, signal.SIGKILL)
            return False

        evaluator._stop = kill
        with pytest.raises(
            IgcnasError, match=r"^the training process ended with status -9 \(killed; out of memory\?\)$"
        ):
            evaluator.wait(lambda _number, _report: None)
    assert len(killed) == 2


def test_a_worker_whose_controller_is_gone_before_it_has_said_a_word_ends_in_silence() -> None:
    ours, theirs = Pipe()
    worker, pipes = command(theirs.fileno()), {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(worker, pass_fds=(theirs.fileno(),), **pipes) as process:  # type: ignore[call-overload]
        theirs.close()
        ours.close()
        assert process.wait(60) == 0  # its standard input, the other sign of life, is still open
        assert process.stderr.read() == b""


CONTROLLER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support import workers as t
from igcnas.search.evaluation import ProcessEvaluator

with ProcessEvaluator(t.setup(1)) as evaluator:
    evaluator.submit(0, t.network(), Path(sys.argv[2]))
    print(evaluator.pid, flush=True)
    evaluator.wait(lambda number, report: None)
"""


def test_a_controller_killed_while_a_worker_starts_leaves_no_process_and_no_word(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CONTROLLER, str(Path(__file__).parent), str(tmp_path / "0")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as controller:
        assert controller.stdout is not None
        pid = int(controller.stdout.readline())
        controller.kill()
        _, err = controller.communicate(timeout=60)  # the worker has the same stderr: this waits for its end, too
    assert err == ""
    assert wait_until(lambda: is_gone(pid))


def test_the_worker_loads_no_more_than_training_needs(tmp_path: Path) -> None:
    code = "import sys\nfrom igcnas.search.worker import Job\nfrom igcnas.search.worker.trainer import Trainer\n"
    code += "from support.workers import network, setup\nimport igcnas.search.campaign\n"
    code += (
        "Job(architecture=network(3), folder=sys.argv[1]).run(Trainer(setup(1)), lambda _: False)\nprint(*sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    words = [sys.executable, "-c", code, str(tmp_path)]
    run = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    tops = {name.partition(".")[0] for name in run.stdout.split()}
    assert {"torch", "numpy", "safetensors"} <= tops
    assert tops.isdisjoint({"optuna", "pandas", "matplotlib", "sklearn", "onnx", "onnxruntime", "PIL", "rich", "sympy"})


def test_threads_are_set_before_torch_is_imported(tmp_path: Path) -> None:
    with ProcessEvaluator(setup(1), slots=[Slot(device="cpu", threads=3)]) as evaluator:
        evaluator.submit(0, network(), tmp_path / "0")
        environment = Path(f"/proc/{evaluator.pid}/environ").read_bytes().split(b"\0")
        assert {b"OMP_NUM_THREADS=3", b"MKL_NUM_THREADS=3"} <= set(environment)
    before = torch.get_num_threads()
    Trainer(dataclasses.replace(setup(1), threads=3))
    assert torch.get_num_threads() == 3
    torch.set_num_threads(before)


def test_a_worker_imports_what_its_controller_does_whatever_lies_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with ProcessEvaluator(setup(1)) as evaluator:
        assert evaluator(network(), tmp_path / "0", lambda _: None).results is not None


# Memory


class Pipes:
    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, message: Any) -> None:
        self.sent.append(message)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Broken(Job):
    error: Exception

    def run(self, trainer: Trainer, on_epoch: Any) -> Any:
        raise self.error


LACKS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee documentation"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    MemoryError("Unable to allocate 3.00 GiB for an array"),
]


@pytest.mark.parametrize("cause", LACKS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("kind", [TrainingError, CaptureError, None])
def test_a_lack_of_memory_is_told_as_such_whoever_noticed_it(cause: Exception, kind: type[Exception] | None) -> None:
    error, pipe = cause if kind is None else kind("what was done"), Pipes()
    if error is not cause:
        error.__cause__ = cause
    work = Broken(architecture=network(), folder="nowhere", error=error)
    assert not _work(pipe, None, work, waits=False)  # type: ignore[arg-type]
    assert pipe.sent == [(messages.NO_MEMORY, str(cause).splitlines()[0])]


def test_what_is_no_lack_of_memory_is_told_as_what_it_is() -> None:
    for error, word, fit in (
        (TrainingError("diverged: loss inf"), messages.FAILED, True),
        (CaptureError("CUDA could not capture"), messages.UNCAPTURED, False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), messages.BROKEN, False),
    ):
        pipe = Pipes()
        work = Broken(architecture=network(), folder="nowhere", error=error)
        assert _work(pipe, None, work, waits=False) is fit  # type: ignore[arg-type]
        assert [said for said, _ in pipe.sent] == [word]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the mark cannot be set back elsewhere")
def test_the_peak_of_a_training_is_its_own() -> None:
    memory.forget_peak()
    before = memory.peak_memory_mb()
    block = np.ones(40_000_000)  # 320 MB
    high = memory.peak_memory_mb()
    del block
    assert memory.forget_peak()
    after = memory.peak_memory_mb()
    assert before is not None
    assert high is not None
    assert after is not None
    assert high > before + 300
    assert after < before + 50


# How many


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    facts: dict[str, Any] = {"cores": 32, "memory": 64_000.0, "devices": ["cpu"], "free": 80_000.0, "asked": 0}
    monkeypatch.setattr(slots, "usable_cores", lambda: facts["cores"])
    monkeypatch.setattr(slots, "available_memory_mb", lambda: facts["memory"])
    monkeypatch.setattr(slots, "_devices", lambda _name: facts["devices"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def ask(indices: Iterable[int]) -> dict[int, Gpu]:
        facts["asked"] += 1
        gpu = Gpu(name="NVIDIA", uuid=None, free_mb=facts["free"], total_mb=80_000.0)
        return {} if facts["free"] is None else dict.fromkeys(indices, gpu)

    monkeypatch.setattr(gpus, "ask", ask)
    return facts


def chosen(
    workers: int | str, *, macs: int = 200_000, batch_size: int = 64, networks: int = 1000, **other: Any
) -> list[Slot]:
    return slots_for(workers, device="any", macs=macs, batch_size=batch_size, networks=networks, **other)


def where(found: list[Slot]) -> list[str]:
    return [slot.device for slot in found]


def test_a_cpu_gets_a_worker_a_core_with_a_thread_each(machine: dict[str, Any]) -> None:
    machine["cores"] = 8
    assert chosen("auto") == [ONE_THREAD] * 8
    assert chosen(3) == [ONE_THREAD] * 3
    assert chosen(1) == [Slot(device="cpu", threads=None)]
    machine["cores"] = 1
    assert chosen("auto") == [Slot(device="cpu", threads=None)]


def test_there_are_no_more_workers_than_there_is_memory_for(machine: dict[str, Any]) -> None:
    machine["cores"], machine["memory"] = 8, 2500.0
    assert len(chosen("auto")) == 3
    assert len(chosen(5)) == 5  # who says five means five
    machine["memory"] = 100.0
    assert len(chosen("auto")) == affordable() == 1
    machine["memory"] = None  # nothing tells
    assert len(chosen("auto")) == 8


def test_a_short_search_has_few_workers_so_that_proposals_know_something(machine: dict[str, Any]) -> None:
    machine["cores"] = 8
    assert len(chosen("auto", networks=60)) == 6
    assert len(chosen("auto", networks=5)) == 4
    assert len(chosen(8, networks=5)) == 8


def test_where_all_networks_are_known_beforehand_there_are_as_many_workers_as_cores_or_networks(
    machine: dict[str, Any],
) -> None:
    machine["cores"] = 8
    assert len(chosen("auto", networks=20, listed=True)) == 8
    assert len(chosen("auto", networks=3, listed=True)) == 3
    assert chosen(5, networks=2, listed=True) == [ONE_THREAD] * 2
    machine["devices"] = ["cuda:0"]
    assert where(chosen("auto", networks=3, listed=True)) == ["cuda:0"] * 3


@pytest.mark.parametrize(
    ("macs", "batch", "workers"),
    [
        (200_000, 64, 8),  # digits
        (40_813_184, 64, 4),  # ResNet-20 on CIFAR-10
        (93_531_648, 128, 2),  # IGCV3-D
        (300_000_000, 128, 1),  # ImageNet
    ],
)
def test_a_gpu_gets_more_workers_the_shorter_its_kernels_are(
    machine: dict[str, Any], macs: int, batch: int, workers: int
) -> None:
    machine["devices"] = ["cuda:0"]
    assert where(chosen("auto", macs=macs, batch_size=batch)) == ["cuda:0"] * workers
    machine["devices"] = ["cuda:0", "cuda:1"]
    assert where(chosen("auto", macs=macs, batch_size=batch)) == ["cuda:0", "cuda:1"] * workers


def test_workers_of_a_gpu_need_cores_and_memory_of_gpu_and_machine(machine: dict[str, Any]) -> None:
    machine["devices"] = ["cuda:0"]
    for fact, value, workers in (("cores", 3, 3), ("memory", 12_000.0, 5), ("free", 4_000.0, 3), ("free", 100.0, 1)):
        before, machine[fact] = machine[fact], value
        assert len(chosen("auto")) == workers, fact
        machine[fact] = before
    machine["free"] = None  # nothing tells
    assert len(chosen("auto")) == 8
    machine["cores"] = 1
    assert len(chosen(5)) == 5  # who says five means five


@pytest.mark.parametrize("free", [80_000.0, 8_000.0, 100.0, None])
def test_workers_of_a_gpu_have_equal_shares_of_what_is_free(machine: dict[str, Any], free: float | None) -> None:
    machine["devices"], machine["free"] = ["cuda:0", "cuda:1"], free
    for count in (2, 3, 5, 16):
        found = chosen(count)
        for device in machine["devices"]:
            shares = {slot.memory_fraction for slot in found if slot.device == device}
            (share,) = shares
            there = where(found).count(device)
            if there == 1:
                assert share is None
                continue
            assert share > 0
            assert there * share < 0.91
            if free == 8_000.0 and there < 8:  # with the contexts beside them
                assert there * (share * 80_000 + 500) <= free


def test_each_worker_sees_its_gpu_alone(machine: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    machine["devices"] = ["cuda:0", "cuda:1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-8932f937")
    first, second = chosen(2)
    assert (first.device, first.seen_as, first.environment) == ("cuda:0", "cuda:0", {"CUDA_VISIBLE_DEVICES": "4"})
    assert (second.device, second.seen_as) == ("cuda:1", "cuda:0")
    assert second.environment == {"CUDA_VISIBLE_DEVICES": "GPU-8932f937"}
    assert machine["asked"] == 0  # nobody shares anything


def test_what_a_training_was_measured_to_take_leaves_as_many_workers_as_fit(machine: dict[str, Any]) -> None:
    machine["devices"] = ["cuda:0", "cuda:1"]
    found = chosen("auto")
    assert fitting(found, 4_000.0) == found
    fewer = fitting(found, 20_000.0)
    assert where(fewer) == ["cuda:0", "cuda:1"] * 3
    assert fewer[0].memory_fraction == pytest.approx(0.9 * (80 - 1.5) / 80 / 3, abs=1e-3)  # shared anew
    assert [(slot.device, slot.memory_fraction) for slot in fitting(found, 1e9)] == [("cuda:0", None), ("cuda:1", None)]
    machine["memory"] = 2500.0
    assert len(fitting([ONE_THREAD] * 8, 1000.0)) == 2


def test_where_latency_is_measured_workers_do_not_share_a_device(machine: dict[str, Any]) -> None:
    assert len(chosen("auto", undisturbed=True)) == 1
    with pytest.raises(IgcnasError, match=r"^--workers 2 on 1 device would disturb .*; use --workers 1$"):
        chosen(2, undisturbed=True)
    machine["devices"] = ["cuda:0", "cuda:1"]
    assert len(chosen("auto", undisturbed=True)) == len(chosen(2, undisturbed=True)) == 2
