"""The stock PyTorch twins: the same functions by the same arithmetic, on any device; what kernels are compared with.

Each is named after the module and function whose twin it is. Signatures are theirs; what a twin cannot do differently
(the number of parts of a reduction is one) it does in one step. Arithmetic is that of the widest operand and at least
fp32, so that a float64 operand makes a float64 reference.
"""

from __future__ import annotations

import torch

from igcnas.kernels.lazy import Activation, Affine, Backward, BatchNorm, GradientAffine, Moments, Sums, bounds
from igcnas.kernels.library import convolution, convolution_backward


def depthwise_forward(
    x: torch.Tensor,
    weight: torch.Tensor,
    stride: int,
    *,
    affine: Affine | None = None,
    activation: Activation = "none",
    statistics: bool = False,
) -> tuple[torch.Tensor, Moments | None]:
    """depthwise.forward"""
    a = activated(x, affine, activation).to(x.dtype)
    y = convolution(a, weight.to(x.dtype), stride=stride, pad=weight.shape[2] // 2, groups=x.shape[1])
    return y, _moments(y) if statistics else None


def depthwise_input_grad(
    g: torch.Tensor,
    weight: torch.Tensor,
    stride: int,
    size: tuple[int, int],
    *,
    gradient_affine: GradientAffine | None = None,
    x: torch.Tensor | None = None,
    affine: Affine | None = None,
    activation: Activation = "none",
    centre: torch.Tensor | None = None,
) -> tuple[torch.Tensor, Sums | None]:
    """depthwise.input_grad"""
    d = gradient(g, gradient_affine).to(g.dtype)
    pad = weight.shape[2] // 2
    da = _convolution_backward(d, g.new_empty(*g.shape[:2], *size), weight.to(g.dtype), stride, pad, g.shape[1], 0)
    return _before_activation(da, x, affine, activation, centre)


def depthwise_weight_grad(
    x: torch.Tensor,
    g: torch.Tensor,
    stride: int,
    kernel: int,
    *,
    gradient_affine: GradientAffine | None = None,
    affine: Affine | None = None,
    activation: Activation = "none",
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """depthwise.weight_grad"""
    a = activated(x, affine, activation).to(x.dtype)
    d = gradient(g, gradient_affine).to(x.dtype)
    shape = (x.shape[1], 1, kernel, kernel)
    dw = _convolution_backward(d, a, a.new_empty(shape), stride, kernel // 2, x.shape[1], 1)
    return _put(dw, out)


def pointwise_forward(
    x: torch.Tensor,
    weight: torch.Tensor,
    groups: int,
    *,
    index: torch.Tensor | None = None,
    affine: Affine | None = None,
    activation: Activation = "none",
    statistics: bool = False,
    allow_tf32: bool = False,
) -> tuple[torch.Tensor, Moments | None]:
    """pointwise.forward; whether TF32 is taken is torch's setting."""
    a = _permuted(activated(x, affine, activation).to(x.dtype), index)
    y = convolution(a, weight.to(x.dtype).view(*weight.shape[:2], 1, 1), stride=1, pad=0, groups=groups)
    return y, _moments(y) if statistics else None


def pointwise_input_grad(
    g: torch.Tensor,
    weight: torch.Tensor,
    groups: int,
    *,
    index: torch.Tensor | None = None,
    gradient_affine: GradientAffine | None = None,
    x: torch.Tensor | None = None,
    affine: Affine | None = None,
    activation: Activation = "none",
    centre: torch.Tensor | None = None,
    allow_tf32: bool = False,
) -> tuple[torch.Tensor, Sums | None]:
    """pointwise.input_grad; whether TF32 is taken is torch's setting."""
    d = gradient(g, gradient_affine).to(g.dtype)
    shape = (g.shape[0], weight.shape[1] * groups, *g.shape[2:])
    kernel = weight.to(g.dtype).view(*weight.shape[:2], 1, 1)
    da = _convolution_backward(d, g.new_empty(shape), kernel, 1, 0, groups, 0)
    if index is not None:
        da = torch.empty_like(da).index_copy_(1, index.long(), da)
    return _before_activation(da, x, affine, activation, centre)


def pointwise_weight_grad(
    x: torch.Tensor,
    g: torch.Tensor,
    groups: int,
    *,
    index: torch.Tensor | None = None,
    gradient_affine: GradientAffine | None = None,
    affine: Affine | None = None,
    activation: Activation = "none",
    allow_tf32: bool = False,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """pointwise.weight_grad; whether TF32 is taken is torch's setting."""
    a = _permuted(activated(x, affine, activation).to(x.dtype), index)
    d = gradient(g, gradient_affine).to(x.dtype)
    kernel = a.new_empty(g.shape[1], x.shape[1] // groups, 1, 1)
    return _put(_convolution_backward(d, a, kernel, 1, 0, groups, 1), out)


def statistics(x: torch.Tensor) -> Moments:
    """norm.statistics"""
    return _moments(x)


def finish(
    moments: Moments,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    *,
    epsilon: float,
    running_mean: torch.Tensor | None = None,
    running_variance: torch.Tensor | None = None,
    momentum: float = 0.1,
) -> BatchNorm:
    """norm.finish"""
    count, mean, squares = moments.merged()
    inverse = torch.rsqrt(squares / count + epsilon)
    scale = inverse if weight is None else weight * inverse
    shift = -mean * scale if bias is None else bias - mean * scale
    for running, now in ((running_mean, mean), (running_variance, squares / (count - 1).clamp_min(1))):
        if running is not None:
            running.mul_(1 - momentum).add_(momentum * now.to(running.dtype))
    kept = moments.partials.dtype
    return BatchNorm(mean.to(kept), inverse.to(kept), Affine(scale.to(kept), shift.to(kept)))


def apply(
    x: torch.Tensor,
    affine: Affine | None = None,
    activation: Activation = "none",
    *,
    residual: torch.Tensor | None = None,
    residual_affine: Affine | None = None,
    residual_activation: Activation = "none",
    add: str = "after",
) -> torch.Tensor:
    """norm.apply"""
    if residual is None:
        return activated(x, affine, activation).to(x.dtype)
    r = activated(residual, residual_affine, residual_activation)
    if add == "before":
        return _clamp(_affine(x, affine) + r, activation).to(x.dtype)
    return (activated(x, affine, activation) + r).to(x.dtype)


def backward_reduce(
    gradient: torch.Tensor,
    x: torch.Tensor,
    affine: Affine | None = None,
    activation: Activation = "none",
    *,
    centre: torch.Tensor | None = None,
    residual: torch.Tensor | None = None,
    residual_affine: Affine | None = None,
    residual_activation: Activation = "none",
    store: bool = False,
) -> tuple[torch.Tensor | None, Sums]:
    """norm.backward_reduce"""
    passed = _passed(gradient, x, affine, activation, residual, residual_affine, residual_activation)
    stored = passed.to(gradient.dtype)
    return stored if store else None, _sums(stored if store else passed, x, centre)


def coefficients(
    sums: Sums,
    batch_norm: BatchNorm,
    count: int,
    weight: torch.Tensor | None = None,
    *,
    centre: torch.Tensor | None = None,
    weight_gradient: torch.Tensor | None = None,
    bias_gradient: torch.Tensor | None = None,
) -> Backward:
    """norm.coefficients"""
    first, second = sums.merged()
    mean, inverse = batch_norm.mean.double(), batch_norm.inverse.double()
    products = (second - (mean if centre is None else mean - centre) * first) * inverse
    A = inverse if weight is None else weight * inverse
    B = -A * inverse * products / count
    C = -A * first / count - B * mean
    kept = sums.partials.dtype
    if weight is None:
        return Backward(A.to(kept), B.to(kept), C.to(kept), None, None)
    outputs = _put(products.to(kept), weight_gradient), _put(first.to(kept), bias_gradient)
    return Backward(A.to(kept), B.to(kept), C.to(kept), *outputs)


def backward_apply(
    gradient: torch.Tensor,
    x: torch.Tensor,
    backward: Backward,
    affine: Affine | None = None,
    activation: Activation = "none",
    *,
    residual: torch.Tensor | None = None,
    residual_affine: Affine | None = None,
    residual_activation: Activation = "none",
) -> torch.Tensor:
    """norm.backward_apply"""
    passed = _passed(gradient, x, affine, activation, residual, residual_affine, residual_activation)
    A, B, C = (vector.view(1, -1, 1, 1) for vector in (backward.A, backward.B, backward.C))
    return (A * passed + B * _wide(x) + C).to(gradient.dtype)


def batch(
    images: torch.Tensor,
    table: torch.Tensor,
    order: torch.Tensor,
    offsets: torch.Tensor,
    flips: torch.Tensor | None,
    step: torch.Tensor,
    size: int,
    *,
    pad: int,
    fill: torch.Tensor,
    labels: torch.Tensor | None = None,
    out: torch.Tensor,
    out_labels: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """augment.batch"""
    count, channels, height, width = images.shape
    device = images.device
    chosen = order[(step * size + torch.arange(size, device=device)) % count]
    columns = torch.arange(width, device=device).expand(size, width)
    if flips is not None:
        columns = torch.where(flips[chosen][:, None], width - 1 - columns, columns)
    y = offsets[0, chosen][:, None] - pad + torch.arange(height, device=device)
    x = offsets[1, chosen][:, None] - pad + columns
    seen = ((y >= 0) & (y < height))[:, None, :, None] & ((x >= 0) & (x < width))[:, None, None, :]
    channel = torch.arange(channels, device=device)[None, :, None, None]
    y, x = y.clamp(0, height - 1)[:, None, :, None], x.clamp(0, width - 1)[:, None, None, :]
    level = torch.where(seen, images[chosen[:, None, None, None], channel, y, x], fill[None, :, None, None])
    out.copy_(table[level.long(), channel])
    if labels is not None and out_labels is not None:
        out_labels.copy_(labels[chosen])
    return out, out_labels


def nesterov(
    parameters: torch.Tensor,
    gradients: torch.Tensor,
    momenta: torch.Tensor,
    rates: torch.Tensor,
    step: torch.Tensor,
    *,
    momentum: float,
    weight_decay: float,
    decayed: int,
    shadow: torch.Tensor | None = None,
) -> None:
    """sgd.nesterov"""
    g = gradients.to(parameters.dtype, copy=True)
    g[:decayed] += weight_decay * parameters[:decayed]
    momenta.mul_(momentum).add_(g)
    parameters.sub_(rates[step.clamp(max=len(rates) - 1)] * (g + momentum * momenta))
    if shadow is not None:
        shadow.copy_(parameters)


def activated(x: torch.Tensor, affine: Affine | None, activation: str) -> torch.Tensor:
    """act(affine(x)), fp32 at least."""
    return _clamp(_affine(x, affine), activation)


def gradient(g: torch.Tensor, lazy: GradientAffine | None) -> torch.Tensor:
    """A * g + B * y + C, fp32 at least."""
    if lazy is None:
        return _wide(g)
    A, B, C = (vector.view(1, -1, 1, 1) for vector in lazy[1:])
    return A * _wide(g) + B * _wide(lazy.y) + C


def _convolution_backward(
    d: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, stride: int, pad: int, groups: int, which: int
) -> torch.Tensor:
    """The gradient of the input (which = 0) or of the weights (1); of the other operand only the shape matters."""
    wanted = (which == 0, which == 1)
    gradient = convolution_backward(d, x, weight, stride=stride, pad=pad, groups=groups, wanted=wanted)[which]
    assert gradient is not None
    return gradient


def _wide(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _affine(x: torch.Tensor, affine: Affine | None) -> torch.Tensor:
    if affine is None:
        return _wide(x)
    return _wide(x) * affine.scale.view(1, -1, 1, 1) + affine.shift.view(1, -1, 1, 1)


def _clamp(v: torch.Tensor, activation: str) -> torch.Tensor:
    low, high = bounds(activation)
    return v if activation == "none" else v.clamp(low, high)


def _passed(
    g: torch.Tensor,
    x: torch.Tensor,
    affine: Affine | None,
    activation: str,
    residual: torch.Tensor | None = None,
    residual_affine: Affine | None = None,
    residual_activation: str = "none",
) -> torch.Tensor:
    """g times the derivative of the activation."""
    low, high = bounds(activation)
    v = _affine(x, affine)
    if residual is not None:
        v = v + activated(residual, residual_affine, residual_activation)
    return torch.where((v > low) & (v < high), _wide(g), 0)


def _before_activation(
    da: torch.Tensor, x: torch.Tensor | None, affine: Affine | None, activation: str, centre: torch.Tensor | None
) -> tuple[torch.Tensor, Sums | None]:
    da = da.contiguous(memory_format=torch.channels_last)
    if x is None:
        return da, None
    out = _passed(da, x, affine, activation).to(da.dtype)
    return out, _sums(out, x, centre)


def _sums(g: torch.Tensor, x: torch.Tensor, centre: torch.Tensor | None) -> Sums:
    g, away = _wide(g), _wide(x)
    if centre is not None:
        away = away - centre.view(1, -1, 1, 1)
    return Sums(torch.stack((g.sum((0, 2, 3)), (g * away).sum((0, 2, 3))))[None])


def _moments(x: torch.Tensor) -> Moments:
    x = _wide(x)
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    count = torch.full_like(mean, x.numel() // x.shape[1])
    return Moments(torch.stack((count, mean, variance * count))[None])


def _permuted(a: torch.Tensor, index: torch.Tensor | None) -> torch.Tensor:
    return a if index is None else a[:, index].contiguous(memory_format=torch.channels_last)


def _put(value: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    if out is None:
        return value.to(torch.promote_types(value.dtype, torch.float32))
    return out.copy_(value.view_as(out))
