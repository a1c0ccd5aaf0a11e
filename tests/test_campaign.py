"""A campaign on real workers: as good as one, killed anywhere, begun by an earlier version, and stopped in one line."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.acting import DATA, ONE_THREAD, SETUP, Acting, training, two
from support.campaigns import (
    DIGITS,
    PAIR,
    SHORT,
    WHOLE,
    Here,
    Silent,
    Uncaptured,
    long_training,
    network,
    retrain_settings,
    trained_alone,
)

from igcnas.cli.campaign import slots_of
from igcnas.errors import IgcnasError, TrainingError
from igcnas.results.retraining import guard, retraining
from igcnas.search.campaign import Campaign, Training
from igcnas.search.evaluation import Interrupted, Outcome, ProcessEvaluator, Slot, Told
from igcnas.search.worker import Work
from igcnas.training.reports import EpochReport

pytestmark = pytest.mark.usefixtures("forked_workers")

ROOT = Path(__file__).parents[1]
BEGUN = ROOT / "tests" / "data" / "begun-retraining"


def files(folder: Path) -> dict[str, Any]:
    """All files of a retraining, without what time makes different."""
    found: dict[str, Any] = {}
    for path in folder.iterdir():
        found[path.name] = path.read_bytes()
        if path.suffix == ".json":
            found[path.name] = {key: value for key, value in json.loads(path.read_text()).items() if key != "seconds"}
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    with ProcessEvaluator(SETUP) as one:
        retraining(folder, retrain_settings()).run(one, Silent())
        assert len(one.pids) == 1
    return folder


def test_two_workers_leave_the_files_of_one_though_one_of_them_is_killed(tmp_path: Path, undisturbed: Path) -> None:
    with two() as workers:
        killed: list[int] = []

        def kill() -> None:
            killed.extend(workers.pids)
            os.kill(killed[0], signal.SIGKILL)

        results = retraining(tmp_path, retrain_settings()).run(workers, Acting(kill))
        assert len(killed) == 2
        assert killed[0] not in workers.pids
    assert files(tmp_path) == files(undisturbed)
    assert [(result.network, result.repeat) for result in results] == [
        (one.name, repeat) for repeat in range(2) for one in PAIR
    ]


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from support.campaigns import Silent, retrain_settings
from igcnas.results.retraining import retraining
from support.acting import Acting, two
with two() as workers:
    def kill():
        print(*workers.pids, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    retraining(Path(sys.argv[2]), retrain_settings()).run(workers, Acting(kill))
"""


def test_a_campaign_that_was_killed_with_two_workers_goes_on_to_the_same_files(
    tmp_path: Path, undisturbed: Path
) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLED, str(ROOT / "tests"), str(tmp_path)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert len(run.stdout.split()) == 2
    done = set(retraining(tmp_path, retrain_settings()).results())
    assert len(done) < 4
    with two() as workers:
        told = Acting(lambda: None)
        retraining(tmp_path, retrain_settings()).run(workers, told)
    assert set(told.ended) == {"trial-3-seed0", "known-seed0", "trial-3-seed1", "known-seed1"} - done
    assert files(tmp_path) == files(undisturbed)


def test_a_stop_saves_what_is_in_training_on_every_worker(tmp_path: Path) -> None:
    heard: set[str] = set()

    class Hearing(Silent):
        def epoch(self, training: Training[Any], report: EpochReport) -> None:
            heard.add(training.stem)

    epochs = 400  # some seconds
    trainings = [training(tmp_path, place, epochs=epochs) for place in range(2)]
    slots = [ONE_THREAD] * 2  # of the usual time between checkpoints, which is longer than this test
    with (
        ProcessEvaluator(SETUP, slots=slots, stop=lambda: len(heard) == 2, stop_seconds=60.0) as workers,
        pytest.raises(Interrupted),
    ):
        Campaign(trainings).run(workers, Hearing())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["known-seed0.pt", "trial-3-seed0.pt"]


def test_a_retraining_that_an_earlier_version_began_is_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "begun"
    shutil.copytree(BEGUN, folder)
    settings = guard(folder, retrain_settings())
    steps: list[int] = []
    workers = Here(DIGITS, SHORT, stop=lambda: bool(steps.append(1)))
    campaign = retraining(folder, settings)
    assert list(campaign.results()) == ["trial-3-seed0"]
    campaign.run(workers, Silent())
    assert len(steps) == 3 + 10 + 10  # of ten each; the second of four was in its eighth
    for name in ("trial-3-seed0.json", "trial-3-seed0.safetensors"):
        assert (folder / name).read_bytes() == (BEGUN / name).read_bytes()
    assert not list(folder.glob("*.pt"))


