"""Kernels compiled for an H100 that is not here, and their binaries read; in a process that interprets none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from interpreted import PROGRAMS, launched, needs_triton

pytestmark = needs_triton
PATTERNS = {
    "depthwise": "depthwise.*3x3.*bf16",
    "pointwise": "pointwise.*more, bf16",
    "norm": "norm.*bf16|finish|coefficients|total",
    "augment": "augment",
    "sgd": "sgd",
}


def binaries(pattern: str) -> list[dict[str, Any]]:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    run = subprocess.run(
        [sys.executable, "-m", "igcnas.kernels.ahead", pattern], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_kernel_compiles_for_sm_90_and_keeps_its_values_in_registers(program):
    found = binaries(PATTERNS[program])
    assert {binary["kernel"] for binary in found} == {f"{program}.{name}" for name in launched(program)}
    for binary in found:
        assert binary["stack"] == 0, binary
        assert 16 <= binary["registers"] <= 255, binary
        small = binary["kernel"] in ("norm.finish", "norm.coefficients", "norm.total", "augment.gather")
        assert small or binary["loads"].get("128", 0) > 0, binary
        stores_sums_alone = binary["kernel"] in ("norm.statistics", "depthwise.weight_grad")
        assert small or stores_sums_alone or binary["stores"].get("128", 0) > 0, binary
        assert program != "pointwise" or binary["matrix"] > 0, binary
