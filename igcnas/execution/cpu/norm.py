"""Batch normalisation, which never touches an activation: from sums of channels to the affine map, and back.

Arrays of the channels only; rows[j] is the stored channel of the norm's channel j. `sums` and `gsums` are what the
epilogues of convolutions and sums have left (convolution.py). parameters: (weight, bias, epsilon). running: (mean,
variance, how many batches there were, momentum). affine: (scale, shift, mean, inverse standard deviation).
"""

from __future__ import annotations

from igcnas.execution.cpu.compiled import kernel


@kernel
def training(sums, count, rows, parameters, running, affine):
    """scale, shift, mean, inverse standard deviation of the batch; the running statistics take part of it."""
    weight, bias, epsilon = parameters
    running_mean, running_var, tracked, momentum = running
    scale, shift, mean, inverse = affine
    tracked[0] += 1
    for j in range(len(rows)):
        r = rows[j]
        offset = sums[r, 0] / count
        centre = sums[r, 2] + offset
        variance = max(sums[r, 1] / count - offset * offset, 0.0)
        if variance != variance or sums[r, 1] != sums[r, 1]:
            variance = sums[r, 1]
        inv = 1.0 / (variance + epsilon) ** 0.5
        mean[r], inverse[r] = centre, inv
        scale[r] = weight[j] * inv
        shift[r] = bias[j] - weight[j] * inv * centre
        unbiased = variance * count / max(count - 1, 1)
        running_mean[j] += momentum * (centre - running_mean[j])
        running_var[j] += momentum * (unbiased - running_var[j])


@kernel
def evaluating(rows, parameters, running, scale, shift):
    """scale and shift of the running statistics."""
    weight, bias, epsilon = parameters
    running_mean, running_var, _, _ = running
    for j in range(len(rows)):
        factor = weight[j] / (running_var[j] + epsilon) ** 0.5
        scale[rows[j]] = factor
        shift[rows[j]] = bias[j] - factor * running_mean[j]


@kernel
def backward(gsums, count, rows, weight, normed, gradients, coefficients):
    """Gradients of the parameters, and the coefficients of dy = a * g + b * y + c. normed: mean and inverse."""
    mean, inverse = normed
    dweight, dbias = gradients
    a, b, c = coefficients
    for j in range(len(rows)):
        r = rows[j]
        inv = inverse[r]
        dbias[j] = gsums[r, 0]
        slope = gsums[r, 1] * inv
        dweight[j] = slope
        factor = weight[j] * inv
        a[r] = factor
        b[r] = -factor * inv * slope / count
        c[r] = -factor * gsums[r, 0] / count + factor * inv * mean[r] * slope / count