def test_a_step_that_cannot_be_captured_is_taken_eagerly_in_another_process(tmp_path: Path) -> None:
    notes: list[str] = []
    with ProcessEvaluator(SETUP, note=notes.append) as workers:
        (tmp_path / "a").mkdir()
        results = Campaign([Uncaptured.like(training(tmp_path / "a"))]).run(workers, Silent())
    assert notes == [
        f"trial 3, seed 0, {network(4).label()}, is trained by eager steps: CUDA could not capture the step of this "
        "network"
    ]
    (tmp_path / "b").mkdir()
    calm = trained_alone(training(tmp_path / "b"), Here(WHOLE, SHORT))
    assert dataclasses.replace(results[0], seconds=0.0) == dataclasses.replace(calm, seconds=0.0)


class Refusing:
    """Workers that can train nothing."""

    slots, device_name, reason = 1, "a GPU", "out of memory, also alone on the GPU: CUDA out of memory"

    def hand_in(self, number: int, work: Work, *, name: str) -> None:
        self.number = number

    def wait(self, told: Told) -> tuple[int, Outcome]:
        return self.number, Outcome(reason=self.reason)


def test_a_training_that_no_worker_could_do_ends_a_retraining_in_one_line(tmp_path: Path) -> None:
    campaign = retraining(tmp_path, retrain_settings())
    with pytest.raises(TrainingError) as raised:
        campaign.run(Refusing(), Silent())
    assert str(raised.value) == (f"trial 3, seed 0: {Refusing.reason}; nothing is lost, the same command tries again")
    assert campaign.results() == {}


def test_an_audit_leaves_such_a_training_out_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "trainings").mkdir()
    campaign = Campaign([long_training(tmp_path, network(4), SHORT, number=number) for number in range(2)])
    results = campaign.run(Refusing(), Silent())
    assert [(one.number, one.failed, one.device) for one in results] == [
        (number, Refusing.reason, "a GPU") for number in range(2)
    ]
    assert list(campaign.results().values()) == results


@pytest.mark.parametrize(
    ("workers", "engine", "pixels", "slots"),
    [
        ("auto", "fast", 32, [ONE_THREAD] * 4),
        ("auto", "eager", 8, [ONE_THREAD] * 4),  # one thread in any case
        ("auto", "eager", 32, [Slot(device="cpu")]),  # which has half of the cores, and rounds as with these
        ("2", "eager", 32, [ONE_THREAD] * 2),
        ("9", "fast", 8, [ONE_THREAD] * 4),
    ],
)
def test_workers_are_as_many_as_leave_every_bit_as_it_is_unless_a_number_is_given(
    monkeypatch: pytest.MonkeyPatch, workers: str, engine: str, pixels: int, slots: list[Slot]
) -> None:
    monkeypatch.setattr("igcnas.search.evaluation.slots.usable_cores", lambda: 8)
    monkeypatch.setattr("igcnas.training.device.usable_cores", lambda: 8)
    monkeypatch.setattr("igcnas.search.evaluation.slots.available_memory_mb", lambda: None)
    architecture = dataclasses.replace(network(4), input_shape=(1, pixels, pixels))
    settings = dataclasses.replace(SHORT, engine=engine)
    missing = [long_training(Path(), architecture, settings, number=number) for number in range(4)]
    arguments = argparse.Namespace(workers=workers, device="cpu", ray=None)
    assert slots_of(arguments, missing, settings) == slots
    assert slots_of(arguments, [], settings) == []


def test_workers_that_cannot_read_the_data_say_so_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gone = dataclasses.replace(DATA, spec=f"npz:{tmp_path / 'gone.npz'}")
    with (
        ProcessEvaluator(dataclasses.replace(SETUP, data=gone)) as workers,
        pytest.raises(IgcnasError, match=r"^[^\n]*gone\.npz[^\n]*$"),
    ):
        retraining(tmp_path, retrain_settings()).run(workers, Silent())
    assert capfd.readouterr().err == ""
