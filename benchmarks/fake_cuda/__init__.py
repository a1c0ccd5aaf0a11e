"""A GPU that is not there: training steps on CUDA tensors of which only shapes, types and layouts are computed.

device.cpp is enough of a device that autograd and optimizers accept such tensors; __main__.py, a process of its own,
trains on it and says what was asked of it. For tests and for `benchmarks.step_operations`. Linux, and a C++ compiler.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
COMPILER = (shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++")) if sys.platform == "linux" else None


def compiled(folder: Path) -> Path:
    """The device as a library in this folder; RuntimeError, with the compiler's words, where that cannot be."""
    if COMPILER is None:
        raise RuntimeError("the fake device needs Linux and a C++ compiler (c++ or g++ on the PATH, or CXX)")
    found = importlib.util.find_spec("torch")
    assert found is not None
    assert found.origin is not None
    torch, library = Path(found.origin).parent, folder / "fake_cuda.so"
    words = [COMPILER, "-std=c++20", "-O0", "-shared", "-fPIC", str(Path(__file__).with_name("device.cpp"))]
    words += ["-o", str(library), f"-I{torch / 'include'}", f"-L{torch / 'lib'}", "-lc10", "-ltorch_cpu"]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise RuntimeError(f"the fake device cannot be compiled: {done.stderr[-2000:]}")
    return library


def trained(library: Path, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was asked of the device by two epochs of each network; a row has 'architecture', and may have 'recipe'."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fake_cuda", str(library)],
        input=json.dumps(list(rows)),
        capture_output=True,
        encoding="utf-8",
        cwd=_ROOT,
        env=environment,
        check=False,
    )
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if "registered at" not in line]
        raise RuntimeError("\n".join(told[-30:]))
    return [json.loads(line) for line in done.stdout.splitlines()]
