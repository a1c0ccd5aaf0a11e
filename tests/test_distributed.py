"""Two processes that train together equal one with the whole batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from support.distributed_steps import steps

from igcnas.errors import IgcnasError
from igcnas.training.distributed import ALONE, World

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two gloo processes under torchrun get."""
    path = tmp_path_factory.mktemp("together") / "found.pt"
    environment = os.environ | {"PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": "1"}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, str(HERE / "support" / "distributed_steps.py"), str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = torch.load(path, weights_only=True)
    assert found["size"] == 2
    return found


# Other sums round otherwise, in each layer of each step: hundreds of roundings where the control has one.
ROUNDINGS = 300


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_two_processes_get_the_losses_and_weights_of_one(together: dict[str, Any], dtype: torch.dtype) -> None:
    alone, found = steps(ALONE, dtype), together[str(dtype)]
    control = steps(ALONE, dtype, moved=True)
    assert found["images"] == alone["images"] == 21  # each validation image is counted by one process
    assert found["state"].keys() == alone["state"].keys()
    # How far one rounding carries depends on the processor; a wrong gradient is off by far more.
    allowed = ROUNDINGS * max(differences(control, alone).values())
    assert allowed < (0.05 if dtype == torch.float32 else 1e-9)
    for name, difference in differences(found, alone).items():
        assert difference <= allowed, f"{name}: {difference}, allowed {allowed}"
    if dtype == torch.float64:
        assert found["train"] == pytest.approx(alone["train"])
        assert found["top1"] == pytest.approx(alone["top1"])


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, float]:
    """Relative, of each tensor by its largest value, and of the losses."""
    pairs = {name: (found["state"][name], tensor) for name, tensor in wanted["state"].items()}
    pairs["losses"] = (torch.tensor(found["losses"]), torch.tensor(wanted["losses"]))
    return {
        name: float((one - other).abs().max() / other.abs().max().double().clamp_min(1e-3))
        for name, (one, other) in pairs.items()
    }


def test_a_batch_that_does_not_divide_is_refused() -> None:
    assert World(size=4).part(64) == 16
    with pytest.raises(IgcnasError, match="a batch of 63 images does not divide into 2 equal parts"):
        World(size=2).part(63)
