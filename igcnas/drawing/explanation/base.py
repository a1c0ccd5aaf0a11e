"""What an explanation holds, and how a kind of block reads its parameters from text."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from igcnas.errors import ArchitectureError
from igcnas.network.cost import Cost, layer_cost
from igcnas.network.keywords import assignments
from igcnas.network.paths import path_counts
from igcnas.network.primitives import Convolution, Gather, Layer, Permutation, Primitive, walk
from igcnas.network.primitives import Sequence as LayerSequence
from igcnas.system.bounds import DIGITS
from igcnas.system.checks import require, require_positive, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# (out, in) rows of zeros and ones
Mask = tuple[tuple[int, ...], ...]

_MOST_CHANNELS = 4096

_LONGEST = 200  # characters of numbers joined by x


def require_few(**channels: int) -> None:
    """Positive, and few enough for a matrix of all pairs."""
    require_positive(**channels)
    for name, value in channels.items():
        require(
            value <= _MOST_CHANNELS,
            f"{name} is {value}, but pairs are counted for at most {_MOST_CHANNELS} channels; take fewer",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A block with `in_channels` inputs, and facts about it in words with the numbers filled in.

    `captions`: for some layers, by name, what the paper calls them. `masks`: for learned layers, by name, the weights
    that live, at random as before training, in one image where each has its own; `groups`: for these, the group of each
    input (None: inputs have no group) and of each filter. `shortcut`: what passes the layers by, in words; empty for
    nothing, or where it is left out. `sums`: convolutions, by name, that only add: their weights are ones and no
    parameters, and the block has a mask of them.
    """

    title: str
    what: str
    layers: tuple[Layer, ...]
    in_channels: int
    formulas: tuple[str, ...]
    captions: dict[str, str] = field(default_factory=dict)
    masks: dict[str, Mask] = field(default_factory=dict)
    groups: dict[str, tuple[tuple[int, ...] | None, tuple[int, ...]]] = field(default_factory=dict)
    shortcut: str = ""
    sums: tuple[str, ...] = ()

    @property
    def primitives(self) -> tuple[Primitive, ...]:
        """Its primitive layers in order."""
        return tuple(layer for _, layer in walk(LayerSequence("", self.layers)))

    @property
    def cost(self) -> Cost:
        """MACs, and parameters with those of the norms."""
        costs = [self._cost(layer) for layer in self.primitives]
        return Cost(sum(cost.macs for cost in costs), sum(cost.params for cost in costs))

    @property
    def weights(self) -> int:
        """Weights of its convolutions that one image uses: MACs per position of the map."""
        return sum(
            layer.kernel * layer.kernel * layer.connections
            for layer in self.primitives
            if isinstance(layer, Convolution) and layer.name not in self.sums
        )

    def _cost(self, layer: Primitive) -> Cost:
        return Cost(0, 0) if getattr(layer, "name", "") in self.sums else layer_cost(layer)

    def counts(self) -> NDArray[np.int64]:
        """Paths (out, in) through the block, without its shortcut."""
        return path_counts(self.layers, self.in_channels, masks=self.masks)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each layer that has a shape of its own or moves channels: name, what it is, counts."""
        rows: list[dict[str, Any]] = []
        for layer in self.primitives:
            row: dict[str, Any] = {"name": layer.name, "kind": type(layer).__name__.lower()}
            if isinstance(layer, Convolution):
                row |= {
                    "in_channels": layer.in_channels,
                    "out_channels": layer.out_channels,
                    "kernel": layer.kernel,
                    "groups": layer.groups if layer.learned is None else layer.learned.kind,
                }
            elif isinstance(layer, Permutation):
                row |= {"channels": layer.channels, "groups": layer.groups}
            elif isinstance(layer, Gather):
                row |= {"channels": len(layer.indices)}
            if layer.name in self.captions:
                row["role"] = self.captions[layer.name]
            cost = self._cost(layer)
            rows.append(row | {"params": cost.params, "macs": cost.macs})
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of block; its parameters are the keyword parameters of `build`."""

    name: str
    build: Callable[..., Explanation]

    @property
    def summary(self) -> str:
        """What it is."""
        return (inspect.getdoc(self.build) or "").partition("\n")[0]

    @property
    def parameters(self) -> dict[str, Any]:
        """Name and default of each parameter."""
        return {name: parameter.default for name, parameter in inspect.signature(self.build).parameters.items()}

    def from_text(self, words: list[str]) -> Explanation:
        """The explanation for `key=value` words, as a command line has them."""
        texts = assignments(words, owner=self.name, known=self.parameters, example=self._example())
        return self.build(**{key: _parse(key, text, self.parameters[key]) for key, text in texts.items()})

    def _example(self) -> str:
        key, value = next(iter(self.parameters.items()))
        return f"{key}={'x'.join(map(str, value)) if isinstance(value, tuple) else value}"


def _parse(key: str, text: str, default: object) -> object:
    """The text as a value of the default's type."""
    if isinstance(default, bool):
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise ArchitectureError(f"{key}={shown(text)}: true or false is expected")
    parts = text.split("x") if isinstance(default, tuple) else [text]
    if len(text) > _LONGEST or not all(part.isascii() and part.isdigit() and len(part) <= DIGITS for part in parts):
        expected = "numbers joined by x, as in 1x8x8," if isinstance(default, tuple) else "a whole number"
        raise ArchitectureError(f"{key}={shown(text)}: {expected} is expected".replace(", is", ", are"))
    return tuple(map(int, parts)) if isinstance(default, tuple) else int(text)
