"""Weights as a way wants them: of the type of the activations, groups and orders folded into a dense kernel.

A dense kernel is (stored outputs, stored inputs, k, k): what the layer calls input channel c lies in row in_rows[c] of
the storage, and its output channel o is put in row out_rows[o]. Blocks are scattered by one gather for all layers of a
network a step, through a table made once, and their gradients gathered back by another.

The gradient of a fold is the gather of the dense gradient: what lies outside the blocks is computed and not read.
"""

from __future__ import annotations

from typing import Protocol

import torch

from igcnas.execution.weights import PlainWeight, Weight


class Kernel(Protocol):
    """What a way multiplies by."""

    @property
    def value(self) -> torch.Tensor:
        """(outputs, inputs / groups, k, k), of the type of the activations."""
        ...

    @property
    def room(self) -> torch.Tensor | None:
        """Where a gradient in fp32 may be put, contiguous, of the shape of the value; None: give it to `put`."""
        ...

    def put(self, gradient: torch.Tensor) -> None:
        """The gradient of the value, unless it was put into `room`."""
        ...


class PlainKernel:
    """A weight as it is, of the wanted type."""

    def __init__(self, weight: Weight, dtype: torch.dtype, folding: Folding) -> None:
        self.weight, self.dtype = weight, dtype
        value = weight.value
        self.copy = folding.copied(value) if isinstance(weight, PlainWeight) and value.dtype != dtype else None

    @property
    def value(self) -> torch.Tensor:
        value: torch.Tensor = self.weight.value
        return self.copy.value if self.copy is not None else value.to(self.dtype)

    @property
    def room(self) -> torch.Tensor | None:
        gradient: torch.Tensor = self.weight.gradient
        return gradient if gradient.is_contiguous() else None

    def put(self, gradient: torch.Tensor) -> None:
        self.weight.gradient.copy_(gradient)


class FoldedKernel:
    """The dense kernel of a parameter with groups, or of one with channels in another order."""

    def __init__(
        self, weight: Weight, groups: int, in_rows: tuple[int, ...], out_rows: tuple[int, ...], folding: Folding
    ) -> None:
        value: torch.Tensor = weight.value
        self.fold = folding.folded(value, weight.gradient, places(value.shape, groups, in_rows, out_rows), len(in_rows))

    @property
    def value(self) -> torch.Tensor:
        return self.fold.value

    @property
    def room(self) -> torch.Tensor | None:
        return self.fold.gradient

    def put(self, gradient: torch.Tensor) -> None:
        self.fold.gradient.copy_(gradient)


class MadeKernel:
    """A dense weight that is made anew at each step (masks, compositions), with its channels in the stored order."""

    def __init__(self, weight: Weight, in_rows: tuple[int, ...], out_rows: tuple[int, ...], dtype: torch.dtype) -> None:
        self.weight, self.dtype = weight, dtype
        device = weight.gradient.device
        self.ins, self.outs = (_index(rows, device) for rows in (in_rows, out_rows))
        self.ins_back, self.outs_back = (_index(inverse(rows), device) for rows in (in_rows, out_rows))

    @property
    def value(self) -> torch.Tensor:
        value: torch.Tensor = self.weight.value
        return _reordered(value, self.ins_back, self.outs_back).to(self.dtype)

    @property
    def room(self) -> torch.Tensor | None:
        return None

    def put(self, gradient: torch.Tensor) -> None:
        self.weight.gradient.copy_(_reordered(gradient, self.ins, self.outs))


class _Copy:
    """A parameter and where its copy of another type lies."""

    def __init__(self, source: torch.Tensor) -> None:
        self.source = source
        self.value: torch.Tensor


class _Fold:
    """A parameter, the place of each of its numbers in a dense kernel, and that kernel with its gradient."""

    def __init__(self, source: torch.Tensor, gradient: torch.Tensor, at: torch.Tensor, inputs: int) -> None:
        self.source, self.source_gradient, self.at = source, gradient, at
        self.shape = (source.shape[0], inputs, *source.shape[2:])
        self.value: torch.Tensor
        self.gradient: torch.Tensor


