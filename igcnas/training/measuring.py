"""Multiply-accumulates of networks in which each image chooses its channels: measured, because no plan knows them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from igcnas.layers import MultiSpectralConv
from igcnas.plan import Plan
from igcnas.upstream import readers
from igcnas.usage import connections, used_outputs

_BATCH = 500


@torch.inference_mode()
def measure_gates(
    network_plan: Plan,
    network: nn.Module,
    images: torch.Tensor,
    normalize: Callable[[torch.Tensor], torch.Tensor] = lambda images: images,
) -> None:
    """Run the network over images (n, channels, height, width) and keep in each gated layer what it used.

    The buffers `measured` take the numbers of images, of channel pairs that met in all of them and of input channels
    that some head read in all of them; `igcnas.lowering.lower` makes costs of them. Outputs that no later head reads
    are not computed and do not count (`igcnas/upstream.py`). Does nothing for a network without such layers, and
    leaves the network in evaluation mode.
    """
    network.eval()
    found = readers(network_plan)
    modules = {reader.path: network.get_submodule(reader.path) for reader in found}
    gated = {path: module for path, module in modules.items() if isinstance(module, MultiSpectralConv)}
    if not gated:
        return
    sums = {path: torch.zeros(3, dtype=torch.int64) for path in gated}
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH]
        network(normalize(batch))
        masks = {path: module.last_masks() for path, module in gated.items()}
        used = used_outputs(found, masks)
        for reader in found:
            mask = masks[reader.path]
            pairs = connections(mask, used.get(reader.path), reader.layer.out_channels).sum()
            read = mask.bool().any(1).sum()
            sums[reader.path] += torch.tensor([len(batch), int(pairs), int(read)])
    for path, module in gated.items():
        module.get_buffer("measured").copy_(sums[path])
