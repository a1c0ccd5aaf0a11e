"""`python -m igcnas.execution.cpu` compiles all that a search needs; a search that compiles says so."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest
import torch

from igcnas import execution
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
    assert capsys.readouterr().out == "compiling the CPU kernels, once, about 40 s\n"
    assert mark.is_compiled()


def test_stock_pytorch_compiles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiled, "FOLDERS", [tmp_path])
    monkeypatch.setattr(compiled, "WRITTEN", tmp_path)
    before_training("eager", asked="cpu", device="cpu")
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []
