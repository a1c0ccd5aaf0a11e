"""What decides is computed in float32 at least: half precision would let rounding choose; float64 stays float64."""

from __future__ import annotations

import torch


def wide(values: torch.Tensor) -> torch.Tensor:
    """The values in float32, or as they are where they are wider."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
