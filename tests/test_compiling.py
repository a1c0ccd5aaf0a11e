"""`python -m igcnas.execution.cpu` compiles all that a search needs; a search that compiles says so."""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from igcnas import execution
from igcnas.cli.common import Stop
from igcnas.cli.engine import before_training
from igcnas.data.loading import load_dataset
from igcnas.execution import cpu
from igcnas.execution.cpu import compiled, compiling, mark
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, InvertedResidual
from igcnas.network.grouping import DENSE, Group, MultiSpectral
from igcnas.network.plan import plan
from igcnas.training.engine import Engine
from igcnas.training.recipes import short_recipe, short_settings
from igcnas.training.tensors import TrainingData

NETWORK = Architecture(
    family="test",
    input_shape=(1, 8, 8),
    num_classes=10,
    stem_channels=8,
    stages=(
        Stage(block=InvertedResidual(expansion=2, expand=Group(groups=2), project=Group(groups=2)), width=8, repeats=2),
        Stage(block=InvertedResidual(expansion=2, expand=DENSE, project=DENSE), width=8, repeats=1, stride=2),
        Stage(block=BasicBlock(grouping=MultiSpectral(heads=1, keep=0.5), residual=True), width=8, repeats=2, stride=2),
    ),
)


def kernels() -> dict[str, Any]:
    """Every compiled function of the operators on a CPU."""
    found = {}
    for one in pkgutil.iter_modules(cpu.__path__):
        if one.name != "__main__":
            module = importlib.import_module(f"{execution.__name__}.cpu.{one.name}")
            for name, value in vars(module).items():
                if hasattr(value, "nopython_signatures") and value.py_func.__module__ == module.__name__:
                    found[f"{one.name}.{name}"] = value
    return {name: value for name, value in found.items() if not value.targetoptions.get("forceinline")}


def test_after_it_a_training_compiles_nothing() -> None:
    compiling.compile_all()
    compiled_now = {name: set(one.nopython_signatures) for name, one in kernels().items()}
    assert len(compiled_now) > 20
    assert {name for name, signatures in compiled_now.items() if not signatures} == set()
    assert {"gather._gather", "depthwise_gradients.backward_strided"} <= compiled_now.keys()
    settings = short_settings(1000, epochs=1)
    data = TrainingData.of(load_dataset("digits"), settings, torch.device("cpu"))
    Engine(plan(NETWORK), data, short_recipe(settings), seed=0, engine="fast").run()
    assert {name: set(one.nopython_signatures) for name, one in kernels().items()} == compiled_now


def test_what_compiles_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiled, "FOLDERS", [tmp_path])
    monkeypatch.setattr(compiled, "WRITTEN", tmp_path)
    for _ in range(2):
        before_training("fast", asked="cpu", device="cpu")
    line = "compiling the CPU kernels, once, about 40 s; Ctrl-C stops, the same command goes on\n"
    assert capsys.readouterr().out == line
    assert mark.is_compiled()


def test_stock_pytorch_compiles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiled, "FOLDERS", [tmp_path])
    monkeypatch.setattr(compiled, "WRITTEN", tmp_path)
    before_training("eager", asked="cpu", device="cpu")
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


SEARCH = "search --budget-mflops 0.05 --networks 1 --epochs 1 --no-baselines --workers 1"
TRAIN = "train mobilenetv2 --data digits --epochs 1 --out t"


@pytest.mark.parametrize(("command", "ended"), [(SEARCH, signal.SIGINT), (TRAIN, signal.SIGTERM)])
def test_one_signal_ends_the_compiling_and_what_is_compiled_stays(
    command: str, ended: signal.Signals, tmp_path: Path
) -> None:
    places = {name: str(tmp_path / name) for name in ("NUMBA_CACHE_DIR", "IGCNAS_CACHE", "HOME", "XDG_CACHE_HOME")}
    (tmp_path / "temporary").mkdir()
    environment = {**os.environ, **places, "TMPDIR": str(tmp_path / "temporary"), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "igcnas", *command.split()],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert any("compiling the CPU kernels" in line for line in process.stdout)
            while process.poll() is None and not list(tmp_path.glob("NUMBA_CACHE_DIR/*/*.nbc")):
                time.sleep(0.05)
            process.send_signal(ended)
            _, said = process.communicate(timeout=300)
        finally:
            process.kill()
    assert said == "stopped\n"
    assert process.returncode == 128 + ended
    assert list(tmp_path.glob("NUMBA_CACHE_DIR/*/*.nbc"))
    assert not list(tmp_path.glob("NUMBA_CACHE_DIR/*/complete-*"))


def test_a_signal_that_came_before_the_compiling_ends_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "FOLDERS", [tmp_path])
    monkeypatch.setattr(compiled, "WRITTEN", tmp_path)
    with Stop() as stop:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            before_training("fast", asked="cpu", device="cpu", at_once=stop.at_once)
        assert stop.status == 130
    assert not mark.is_compiled()
