"""The process that trains, for real: killed, hung, stopped, orphaned, and used again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from support.workers import LONG, is_gone, network, setup, wait_until

from igcnas.errors import IgcnasError
from igcnas.export.latency.setting import Setting
from igcnas.modules.build import build
from igcnas.network.architecture import Architecture
from igcnas.network.cost import count
from igcnas.network.plan import plan
from igcnas.search.evaluation import Interrupted, ProcessEvaluator
from igcnas.search.records import RESULT_ATTRIBUTES
from igcnas.search.worker import Probe, read_result, searching, trainer
from igcnas.search.worker.searching import train_network
from igcnas.training.reports import EpochReport
from igcnas.training.settings import TrainingSettings
from igcnas.training.tensors import TrainingData
from igcnas.training.trainer import train

pytestmark = pytest.mark.usefixtures("forked_workers")


@pytest.fixture(scope="module")
def evaluator() -> Iterator[ProcessEvaluator]:
    with ProcessEvaluator(setup(2)) as shared:
        yield shared


def on_first(action: Callable[[], None]) -> Callable[[EpochReport], None]:
    """Act on the first epoch of each training, on no later one."""
    return lambda report: action() if report.epoch == 1 else None


def test_one_process_trains_one_network_after_another(evaluator: ProcessEvaluator, tmp_path: Path) -> None:
    reports: list[EpochReport] = []
    first = evaluator(network(2), tmp_path / "0", reports.append)
    pid = evaluator.pid
    second = evaluator(network(3), tmp_path / "1", reports.append)
    assert pid is not None
    assert pid == evaluator.pid != os.getpid()
    assert evaluator.device_name == "cpu"
    assert [report.epoch for report in reports] == [1, 2, 1, 2]
    for outcome, L, last in ((first, 2, reports[1]), (second, 3, reports[3])):
        assert outcome.results is not None
        assert set(outcome.results) == set(RESULT_ATTRIBUTES)
        assert outcome.results["val_accuracy"] == last.val_accuracy == outcome.results["curve"][-1][2]
        assert outcome.results["measured_macs"] == count(network(L)).macs
        assert outcome.results["measured_params"] == count(network(L)).params
        assert outcome.results["steps"] == "program"


def test_the_worker_trains_what_a_call_in_this_process_would(evaluator: ProcessEvaluator, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    outcome = evaluator(network(), tmp_path / "0", lambda _: None)
    settings = setup(2)
    torch.set_num_threads(1)
    data = TrainingData.of(settings.data.load(), settings.training, torch.device("cpu"))
    here = train(network(), data, settings.training)
    torch.set_num_threads(threads)
    assert outcome.results is not None
    assert outcome.results["val_accuracy"] == here.val_accuracy
    state = load_file(tmp_path / "0" / "weights.safetensors")
    assert all(torch.equal(state[name], tensor) for name, tensor in here.network.state_dict().items())


def test_a_training_leaves_whole_files_and_no_others(evaluator: ProcessEvaluator, tmp_path: Path) -> None:
    outcome = evaluator(network(), tmp_path / "0", lambda _: None)
    assert sorted(path.name for path in (tmp_path / "0").iterdir()) == ["result.json", "weights.safetensors"]
    result = json.loads((tmp_path / "0" / "result.json").read_text())
    weights = (tmp_path / "0" / "weights.safetensors").read_bytes()
    assert result.pop("weights_sha256") == hashlib.sha256(weights).hexdigest()
    assert result == {"architecture_id": network().id} | (outcome.results or {})
    assert read_result(tmp_path / "0", network()) == (outcome.results, False)
    build(plan(network())).load_state_dict(load_file(tmp_path / "0" / "weights.safetensors"), strict=True)
    with safe_open(tmp_path / "0" / "weights.safetensors", "pt") as file:
        assert Architecture.from_json(file.metadata()["architecture"]) == network()


def test_a_network_whose_result_is_there_is_not_trained_again(evaluator: ProcessEvaluator, tmp_path: Path) -> None:
    first = evaluator(network(), tmp_path / "0", lambda _: None)
    reports: list[EpochReport] = []
    assert evaluator(network(), tmp_path / "0", reports.append) == first
    assert not reports
    assert read_result(tmp_path / "0", network(3)) is None  # nor is the result of another network
    (tmp_path / "0" / "weights.safetensors").unlink()  # a result without its weights is none
    evaluator(network(), tmp_path / "0", reports.append)
    assert len(reports) == 2


def test_a_training_ends_after_the_epoch_that_the_controller_answers_with_end(tmp_path: Path) -> None:
    reports: list[EpochReport] = []

    def third(report: EpochReport) -> bool:
        reports.append(report)
        return report.epoch == 3

    with ProcessEvaluator(dataclasses.replace(setup(5), prunes=True, checkpoint_seconds=0.0)) as evaluator:
        outcome = evaluator(network(), tmp_path / "0", third)
        again = evaluator(network(), tmp_path / "0", third)  # a pruned result is a result, too
        whole = evaluator(network(), tmp_path / "1", lambda _report: False)
        last = evaluator(network(), tmp_path / "2", lambda report: report.epoch == 5)
    assert outcome == again
    assert outcome.pruned
    assert outcome.results is not None
    assert [epoch for epoch, _, _ in outcome.results["curve"]] == [1, 2, 3] == [report.epoch for report in reports]
    assert outcome.results["val_accuracy"] == reports[-1].val_accuracy
    assert sorted(path.name for path in (tmp_path / "0").iterdir()) == ["result.json"]
    for full in (whole, last):  # after the last epoch there is nothing to end
        assert not full.pruned
        assert full.results is not None
        assert full.results["curve"][:3] == outcome.results["curve"]


def test_a_worker_that_dies_while_it_waits_hears_the_same_again(tmp_path: Path) -> None:
    told: list[int] = []

    def kill_once(report: EpochReport) -> bool:
        told.append(report.epoch)
        if told == [1, 2]:
            assert evaluator.pid is not None
            os.kill(evaluator.pid, signal.SIGKILL)
        return report.epoch == 3

    with ProcessEvaluator(dataclasses.replace(setup(5), prunes=True, checkpoint_seconds=0.0)) as evaluator:
        outcome = evaluator(network(), tmp_path / "0", kill_once)
        calm = evaluator(network(), tmp_path / "1", lambda report: report.epoch == 3)
    assert told[:3] == [1, 2, 1]
    assert told[-1] == 3
    assert outcome.results is not None
    assert calm.results is not None
    assert outcome.results["curve"] == calm.results["curve"]


def test_a_repeat_is_trained_with_its_own_seed(evaluator: ProcessEvaluator, tmp_path: Path) -> None:
    first, second, same = (
        evaluator(network(), tmp_path / name, lambda _: None, repeat) for name, repeat in (("0", 0), ("1", 1), ("2", 1))
    )
    assert first.results is not None
    assert second.results is not None
    assert same.results is not None
    assert first.results["curve"] != second.results["curve"] == same.results["curve"]


@pytest.mark.parametrize("timing", [None, Setting(batch=2)])
def test_the_latency_is_measured_where_the_study_asks_for_it(tmp_path: Path, timing: Setting | None) -> None:
    trainer_ = trainer.Trainer(dataclasses.replace(setup(1), latency=True, timing=timing))
    results, _ = train_network(trainer_, network(), tmp_path / "trials" / "0", repeat=0, capture=None, on_epoch=never)
    assert results["latency_ms"] > 0
    assert results["latency_iqr_ms"] >= 0
    if timing is not None:
        assert "batch 2, 1 thread" in results["latency_by"]


def test_an_error_in_a_training_is_its_reason_and_the_next_network_gets_a_new_worker(
    evaluator: ProcessEvaluator, tmp_path: Path
) -> None:
    outcome = evaluator(network(channels=3), tmp_path / "0", lambda _: None)  # digits have one channel
    assert outcome.results is None
    assert outcome.reason is not None
    assert outcome.reason.startswith("error in training: Traceback")
    assert "channels" in outcome.reason
    assert "\n" not in outcome.reason
    assert evaluator.pid is None
    assert evaluator(network(), tmp_path / "1", lambda _: None).results is not None


def test_a_probe_measures_how_long_each_training_takes(evaluator: ProcessEvaluator) -> None:
    probed = evaluator.probe((network(), network(3)))
    assert probed is not None
    assert len(probed.seconds) == 2
    assert min(probed.seconds) > 0
    assert probed.peak_memory_mb is not None
    assert evaluator.probe((network(channels=3),)) is None  # digits have one channel


class Clock:
    """Trainings that take no time but on this clock.

    A training image takes three units, a validation image one; a step of 64 images takes a millisecond. once: what a
    training takes besides; capture: of it, in the step of that number and in the second evaluation.
    """

    unit = 0.001 / 64 / 3

    def __init__(self, *, once: float, capture: float = 0.0) -> None:
        self.now, self.once, self.capture, self.trained = 0.0, once, capture, 0

    def train(
        self, architecture: Architecture, data: TrainingData, settings: TrainingSettings, **other: Any
    ) -> SimpleNamespace:
        self.now += self.once
        self.trained += 1
        steps = 0
        for epoch in range(1, settings.epochs + 1):
            for _step in range(data.steps(settings.batch_size)):
                steps += 1
                self.now += self.capture * (steps == 4) + 3 * self.unit * settings.batch_size
            self.now += self.capture * (epoch == 2) + self.unit * len(data.validation)
            if other["on_epoch"](EpochReport(epoch=epoch, train_loss=1.0, val_accuracy=50.0)):
                break
        return SimpleNamespace(network=build(plan(architecture)))


@pytest.mark.parametrize(("once", "capture"), [(2.0, 0.0), (0.5, 0.75), (0.0, 0.0)])
@pytest.mark.parametrize("epochs", [2, 15, 547])
def test_what_a_training_costs_once_is_announced_once_and_what_a_step_costs_for_each_step(
    monkeypatch: pytest.MonkeyPatch, once: float, capture: float, epochs: int
) -> None:
    clock = Clock(once=once, capture=capture)
    monkeypatch.setattr(searching.time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(searching, "train", lambda *words, **other: clock.train(*words, **{"on_epoch": never} | other))
    worker = trainer.Trainer(setup(epochs))
    if capture:
        worker.device = torch.device("cuda")
        monkeypatch.setattr(worker, "forget_peak", lambda: None)
        monkeypatch.setattr(worker, "held_memory_mb", lambda: None)
    found, _ = Probe(architectures=(network(),)).run(worker, never)
    (announced,) = found["probed"].seconds
    units = 3 * len(worker.data.training) + len(worker.data.validation)
    assert announced == pytest.approx(once + 2 * capture + epochs * units * clock.unit, rel=0.01)


@pytest.mark.parametrize("settles", [False, True])
def test_what_follows_a_training_is_announced_with_it(monkeypatch: pytest.MonkeyPatch, settles: bool) -> None:
    clock = Clock(once=0.0)

    def settled(_architecture: Architecture, _network: Any, data: TrainingData) -> tuple[object, SimpleNamespace]:
        clock.now += 3.0 * len(data.validation) if settles else 3.0
        return (object() if settles else None), SimpleNamespace(plan=None, state={})

    def latency(*_: object) -> dict[str, float]:
        clock.now += 5.0
        return {}

    monkeypatch.setattr(searching.time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(searching, "train", lambda *words, **other: clock.train(*words, **{"on_epoch": never} | other))
    monkeypatch.setattr(searching, "_settled", settled)
    monkeypatch.setattr(searching, "_latency", latency)
    worker = trainer.Trainer(setup(2))
    found, _ = Probe(architectures=(network(),)).run(worker, never)
    (announced,) = found["probed"].seconds
    units = 3 * len(worker.data.training) + len(worker.data.validation)
    after = (3.0 * len(worker.data.validation) if settles else 3.0) + 5.0
    assert announced == pytest.approx(after + 2 * units * clock.unit, rel=0.01)


def never(_report: EpochReport) -> bool:
    return False


def test_a_worker_that_died_between_two_networks_is_replaced(evaluator: ProcessEvaluator, tmp_path: Path) -> None:
    evaluator(network(), tmp_path / "0", lambda _: None)
    pid = evaluator.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: is_gone(pid))
    reports: list[EpochReport] = []
    assert evaluator(network(), tmp_path / "1", reports.append).results is not None
    assert len(reports) == 2
    assert evaluator.pid != pid


def test_a_diverging_training_is_reported_with_its_reason(tmp_path: Path) -> None:
    wild = setup(2, learning_rate=1e30)
    with ProcessEvaluator(wild) as evaluator:
        outcome = evaluator(network(), tmp_path / "0", lambda _: None)
    assert outcome.results is None
    assert outcome.reason is not None
    assert outcome.reason.startswith("diverged: ")
    assert not (tmp_path / "0" / "result.json").exists()


def test_a_network_whose_worker_is_killed_is_trained_once_more(tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_once() -> None:
        if not killed:
            assert evaluator.pid is not None
            killed.append(evaluator.pid)
            os.kill(evaluator.pid, signal.SIGKILL)

    with ProcessEvaluator(LONG) as evaluator:
        outcome = evaluator(network(), tmp_path / "0", on_first(kill_once))
        assert evaluator.pid not in (None, *killed)
    assert outcome.results is not None
    assert len(outcome.results["curve"]) == 30


def test_a_network_that_kills_its_worker_twice_is_given_up_with_the_reason(tmp_path: Path) -> None:
    killed: list[int] = []

    def kill() -> None:
        assert evaluator.pid is not None
        killed.append(evaluator.pid)
        os.kill(evaluator.pid, signal.SIGKILL)

    with ProcessEvaluator(LONG) as evaluator:
        outcome = evaluator(network(), tmp_path / "0", on_first(kill))
    assert outcome.results is None
    assert outcome.reason == "the training process ended with status -9 (killed; out of memory?)"
    assert len(set(killed)) == len(killed) == 2


def test_a_worker_that_falls_silent_is_ended_and_reported(tmp_path: Path) -> None:
    hung: list[int] = []

    def hang() -> None:
        assert evaluator.pid is not None
        hung.append(evaluator.pid)
        os.kill(evaluator.pid, signal.SIGSTOP)

    def patience() -> bool:  # asked several times a second; a busy machine may need seconds for a first epoch
        evaluator._epoch_deadline = 1.0 if evaluator.pid in hung else 600.0
        return False

    with ProcessEvaluator(LONG, stop=patience) as evaluator:
        outcome = evaluator(network(), tmp_path / "0", on_first(hang))
        assert evaluator.pid is None
    assert outcome.reason == "the training process was silent for 1 s and was ended"
    assert len(hung) == 2
    assert all(is_gone(pid) for pid in hung)


def test_a_stop_ends_the_worker_and_is_no_outcome(tmp_path: Path) -> None:
    asked: list[int] = []
    with ProcessEvaluator(LONG, stop=lambda: bool(asked)) as evaluator:
        with pytest.raises(Interrupted):
            evaluator(network(), tmp_path / "0", on_first(lambda: asked.append(evaluator.pid or 0)))
        assert evaluator.pid is None
    assert asked[0] > 0
    assert is_gone(asked[0])
    assert not (tmp_path / "0" / "result.json").exists()


def test_leaving_the_evaluator_ends_its_worker(tmp_path: Path) -> None:
    with ProcessEvaluator(setup(2)) as evaluator:
        evaluator(network(), tmp_path / "0", lambda _: None)
        pid = evaluator.pid
    assert pid is not None
    assert evaluator.pid is None
    assert is_gone(pid)


def test_an_unknown_device_is_told_in_one_line(tmp_path: Path) -> None:
    with ProcessEvaluator(setup(2, device="tpu")) as evaluator:
        with pytest.raises(IgcnasError, match=r"^unknown device 'tpu'; known: auto, cpu, cuda, cuda:N$"):
            evaluator(network(), tmp_path / "0", lambda _: None)
        assert evaluator.pid is None


# The epoch takes minutes, so that nothing but the end of the parent can end the worker in time.
PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support import workers as t
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.search.evaluation import ProcessEvaluator
from igcnas.network.grouping import Dense

if __name__ == "__main__":
    stage = Stage(block=BasicBlock(grouping=Dense()), width=512, repeats=20)
    slow = Architecture(family="slow", input_shape=(1, 8, 8), num_classes=10, stem_channels=512, stages=(stage,))
    with ProcessEvaluator(t.setup(1)) as evaluator:
        evaluator.submit(0, slow, Path(sys.argv[2]))
        print(evaluator.pid, flush=True)
        evaluator.wait(lambda number, report: None)
"""


def test_a_worker_ends_with_its_parent_even_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    command = [sys.executable, str(script), str(Path(__file__).parent), str(tmp_path / "0")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert wait_until((tmp_path / "0").is_dir)  # made right before the training
        parent.kill()
        parent.wait()
    assert wait_until(lambda: is_gone(pid))


def test_ctrl_c_on_a_terminal_does_not_reach_the_worker(evaluator: ProcessEvaluator, tmp_path: Path) -> None:
    evaluator(network(), tmp_path / "0", lambda _: None)
    pid = evaluator.pid
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    assert evaluator(network(), tmp_path / "1", lambda _: None).results is not None
    assert evaluator.pid == pid


def test_ctrl_c_does_not_reach_a_worker_that_is_starting(tmp_path: Path) -> None:
    asked: list[int] = []

    def stop() -> bool:  # asked several times a second while the worker imports torch
        if not asked and evaluator.pid is not None:
            asked.append(evaluator.pid)
            os.kill(evaluator.pid, signal.SIGINT)
        return False

    with ProcessEvaluator(setup(1), stop=stop) as evaluator:
        assert evaluator(network(), tmp_path / "0", lambda _: None).results is not None
        assert [evaluator.pid] == asked
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
