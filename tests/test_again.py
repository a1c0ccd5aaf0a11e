"""A step that CUDA captured wrongly costs no training: the command begins again, and goes on from its checkpoints."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.campaigns import Here, long_training, trained_alone

from analysis.width_trial.networks import Entrant
from analysis.width_trial.settings import TrialSettings
from analysis.width_trial.training import WidthTraining
from igcnas.cli import main
from igcnas.data.dataset import take
from igcnas.data.loading import load_dataset
from igcnas.errors import CaptureError
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.grouping import Interleaved
from igcnas.results.retraining import Finalist, FinalistTraining, RetrainSettings
from igcnas.training.settings import TrainingSettings
from igcnas.training.steps import EagerSteps

ROOT = Path(__file__).resolve().parent.parent
WHOLE = load_dataset("digits")
DIGITS = dataclasses.replace(WHOLE, train=take(WHOLE.train, np.arange(340)))
SETTINGS = TrainingSettings(epochs=1, engine="eager")
NETWORK = Architecture(
    family="test",
    input_shape=(1, 8, 8),
    num_classes=10,
    stem_channels=4,
    stages=(Stage(block=BasicBlock(grouping=Interleaved(L=2, M=2)), width=4, repeats=1, stride=2),),
)

COMMAND = """
import os, sys
from igcnas.system import again, program
from igcnas.errors import CaptureError

def work():
    print(sys.argv[1:], os.getpid(), again.reason())
    if again.reason() is None or "always" in sys.argv:
        raise CaptureError("the first loss of a captured step is off by 3")
    return 5

sys.exit(program.run(work, ends_process="inside" not in sys.argv))
"""


def command(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "command.py").write_text(COMMAND)
    return subprocess.run(
        [sys.executable, str(tmp_path / "command.py"), *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip


def test_a_command_whose_capture_fails_begins_again_with_the_same_words_and_ends_with_that_status(
    tmp_path: Path,
) -> None:
    ended = command(tmp_path, "--name", "a b")
    first, second = ended.stdout.splitlines()
    assert ended.returncode == 5
    assert first.endswith("None")
    assert second.endswith("the first loss of a captured step is off by 3")
    assert first.split("]")[0] == second.split("]")[0] == "['--name', 'a b'"
    assert ended.stderr == (
        "note: the first loss of a captured step is off by 3; this command begins again from its checkpoints, step by "
        "step\n"
    )


@pytest.mark.skipif(os.name == "nt", reason="no process takes the place of another there")
def test_it_is_the_same_process_for_those_who_watch_it(tmp_path: Path) -> None:
    first, second = command(tmp_path).stdout.splitlines()
    assert first.split()[1] == second.split()[1]


@pytest.mark.parametrize("words", [["always"], ["inside"]])
def test_it_begins_again_but_once_and_never_where_others_go_on_in_the_process(words: list[str], tmp_path: Path) -> None:
    ended = command(tmp_path, *words)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == "error: the first loss of a captured step is off by 3"
    assert len(ended.stdout.splitlines()) == (2 if words == ["always"] else 1)


TRAINING = """
import sys
from igcnas.system import again
from igcnas.cli import main
from igcnas.errors import CaptureError
from igcnas.training.steps import EagerSteps

step, steps = EagerSteps.step, []

def captured(self, images, labels):
    steps.append(1)
    if again.reason() is None and len(steps) == 10:
        raise CaptureError("the first loss of a captured step is off by 3")
    return step(self, images, labels)

EagerSteps.step = captured
status = main()
print("steps", len(steps))
sys.exit(status)
"""


def test_a_training_loses_no_step_that_its_checkpoint_has(tmp_path: Path) -> None:
    (tmp_path / "training.py").write_text(TRAINING)
    options = ["train", "igc", "L=2", "M=2", "depth=5", "--recipe", "short", "--epochs", "1", "--engine", "eager"]
    ended = subprocess.run(
        [sys.executable, str(tmp_path / "training.py"), *options, "--checkpoint-seconds", "0",
         "--out", str(tmp_path / "run")],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, encoding="utf-8", timeout=240, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("begins again") == 1
    whole = tmp_path / "whole"
    assert main([*options, "--out", str(whole)]) == 0
    found, expected = (json.loads((folder / "summary.json").read_text()) for folder in (tmp_path / "run", whole))
    assert {**found, "seconds": 0} == {**expected, "seconds": 0}
    # 9 before, all others after.
    assert f"steps {16 - 9}" in ended.stdout


def retrain(folder: Path) -> object:
    finalist = Finalist(name="Known", published=True, number=None, architecture=NETWORK, val_accuracy=None, trainings=0)
    settings = RetrainSettings(
        data_name="digits", data_fingerprint=DIGITS.fingerprint(), budget_macs=30_000, training=SETTINGS,
        finalists=(finalist,), seeds=1, top=1, trials=None, margin=0.5,
    )  # fmt: skip
    return trained_alone(FinalistTraining.of(folder, settings, finalist, 0), Here(DIGITS, SETTINGS))


def audit(folder: Path) -> object:
    (folder / "trainings").mkdir(exist_ok=True)
    training = long_training(folder, NETWORK, SETTINGS)
    return trained_alone(training, Here(DIGITS, SETTINGS, images="split"))


def width(folder: Path) -> object:
    settings = TrialSettings(
        data_name="digits", data_fingerprint="0", input_shape=(1, 8, 8), classes=10, splits="repeated",
        test_fraction=0.5, budget_macs=30_000, tolerance=0.01, ratios=("1",), depth=5, residual=False, near=4.0,
        rates=(0.6,), tuning_seeds=2, training=SETTINGS,
    )  # fmt: skip
    entrant = Entrant(
        name="a", kind="igc", L=2, M=2, macs=0, params=0, deviation=0.0, width_share=1.0, architecture=NETWORK
    )  # fmt: skip
    training = WidthTraining.of(folder, settings, entrant, rate=0.6, repeat=0)
    return trained_alone(training, Here(DIGITS, SETTINGS, images="none"))


@pytest.mark.parametrize("train", [retrain, audit, width])
def test_a_capture_that_fails_is_no_result_of_a_network(
    train: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise CaptureError("the first loss of a captured step is off by 3")

        patch.setattr(EagerSteps, "step", fail)
        with pytest.raises(CaptureError):
            train(tmp_path)
        assert list(tmp_path.rglob("*.json")) == []
    train(tmp_path)
    assert len(list(tmp_path.rglob("*.json"))) == 1
