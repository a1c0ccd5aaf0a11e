"""The generators of gates in one go: linear, batch norm, ReLU, linear, for a batch of small vectors.

To stock PyTorch these are two dozen operations, forwards and backwards, on vectors so short that calling them is most
of the work. Here they are one autograd function; arrays are (features, batch).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from igcnas.execution.cpu.compiled import inlined, kernel


@inlined
def _product(weight, x, out):
    """out = weight @ x."""
    for o in range(weight.shape[0]):
        row = out[o]
        row[:] = 0.0
        for i in range(weight.shape[1]):
            w, source = weight[o, i], x[i]
            for j in range(len(row)):
                row[j] += w * source[j]


@inlined
def _outer(g, x, out):
    """out = g @ x transposed."""
    for o in range(g.shape[0]):
        for i in range(x.shape[0]):
            total = np.float32(0.0)
            for j in range(g.shape[1]):
                total += g[o, j] * x[i, j]
            out[o, i] = total


@kernel
def _forward(x, weights, running, eps, held, out):
    first, gamma, beta, last, bias = weights
    running_mean, running_var, tracked, momentum = running
    hidden, active = held
    batch = x.shape[1]
    tracked[0] += 1
    _product(first, x, hidden)
    for h in range(hidden.shape[0]):
        row = hidden[h]
        mean = 0.0
        for j in range(batch):
            mean += row[j]
        mean /= batch
        var = 0.0
        for j in range(batch):
            var += (row[j] - mean) ** 2
        running_mean[h] += momentum * (mean - running_mean[h])
        running_var[h] += momentum * (var / max(batch - 1, 1) - running_var[h])
        inverse = 1.0 / (var / batch + eps) ** 0.5
        for j in range(batch):
            row[j] = (row[j] - mean) * inverse  # from now on normalised
            v = gamma[h] * row[j] + beta[h]
            active[h, j] = 0.0 if v < 0.0 else v
        active[h, batch] = inverse
    _product(last, active[:, :batch], out)
    for o in range(out.shape[0]):
        for j in range(batch):
            out[o, j] += bias[o]


@kernel
def _backward(g, x, weights, held, found, scratch):
    first, gamma, _, last, _ = weights
    hidden, active = held
    dx, dfirst, dgamma, dbeta, dlast, dbias = found
    batch = x.shape[1]
    _outer(g, active[:, :batch], dlast)
    for o in range(g.shape[0]):
        dbias[o] = g[o].sum()
    _product(last.T.copy(), g, scratch)
    for h in range(hidden.shape[0]):
        row, normal = scratch[h], hidden[h]
        total = moment = 0.0
        for j in range(batch):
            if not active[h, j] > 0.0:
                row[j] = 0.0
            total += row[j]
            moment += row[j] * normal[j]
        dgamma[h], dbeta[h] = moment, total
        factor = gamma[h] * active[h, batch]
        for j in range(batch):
            row[j] = factor * (row[j] - total / batch - normal[j] * moment / batch)
    _outer(scratch, x, dfirst)
    _product(first.T.copy(), scratch, dx)


class _Generate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        context_BC: torch.Tensor,
        first: torch.Tensor,
        gamma: torch.Tensor,
        beta: torch.Tensor,
        last: torch.Tensor,
        bias: torch.Tensor,
        norm: nn.BatchNorm1d,
    ) -> torch.Tensor:
        x = context_BC.t().contiguous().numpy()
        batch = x.shape[1]
        hidden = np.empty((len(first), batch), np.float32)
        active = np.empty((len(first), batch + 1), np.float32)
        out = np.empty((len(last), batch), np.float32)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        weights = tuple(tensor.numpy() for tensor in (first, gamma, beta, last, bias))
        tracked = norm.num_batches_tracked.view(1).numpy()
        running = norm.running_mean.numpy(), norm.running_var.numpy(), tracked, norm.momentum
        _forward(x, weights, running, norm.eps, (hidden, active), out)
        ctx.held = x, weights, hidden, active
        return torch.from_numpy(out).t()

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weights, hidden, active = ctx.held
        found = tuple(np.empty_like(array) for array in (x, *weights))
        g = upstream[0].t().contiguous().numpy()
        _backward(g, x, weights, (hidden, active), found, np.empty_like(hidden))
        dx, *rest = (torch.from_numpy(array) for array in found)
        return (dx.t(), *rest, None)


def generate(generator: nn.Sequential, context_BC: torch.Tensor) -> torch.Tensor:
    """What a generator (linear without bias, norm, ReLU, linear) answers to (batch, features), in training."""
    first, norm, _, last = generator
    assert isinstance(first, nn.Linear)
    assert isinstance(norm, nn.BatchNorm1d)
    assert isinstance(last, nn.Linear)
    found: torch.Tensor = _Generate.apply(
        context_BC, first.weight, norm.weight, norm.bias, last.weight, last.bias, norm
    )
    return found
