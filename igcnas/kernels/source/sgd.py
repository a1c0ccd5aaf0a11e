"""One step of SGD over flat buffers."""

import triton.language as tl

from igcnas.kernels.source.common import kernel


@kernel
def nesterov(
    parameters,
    gradients,
    momenta,
    shadow,
    rates,
    step,
    units,
    decayed,
    last,
    momentum,
    weight_decay,
    UNIT: tl.constexpr,
    SHADOW: tl.constexpr,
    ELEMENTS: tl.constexpr,
):
    """Nesterov SGD with weight decay on the first `decayed` parameters. Reads three buffers, writes two or three."""
    at = tl.program_id(0) * ELEMENTS + tl.arange(0, ELEMENTS)
    inside = at < units * UNIT
    rate = tl.load(rates + tl.minimum(tl.load(step), last))
    p = tl.load(parameters + at, mask=inside, other=0.0)
    g = tl.load(gradients + at, mask=inside, other=0.0).to(tl.float32)
    g += tl.where(at < decayed, weight_decay, 0.0) * p
    m = momentum * tl.load(momenta + at, mask=inside, other=0.0) + g
    p -= rate * (g + momentum * m)
    tl.store(momenta + at, m, mask=inside)
    tl.store(parameters + at, p, mask=inside)
    if SHADOW:
        tl.store(shadow + at, p.to(shadow.dtype.element_ty), mask=inside)
