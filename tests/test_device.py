"""A GPU that is there and cannot be used is said before a training, with the way out; without a GPU nothing is said."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from igcnas.cli.engine import before_training
from igcnas.errors import IgcnasError
from igcnas.system import gpu
from igcnas.training.device import resolve_device, unused_gpu

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available() or sys.platform == "win32", reason="for machines without a usable GPU, with a shell"
)


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program nvidia-smi that knows one GPU with driver 535.104.05."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 535.104.05\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return program


def test_without_a_gpu_nothing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(gpu, "_DRIVER_FILE", tmp_path / "none")
    assert unused_gpu() is None


def test_a_driver_that_is_too_old_is_named_with_the_one_that_is_needed(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    why = unused_gpu()
    assert why is not None
    assert "driver 535.104.05" in why
    assert "CUDA 13.0 needs driver 580 or newer" in why


def test_a_torch_for_cpus_is_named(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "is built for CPUs; install a CUDA build" in str(unused_gpu())


def test_the_driver_is_known_from_the_kernel_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(gpu, "_DRIVER_FILE", tmp_path / "version")
    text = "NVRM version: NVIDIA UNIX {}x86_64 Kernel Module {} 550.54.14  Thu Feb 22 01:44:30 UTC 2024\n"
    for words in (("", ""), ("Open ", " for x86_64 ")):
        (tmp_path / "version").write_text(text.format(*words))
        assert gpu.driver_version() == "550.54.14"


def test_it_is_said_once_before_a_training_and_not_where_the_cpu_was_asked_for(
    driver: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    before_training("eager", asked="cpu", device="cpu")
    assert capsys.readouterr().out == ""
    before_training("eager", asked="auto", device="cpu")
    out = capsys.readouterr().out
    assert out.startswith("warning: an NVIDIA GPU is here (driver 535.104.05), but it cannot be used")
    assert out.count("\n") == 1
    with pytest.raises(IgcnasError, match=r"'cuda' was asked for, but an NVIDIA GPU is here .*use --device auto"):
        resolve_device("cuda")
