"""Inference that saves what the masks promise: each image computes only the channels that it chose.

Su et al. (arXiv:2304.06305) describe it; their code multiplies by zeros. For each image and head the kept inputs and
the matching columns of the weight are gathered and convolved; the outputs of the heads are contiguous. Channels that no
later head reads are not computed at all. This is the proof that counts are real, not a fast runtime: it takes the
images one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional

from igcnas.modules.layers import GatedConv, SalientConv
from igcnas.modules.layers.gated import used_outputs
from igcnas.network import primitives
from igcnas.network.cost import layer_cost
from igcnas.network.plan import Plan
from igcnas.network.primitives import Concat, Convolution, Gated, Layer, Residual, Sequence
from igcnas.network.upstream import Reader, readers


@torch.inference_mode()
def run_reorganised(
    network_plan: Plan, network: nn.Module, images: torch.Tensor
) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Logits (B, classes) of float images (B, channels, height, width), and the multiply-accumulates of each image.

    The network is that of the plan, in training form or lowered; it is left in evaluation mode. Multiply-accumulates
    are counted from the gathered tensors. Learned layers that are neither MSGC nor DGC count what they were planned.
    """
    network.eval()
    found = readers(network_plan)
    logits, macs = [], []
    for image in images:
        run = _Run(found)
        logits.append(run.row(network_plan.root, network, image[None], ""))
        macs.append(run.macs)
    return torch.cat(logits), tuple(macs)


@dataclass
class _Run:
    """One image: what it has cost, and for the Gated sequence that it is in the masks and what they leave to do."""

    readers: tuple[Reader, ...]
    macs: int = 0
    masks: dict[str, torch.Tensor] = field(default_factory=dict)
    factors: dict[str, torch.Tensor] = field(default_factory=dict)
    used: dict[str, torch.Tensor] = field(default_factory=dict)

    def row(self, layer: Sequence | Gated, module: nn.Module, x: torch.Tensor, path: str) -> torch.Tensor:
        for index, child in enumerate(layer.layers):
            if isinstance(layer, Gated) and index == layer.skip:
                self._decide(path, module, x.mean((2, 3)))
            x = self._layer(child, module.get_submodule(child.name), x, f"{path}.{child.name}" if path else child.name)
        return x

    def _decide(self, path: str, module: nn.Module, context: torch.Tensor) -> None:
        """Masks and attention of all convolutions of this sequence, before any of them runs."""
        here = [reader for reader in self.readers if reader.path.rpartition(".")[0] == path]
        for reader in here:
            conv = module.get_submodule(reader.layer.name)
            assert isinstance(conv, GatedConv)
            self.masks[reader.path] = conv.mask(context).view(1, conv.heads, -1).bool()
            self._count_linears(conv)
            attention = conv.attention_generator
            if attention is not None:
                self.factors[reader.path] = attention(context).view(conv.heads, -1)
        self.used |= used_outputs(here, self.masks)

    def _layer(self, layer: Layer, module: nn.Module, x: torch.Tensor, path: str) -> torch.Tensor:
        if isinstance(layer, Sequence | Gated):
            return self.row(layer, module, x, path)
        body = module.get_submodule("body") if isinstance(layer, Residual | Concat) else module
        if isinstance(layer, Residual):
            shortcut = self.row(layer.shortcut, module.get_submodule("shortcut"), x, f"{path}.shortcut")
            return self.row(layer.body, body, x, f"{path}.body") + shortcut
        if isinstance(layer, Concat):
            return torch.cat((x, self.row(layer.body, body, x, f"{path}.body")), 1)
        used = self.used[path][0] if path in self.used else None
        if isinstance(module, GatedConv):
            kept = [mask.nonzero()[:, 0] for mask in self.masks[path][0]]
            return self._heads(module, x, kept, self.factors.get(path), used)
        if isinstance(module, SalientConv):
            saliency = module.saliency(x.mean((2, 3)))[0]
            self._count_linears(module)
            kept = [chosen.nonzero()[:, 0] for chosen in module.choose(saliency[None])[0]]
            return self._heads(module, x, kept, saliency, None)
        if isinstance(module, nn.Conv2d) and used is not None:
            return self._partial(module, x, used)
        y: torch.Tensor = module(x)
        if isinstance(module, nn.Conv2d | nn.Linear):
            self.macs += module.weight.numel() * y[0, 0].numel()
        elif isinstance(layer, Convolution | primitives.SplitConvolution):
            self.macs += layer_cost(layer).macs
        return y

    def _heads(
        self,
        module: GatedConv | SalientConv,
        x: torch.Tensor,
        kept: list[torch.Tensor],
        factors: torch.Tensor | None,
        used: torch.Tensor | None,
    ) -> torch.Tensor:
        """Head by head: kept[h] are its input channels, factors[h] multiply them, `used` are the outputs to compute."""
        stride, padding = module.stride, module.padding
        width = len(module.weight) // module.heads
        out = _zeros(x, len(module.weight), module.weight.shape[-1], stride)
        for head, inputs in enumerate(kept):
            outputs = torch.arange(head * width, (head + 1) * width)
            outputs = outputs if used is None else outputs[used[outputs]]
            part = x[:, inputs]
            if factors is not None:
                part = part * factors[head, inputs][:, None, None]
            out[:, outputs] = self._convolve(part, module.weight[outputs][:, inputs], stride, padding, 1)
        return out

    def _partial(self, conv: nn.Conv2d, x: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
        """A plain convolution of which only these outputs are computed."""
        stride, padding = conv.stride[0], int(conv.padding[0])
        out = _zeros(x, conv.out_channels, conv.kernel_size[0], stride)
        if conv.groups == conv.in_channels == conv.out_channels:
            channels = used.nonzero()[:, 0]
            out[:, channels] = self._convolve(x[:, channels], conv.weight[channels], stride, padding, len(channels))
            return out
        rows, columns = conv.out_channels // conv.groups, conv.in_channels // conv.groups
        for group in range(conv.groups):
            outputs = torch.arange(group * rows, (group + 1) * rows)
            outputs = outputs[used[outputs]]
            part = x[:, group * columns : (group + 1) * columns]
            out[:, outputs] = self._convolve(part, conv.weight[outputs], stride, padding, 1)
        return out

    def _convolve(
        self, x: torch.Tensor, weight: torch.Tensor, stride: int, padding: int, groups: int
    ) -> torch.Tensor | float:
        """The convolution, counted; 0 where there is nothing to convolve."""
        if not weight.numel():
            return 0.0
        y = functional.conv2d(x, weight, stride=stride, padding=padding, groups=groups)
        self.macs += weight.numel() * y[0, 0].numel()
        return y

    def _count_linears(self, module: nn.Module) -> None:
        """The generators of a layer, each of whose weights is used once."""
        self.macs += sum(child.weight.numel() for child in module.modules() if isinstance(child, nn.Linear | nn.Conv1d))


def _zeros(x: torch.Tensor, channels: int, kernel: int, stride: int) -> torch.Tensor:
    """An output of a convolution that pads by kernel // 2 (odd kernels), all zero."""
    assert kernel % 2 == 1
    return x.new_zeros(len(x), channels, *primitives.halve((x.shape[2], x.shape[3]), stride))
