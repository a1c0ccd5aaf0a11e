"""One step of SGD over flat buffers, with the learning rate from a table on the device."""

from __future__ import annotations

import torch

from igcnas.kernels import reference, sizes
from igcnas.kernels.switch import chosen

ELEMENTS = 1024


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
    """Update in place as torch.optim.SGD(nesterov=True) does; momenta begin as zeros.

    All buffers are (size,), parameters and momenta fp32, read 16 bytes at a time where 8 divides the size;
    weight decay takes the first `decayed` of them. rates: fp32,
    one a step; step: int64 (1,), on the device, not changed; past the end the last rate holds. `shadow`: a copy of the
    parameters of another type, written in the same pass. Reads three buffers and writes two (and the shadow).
    """
    if not chosen(parameters):
        reference.nesterov(
            parameters,
            gradients,
            momenta,
            rates,
            step,
            momentum=momentum,
            weight_decay=weight_decay,
            decayed=decayed,
            shadow=shadow,
        )
        return
    from igcnas.kernels.source import sgd as source

    size = parameters.numel()
    unit = sizes.unit(size)
    source.nesterov[(-(-size // ELEMENTS),)](
        parameters,
        gradients,
        momenta,
        parameters if shadow is None else shadow,
        rates,
        step,
        size // unit,
        decayed,
        rates.numel() - 1,
        float(momentum),
        float(weight_decay),
        UNIT=unit,
        SHADOW=shadow is not None,
        ELEMENTS=ELEMENTS,
        **sizes.launch(4),
    )