class Folding:
    """All weights of a network that are copied or folded, in a few buffers."""

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self.dtype, self.device = dtype, device
        self._copies: list[_Copy] = []
        self._folds: list[_Fold] = []
        self._ready = False

    def copied(self, source: torch.Tensor) -> _Copy:
        """A copy of a parameter, kept current."""
        self._copies.append(_Copy(source))
        self._ready = False
        return self._copies[-1]

    def folded(self, source: torch.Tensor, gradient: torch.Tensor, at: torch.Tensor, inputs: int) -> _Fold:
        """A dense kernel with this many inputs, kept current; `at`: the place of each number of the source in it."""
        self._folds.append(_Fold(source, gradient, at, inputs))
        self._ready = False
        return self._folds[-1]

    def refresh(self) -> None:
        """Before a forward pass: the parameters have changed."""
        if not self._ready:
            with torch.inference_mode(False):
                self._build()
        if self._copies:
            torch._foreach_copy_([copy.value for copy in self._copies], [copy.source for copy in self._copies])
        if self._folds:
            torch._foreach_copy_(self._blocks, [fold.source for fold in self._folds])
            torch.index_select(self._flat, 0, self._table, out=self._dense)

    def finish(self) -> None:
        """After a backward pass: gradients of dense kernels go to the blocks."""
        if self._folds:
            torch.index_select(self._dense_gradients, 0, self._back, out=self._flat_gradients)
            torch._foreach_copy_([fold.source_gradient for fold in self._folds], self._block_gradients)

    def _build(self) -> None:
        """Buffers and tables. Number 0 of the source buffer stays zero: it is what lies outside the blocks."""
        for copy in self._copies:
            copy.value = torch.empty_like(copy.source, dtype=self.dtype)
        numbers = sum(fold.source.numel() for fold in self._folds)
        dense = sum(_numel(fold.shape) for fold in self._folds)
        self._flat = torch.zeros(1 + numbers, dtype=self.dtype, device=self.device)
        wide = self._folds[0].source_gradient.dtype if self._folds else torch.float32
        self._flat_gradients = torch.zeros(numbers, dtype=wide, device=self.device)
        self._dense = torch.zeros(dense, dtype=self.dtype, device=self.device)
        self._dense_gradients = torch.zeros(dense, dtype=wide, device=self.device)
        table, back = torch.zeros(dense, dtype=torch.int64), torch.zeros(numbers, dtype=torch.int64)
        self._blocks: list[torch.Tensor] = []
        self._block_gradients: list[torch.Tensor] = []
        start = first = 0
        for fold in self._folds:
            stop, last = start + _numel(fold.shape), first + fold.source.numel()
            table[start + fold.at] = torch.arange(first + 1, last + 1)
            back[first:last] = start + fold.at
            fold.value = self._dense[start:stop].view(fold.shape)
            fold.gradient = self._dense_gradients[start:stop].view(fold.shape)
            self._blocks.append(self._flat[1 + first : 1 + last].view(fold.source.shape))
            self._block_gradients.append(self._flat_gradients[first:last].view(fold.source.shape))
            start, first = stop, last
        self._table, self._back = table.to(self.device), back.to(self.device)
        self._ready = True


def places(shape: torch.Size, groups: int, in_rows: tuple[int, ...], out_rows: tuple[int, ...]) -> torch.Tensor:
    """For each number of a weight of this shape, in order, its place in the dense kernel, counted through all of it."""
    outs, ins, height, width = shape
    group = torch.arange(outs) // (outs // groups)
    inputs = torch.tensor(in_rows)[group[:, None] * ins + torch.arange(ins)]
    channel = torch.tensor(out_rows)[:, None] * len(in_rows) + inputs
    return (channel[:, :, None] * (height * width) + torch.arange(height * width)).flatten()


def inverse(rows: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that takes this one back."""
    found = [0] * len(rows)
    for place, row in enumerate(rows):
        found[row] = place
    return tuple(found)


def in_order(rows: tuple[int, ...]) -> bool:
    """Whether nothing is permuted."""
    return rows == tuple(range(len(rows)))


def _index(rows: tuple[int, ...], device: torch.device) -> torch.Tensor | None:
    return None if in_order(rows) else torch.tensor(rows, device=device)


def _reordered(kernel: torch.Tensor, inputs: torch.Tensor | None, outputs: torch.Tensor | None) -> torch.Tensor:
    if inputs is not None:
        kernel = kernel.index_select(1, inputs)
    return kernel if outputs is None else kernel.index_select(0, outputs)


def _numel(shape: tuple[int, ...]) -> int:
    number = 1
    for side in shape:
        number *= side
    return number
