"""Which way kernels go, batches and steps of SGD; kernels interpreted, against torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from interpreted import INSTALLED, near, needs_triton, numbers, same

from igcnas.kernels import augment, norm, sgd, switch
from igcnas.training.augment import crop, padded
from igcnas.training.tensors import ImageTensors, TrainingData


@pytest.fixture
def interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")


def test_importing_the_package_imports_no_triton():
    code = "import igcnas.kernels.{0}, sys; assert not any(name.split('.')[0] == 'triton' for name in sys.modules)"
    every = ", igcnas.kernels.".join(("depthwise", "pointwise", "norm", "augment", "sgd", "reference", "lazy"))
    subprocess.run([sys.executable, "-c", code.format(every)], check=True)


def test_everything_works_where_triton_is_not_installed():
    code = (
        "import sys; sys.modules['triton'] = None; import importlib.util as u; u.find_spec = lambda name: None\n"
        "import torch; from igcnas.kernels import depthwise, switch; assert not switch.available()\n"
        "x = torch.ones(1, 8, 3, 3).contiguous(memory_format=torch.channels_last)\n"
        "assert depthwise.forward(x, torch.ones(8, 1, 3, 3), 1)[0].sum() == 8 * 49"
    )
    environment = {"TRITON_INTERPRET": "1", **__import__("os").environ}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_cpu_tensors_take_stock_operators():
    assert not switch.chosen(torch.zeros(1))


@needs_triton
def test_interpreted_cpu_tensors_take_kernels_but_float64_and_what_is_asked_to_be_stock_do_not(interpreter):
    assert switch.chosen(torch.zeros(1))
    assert not switch.chosen(torch.zeros(1), torch.zeros(1, dtype=torch.float64))
    with switch.stock():
        assert not switch.chosen(torch.zeros(1))
        with switch.stock():
            pass
        assert not switch.chosen(torch.zeros(1))
    assert switch.chosen(torch.zeros(1))


def data(channels: int, fill: bool) -> tuple[TrainingData, torch.Tensor]:
    """Seven images of 6 x 5 and the colour of their rim."""
    drawn = np.random.default_rng(0).integers(0, 256, (7, channels, 6, 5), dtype=np.uint8)
    images = ImageTensors(torch.from_numpy(drawn), torch.arange(7))
    pixels = drawn.reshape(7, channels, -1) / 255.0
    mean, std = (torch.tensor(value((0, 2)), dtype=torch.float32) for value in (pixels.mean, pixels.std))
    whole = TrainingData(images, images, 7, mean, std, flip=True, pad=2)
    colour = (mean * 255).round().to(torch.uint8) if fill else torch.zeros(channels, dtype=torch.uint8)
    return whole, colour


@needs_triton
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("channels", "fill", "mirrored"), [(3, True, True), (1, False, False), (3, False, True)])
@pytest.mark.parametrize("kernels", [True, False])
def test_a_batch_is_that_of_training_bit_for_bit(monkeypatch, layout, channels, fill, mirrored, kernels):
    if kernels:
        monkeypatch.setenv("TRITON_INTERPRET", "1")
    whole, colour = data(channels, fill)
    generator = torch.Generator().manual_seed(1)
    order = torch.randperm(7, generator=generator)
    offsets = torch.randint(5, (2, 7), generator=generator)
    flips = torch.rand(7, generator=generator) < 0.5 if mirrored else None
    images = whole.training.images.contiguous(memory_format=layout)
    table = augment.levels(whole.normalize, channels, images.device)
    base = padded(whole.training.images, 2, whole.mean if fill else None)
    for step, chosen in ((0, order[:3]), (1, order[3:6]), (2, torch.cat((order[6:], order[:2])))):
        flip = None if flips is None else flips[chosen]
        expected = whole.normalize(crop(base, chosen, offsets[:, chosen], flip, torch.Size((6, 5))))
        counter = torch.tensor([step])
        given, labels = augment.batch(
            *(images, table, order, offsets, flips, counter, 3), pad=2, fill=colour, labels=whole.training.labels
        )
        assert given.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(given, expected)
        assert torch.equal(labels, chosen)
        assert counter.item() == step


@needs_triton
def test_a_batch_may_be_bf16_and_put_where_it_is_wanted(interpreter):
    whole, colour = data(3, False)
    table = augment.levels(whole.normalize, 3, torch.device("cpu"))
    order, offsets, step = torch.arange(7), torch.full((2, 7), 2), torch.tensor([0])
    arguments = (whole.training.images, table, order, offsets, None, step, 7)
    out = torch.full((7, 3, 6, 5), torch.nan, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last)
    given, labels = augment.batch(*arguments, pad=2, fill=colour, out=out)
    assert given is out
    assert labels is None
    assert near(out, whole.normalize(whole.training.images).contiguous(memory_format=torch.channels_last), 1e-2)
    assert augment.batch(*arguments, pad=2, fill=colour, dtype=torch.bfloat16)[0].dtype == torch.bfloat16


@needs_triton
@pytest.mark.parametrize("kernels", [True, False])
def test_steps_are_those_of_torch(monkeypatch, kernels):
    if kernels:
        monkeypatch.setenv("TRITON_INTERPRET", "1")
    start, size, decayed = numbers(1500), 1500, 1000
    groups = [start[:decayed].clone().requires_grad_(), start[decayed:].clone().requires_grad_()]
    optimizer = torch.optim.SGD(
        [{"params": groups[:1], "weight_decay": 0.01}, {"params": groups[1:]}], lr=1.0, momentum=0.9, nesterov=True
    )
    parameters, momenta, shadow = start.clone(), torch.zeros(size), torch.zeros(size, dtype=torch.bfloat16)
    rates = torch.tensor([0.1, 0.2, 0.05])
    for step in range(4):
        gradient = numbers(size, seed=step)
        sgd.nesterov(
            *(parameters, gradient, momenta, rates, torch.tensor([step])),
            momentum=0.9,
            weight_decay=0.01,
            decayed=decayed,
            shadow=shadow,
        )
        groups[0].grad, groups[1].grad = gradient[:decayed], gradient[decayed:]
        for group in optimizer.param_groups:
            group["lr"] = float(rates[min(step, 2)])
        optimizer.step()
    assert near(parameters, torch.cat(groups).detach())
    assert near(shadow, parameters, 1e-2)


@needs_triton
def test_without_triton_the_same_calls_give_the_same(interpreter):
    x = numbers(2, 8, 3, 3)
    kernel = norm.finish(norm.statistics(x), epsilon=1e-5)
    with switch.stock():
        assert near(tuple(kernel), tuple(norm.finish(norm.statistics(x), epsilon=1e-5)))
    assert same(kernel, norm.finish(norm.statistics(x), epsilon=1e-5))
    assert INSTALLED
