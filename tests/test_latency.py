"""Measured time of a forward pass: what it says, and that it leaves the network as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from igcnas.errors import IgcnasError
from igcnas.modules.build import build
from igcnas.modules.latency import Latency, measure
from igcnas.network.literature import resnet
from igcnas.network.plan import plan

SHAPE = (1, 8, 8)
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.cuda, NO_GPU])]


@pytest.mark.parametrize("device", DEVICES)
def test_a_network_takes_some_time_again_and_again(device):
    network = build(plan(resnet(depth=20, width=4, size=8, channels=1, classes=10)))
    found = measure(network, SHAPE, device, batch=2)
    assert isinstance(found, Latency)
    assert found.median_ms > 0
    assert found.iqr_ms >= 0
    assert found.runs >= 11
    assert next(network.parameters()).device.type == device


class Watched(nn.Module):
    """Remembers how it is called; sleeps on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Dropout().eval()
        self.calls: list[tuple[tuple[int, ...], bool, bool]] = []

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        self.calls.append((tuple(x_BCHW.shape), self.training, torch.is_inference_mode_enabled()))
        return x_BCHW


def test_a_network_is_measured_in_evaluation_and_gets_its_mode_back():
    network = Watched().train()
    network.frozen.eval()
    found = measure(network, (3, 4, 5), "cpu", batch=6)
    assert set(network.calls) == {((6, 3, 4, 5), False, True)}
    assert len(network.calls) > found.runs  # the warm-up does not count
    assert network.training
    assert not network.frozen.training


def test_threads_stay_as_they_are():
    before = torch.get_num_threads()
    measure(Watched(), SHAPE, "cpu")
    assert torch.get_num_threads() == before


def test_a_batch_has_images():
    with pytest.raises(IgcnasError, match="batch must be a positive integer"):
        measure(Watched(), SHAPE, "cpu", batch=0)
