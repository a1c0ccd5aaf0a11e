"""Multiply-accumulates of networks in which each image chooses its channels: measured, because no plan knows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn

from igcnas.modules.layers import MeasuredModule
from igcnas.modules.layers.gated import connections, used_outputs
from igcnas.network.plan import Plan
from igcnas.network.upstream import readers


@torch.inference_mode()
def measure_gates(
    network_plan: Plan,
    network: nn.Module,
    batches: Iterable[torch.Tensor],
    *,
    total: Callable[[torch.Tensor], torch.Tensor] = lambda sums: sums,
) -> None:
    """Run the network over batches of float images (B, channels, height, width); each gated layer keeps what it used.

    The buffers `measured` take the numbers of images, of channel pairs that met in all of them and of input channels
    that some head read in all of them; `igcnas.modules.lowering.lower` makes costs of them. Outputs that no later head
    reads are not computed and do not count (`igcnas/network/upstream.py`). Does nothing for a network without such
    layers, and leaves the network in evaluation mode. `total` adds up int64 tensors over processes that have different
    images.
    """
    network.eval()
    found = readers(network_plan)
    modules = {reader.path: network.get_submodule(reader.path) for reader in found}
    gated = {path: module for path, module in modules.items() if isinstance(module, MeasuredModule)}
    if not gated:
        return
    sums = {path: torch.zeros(3, dtype=torch.int64) for path in gated}
    for batch in batches:
        network(batch)
        masks = {path: module.last_masks() for path, module in gated.items()}
        used = used_outputs(found, masks)
        for reader in found:
            mask = masks[reader.path]
            pairs = connections(mask, used.get(reader.path), reader.layer.out_channels).sum()
            read = mask.bool().any(1).sum()
            sums[reader.path] += torch.tensor([len(batch), int(pairs), int(read)])
    for path, module in gated.items():
        measured = module.get_buffer("measured")
        measured.copy_(total(sums[path].to(measured.device)))
