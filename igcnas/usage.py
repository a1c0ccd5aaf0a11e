"""What gated convolutions really use, image by image, from the masks of one forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from igcnas.upstream import Reader


def used_outputs(
    readers: Iterable[Reader],
    masks: Mapping[str, torch.Tensor],
    orders: dict[tuple[int, ...], torch.Tensor] | None = None,
) -> dict[str, torch.Tensor]:
    """For each source of a reader, by its path: which of its outputs some head keeps, bool (B, out).

    masks: for each reader, by its path, (B, heads, in), of ones and zeros or bool. orders: keeps the orders of sources
    as tensors on the device from one call to the next, where a call must carry nothing there.
    """
    orders = {} if orders is None else orders
    used: dict[str, torch.Tensor] = {}
    for reader in readers:
        kept_BC = masks[reader.path].bool().any(1)
        for source in reader.sources:
            used[source.path] = kept_BC
            if source.order:
                if source.order not in orders:
                    orders[source.order] = torch.tensor(source.order, device=kept_BC.device)
                used[source.path] = torch.zeros_like(kept_BC).index_copy(1, orders[source.order], kept_BC)
    return used


def connections(mask_BHC: torch.Tensor, used_BO: torch.Tensor | None, out_channels: int) -> torch.Tensor:
    """Channel pairs that meet in each image, int64 (B,): over the heads, kept inputs times outputs that are used."""
    kept_BH = mask_BHC.bool().sum(2)
    heads = mask_BHC.shape[1]
    if used_BO is None:
        return kept_BH.sum(1) * (out_channels // heads)
    return (kept_BH * used_BO.view(len(used_BO), heads, -1).sum(2)).sum(1)
