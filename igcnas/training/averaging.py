"""The mean of the weights over the last part of a training, in place of the last weights (Polyak and Juditsky, 1992).

After each step the mean moves towards the weights by 1 / (share * steps), a little more in the beginning: an
exponential mean that looks back over `share` of the training. It is of parameters and of the statistics of norms;
whatever else a network holds (which connections are left, counters) is as it is. Until every learned grouping has
reached its aim, the mean is the weights: a mean over networks of different groups would be no network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

_STATISTICS = ("running_mean", "running_var")


class WeightAverage:
    """The mean for one network. share: of the training that it looks back over, in (0, 1). steps: of the training."""

    def __init__(self, network: nn.Module, *, share: float, steps: int) -> None:
        named: dict[str, torch.Tensor] = dict(network.named_parameters())
        named |= {name: b for name, b in network.named_buffers() if name.rpartition(".")[2] in _STATISTICS}
        self._names = list(named)
        self._live = [tensor.detach() for tensor in named.values()]
        self._mean = [tensor.clone() for tensor in self._live]
        self._reach, self._seen = max(1.0, share * steps), 0

    def update(self, *, settled: bool) -> None:
        """After a step; settled: whether learned groupings have reached their aim."""
        if not settled:
            self._seen = 0
            torch._foreach_copy_(self._mean, self._live)
            return
        self._seen += 1
        torch._foreach_lerp_(self._mean, self._live, max(1 / self._reach, 1 / self._seen))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the network has the mean as its weights."""
        kept = [tensor.clone() for tensor in self._live]
        self.apply()
        try:
            yield
        finally:
            torch._foreach_copy_(self._live, kept)

    def apply(self) -> None:
        """Make the mean the weights of the network, for good."""
        torch._foreach_copy_(self._live, self._mean)

    def state_dict(self) -> dict[str, object]:
        """What a resumed training needs."""
        return {"seen": self._seen, "mean": dict(zip(self._names, self._mean, strict=True))}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take up what `state_dict` gave; KeyError, TypeError or RuntimeError where it is of another network."""
        mean, seen = state["mean"], state["seen"]
        if not isinstance(mean, Mapping) or not isinstance(seen, int):
            raise TypeError("its mean of the weights is none")
        for own, name in zip(self._mean, self._names, strict=True):
            own.copy_(mean[name])
        self._seen = seen
