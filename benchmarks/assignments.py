"""Who meets whom in the learned layers of a network, as `igcnas.drawing.connection_figure` draws it."""

from __future__ import annotations

import torch
from torch import nn

from igcnas.drawing import Connections, masked
from igcnas.layers import GatedConv, LearnedModule, MultiSpectralConv, SalientConv


@torch.no_grad()
def connections(network: nn.Module, images: torch.Tensor) -> dict[str, Connections]:
    """Of each learned convolution, by its path, from first to last.

    Where each image chooses its channels: the share of the images (B, channels, height, width) for which a head keeps
    an input; the filters of a head are a group. Leaves the network in evaluation mode.
    """
    network.eval()
    learned = {name: module for name, module in network.named_modules() if isinstance(module, LearnedModule)}
    choices: dict[str, torch.Tensor] = {}

    def remember(name: str, module: SalientConv, x: torch.Tensor) -> None:
        choices[name] = module.choose(module.saliency(x.mean((2, 3))))

    hooks = [
        module.register_forward_pre_hook(lambda module, inputs, name=name: remember(name, module, inputs[0]))
        for name, module in learned.items()
        if isinstance(module, SalientConv)
    ]
    network(images)
    for hook in hooks:
        hook.remove()
    found = {}
    for name, module in learned.items():
        if isinstance(module, GatedConv | SalientConv):
            masks = module.last_masks() if isinstance(module, MultiSpectralConv) else choices[name]
            repeats = len(module.weight) // module.heads
            heads = torch.arange(module.heads).repeat_interleave(repeats)
            found[name] = masked(masks.mean(0).repeat_interleave(repeats, 0).numpy(), filter_groups=heads.numpy())
        else:
            mask = getattr(module, "mask", None)
            if mask is not None:
                found[name] = masked(mask().numpy())
    return found
