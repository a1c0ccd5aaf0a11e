"""From a lowered plan to a program: norms, activations, sums and permutations become part of the convolutions.

Norms are folded in float64 and rounded once. A convolution takes up what follows it while nothing else reads the values
between: permutations (the order of its outputs), norms, activations, and the sum of a residual whose other part is
there already, into whose planes it writes where nothing else needs them. What no convolution takes up is a pass over
planes. Outputs that nothing reads are left out. Last, a depthwise convolution and the 1x1 behind it become one pass
(pairs.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from igcnas.export.c.gates import gated
from igcnas.export.c.groups import groups_of
from igcnas.export.c.operations import LINEAR, RELU, RELU6, Connect, Convolve, Group, Numbers, Operation, Planewise
from igcnas.export.c.pairs import paired
from igcnas.export.c.values import Buffer, Plane, Value, buffers, planes
from igcnas.modules.lowering import EPSILON, Lowered
from igcnas.network import primitives
from igcnas.network.flow import Append, Mean, Step, Sum, consumers, flow
from igcnas.network.primitives import Size

KINDS = {"relu": RELU, "relu6": RELU6}


@dataclass(frozen=True, slots=True)
class Program:
    """Operations in order, the buffers that they write, and where the logits are at the end."""

    operations: tuple[Operation, ...]
    buffers: tuple[Buffer, ...]
    logits: Value
    input_shape: tuple[int, int, int]


def program(lowered: Lowered) -> Program:
    """The program of a network without learned layers."""
    state = {name: tensor.double().numpy() for name, tensor in lowered.state.items()}
    made = _Making(flow(lowered.plan), state, lowered.plan.input_shape)
    made.run()
    logits = made.in_a_row(made.values[len(made.steps)])
    operations = paired(_without_unread(made.operations, logits), logits)
    return Program(operations, tuple(made.buffers), logits, lowered.plan.input_shape)


class _Making:
    """Goes through the steps once. `values`: the planes of each value that is made; `done`: steps that are."""

    def __init__(self, steps: tuple[Step, ...], state: dict[str, Numbers], input_shape: tuple[int, int, int]) -> None:
        self.steps, self.state, self.readers = steps, state, consumers(steps)
        self.operations: list[Operation] = []
        self.buffers: list[Buffer] = []
        self.values: dict[int, Value] = {}
        self.done: set[int] = set()
        self._image(input_shape)

    def run(self) -> None:
        """Every step that no earlier one took up."""
        for number in range(len(self.steps)):
            if number not in self.done:
                self._step(number)

    def in_a_row(self, value: Value) -> Value:
        """Numbers as all of one vector in its order: as they are, or copied."""
        held = self.buffers[value[0].buffer]
        if held.vector and value == planes(value[0].buffer, held.planes):
            return value
        made, one = self._new(len(value), (1, 1), vector=True), np.ones(len(value))
        self.operations.append(
            Planewise(
                path="logits",
                function="scale_planes",
                inputs=value,
                outputs=made,
                size=(1, 1),
                scale=one,
                shift=0 * one,
            )
        )
        return made

    def _image(self, input_shape: tuple[int, int, int]) -> None:
        """Copy the image, normalized where the first step says so."""
        channels, height, width = input_shape
        value, scale, shift = 0, np.ones(channels), np.zeros(channels)
        first = self.steps[0].operation
        if isinstance(first, primitives.Normalize):
            mean, std = np.array(first.mean), np.array(first.std)
            value, scale, shift = 1, 1 / std, -mean / std
            self.done.add(0)
        self.values[value] = self._new(channels, (height, width))
        self.operations.append(
            Planewise(
                path="image",
                function="scale_planes",
                inputs=planes(-1, channels),
                outputs=self.values[value],
                size=(height, width),
                scale=scale,
                shift=shift,
                from_image=True,
            )
        )

    def _new(self, count: int, size: Size, vector: bool = False) -> Value:
        self.buffers.append(Buffer(count, size, vector))
        return planes(len(self.buffers) - 1, count)

    def _step(self, number: int) -> None:
        step = self.steps[number]
        given = [self.values[value] for value in step.inputs]
        match step.operation:
            case primitives.Convolution() | primitives.SplitConvolution() | primitives.GatedConvolution():
                self._convolution(number, given)
                return
            case primitives.Permutation() | primitives.Gather():
                made: Value = tuple(given[0][k] for k in step.operation.indices)
            case Append():
                made = given[0] + given[1]
            case primitives.Norm():
                scale, shift = self._norm(step.path)
                self._pass(number, "scale_planes", given, scale=scale, shift=shift)
                return
            case Sum():
                self._pass(number, "add_planes", given)
                return
            case primitives.Activation():
                kind = KINDS[step.operation.kind]
                one = np.ones(len(given[0]))
                self._pass(number, "scale_planes", given, scale=one, shift=0 * one, kind=kind)
                return
            case primitives.GlobalPool() | Mean():
                made = self._mean(step, given[0])
            case primitives.Linear():
                made = self._linear(step, given[0])
            case primitives.Pool() | primitives.PadShortcut():
                made = self._window(step, given[0])
            case _:
                raise TypeError(f"no C for {type(step.operation).__name__}")
        self._finish(number, made)

    def _finish(self, number: int, made: Value) -> None:
        self.values[number + 1] = made
        self.done.add(number)

    def _norm(self, path: str) -> tuple[Numbers, Numbers]:
        names = ("weight", "bias", "running_mean", "running_var")
        weight, bias, mean, variance = (self.state[f"{path}.{name}"] for name in names)
        scale = weight / np.sqrt(variance + EPSILON)
        return scale, bias - mean * scale

    def _pass(
        self,
        number: int,
        function: str,
        given: list[Value],
        *,
        scale: Numbers | None = None,
        shift: Numbers | None = None,
        kind: str = LINEAR,
    ) -> None:
        """A norm, a sum or an activation by itself, with the activation that follows."""
        step = self.steps[number]
        chain = {number}
        if kind == LINEAR and (following := self._following(number)) is not None:
            operation = self.steps[following].operation
            if isinstance(operation, primitives.Activation):
                kind = KINDS[operation.kind]
                chain.add(following)
        place = given[0]
        crossed = len(given) > 1 and set(given[0]) & set(given[1])  # the same planes in another order
        if not self._free(place, chain, number) or len(set(place)) < len(place) or crossed:
            vector = all(self.buffers[plane.buffer].vector for plane in place)
            place = self._new(len(place), step.shape.size, vector)
        self.operations.append(
            Planewise(
                path=step.path,
                function=function,
                inputs=given[0],
                others=given[1] if len(given) > 1 else (),
                outputs=place,
                size=step.shape.size,
                scale=scale,
                shift=shift,
                kind=kind,
            )
        )
        self.done |= chain
        self._finish(max(chain), place)

    def _following(self, number: int) -> int | None:
        """The one step that reads the value of this one; None where several do, or none."""
        readers = self.readers[number + 1]
        return readers[0] if len(readers) == 1 else None

    def _free(self, value: Value, chain: set[int], number: int) -> bool:
        """Whether no step but those of the chain reads the buffers of a value from step `number` on."""
        held = buffers(value)
        return not any(
            reader >= number and reader not in chain
            for other, made in self.values.items()
            if held & buffers(made)
            for reader in self.readers[other]
        ) and not held & buffers(self.values.get(len(self.steps), ()))

    def _convolution(self, number: int, given: list[Value]) -> None:
        """A convolution with all that it can take up."""
        step = self.steps[number]
        layer = step.operation
        assert isinstance(layer, primitives.Convolution | primitives.SplitConvolution | primitives.GatedConvolution)
        gates: Value = ()
        if isinstance(layer, primitives.GatedConvolution):
            context = given[1] if len(given) > 1 else self._mean(step, given[0])
            operations, gates = gated(layer, step.path, self.state, context, self._new)
            self.operations += operations
        weights, biases = groups_of(layer, step.path, self.state)
        count = sum(map(len, biases))
        scale, shift = np.ones(count), np.concatenate(biases)
        order = list(range(count))  # the output behind each channel of the last value that is taken up
        before = after = LINEAR
        added: Value = ()
        last, chain = number, {number}
        while (following := self._following(last)) is not None:
            operation = self.steps[following].operation
            whole = sorted(order) == list(range(count))
            match operation:
                case primitives.Permutation() | primitives.Gather():
                    order = [order[k] for k in operation.indices]
                case primitives.Norm() if whole and before == LINEAR and not added:
                    a, b = self._norm(self.steps[following].path)
                    scale[order], shift[order] = scale[order] * a, shift[order] * a + b
                case primitives.Activation() if not added and before == LINEAR:
                    before = KINDS[operation.kind]
                case primitives.Activation() if added and after == LINEAR:
                    after = KINDS[operation.kind]
                case Sum() if whole and not added and (other := self._other(following, last)) is not None:
                    added = tuple(other[order.index(k)] for k in range(count))
                case _:
                    break
            last = following
            chain.add(following)
        read = {plane for value in given for plane in value}
        if (
            added
            and len(set(added)) == count
            and not buffers(added) & buffers(read)
            and self._free(added, chain, number)
        ):
            outputs = added  # the sum is made in place
        else:
            outputs = self._new(count, step.shape.size)
        groups, at_in, at_out = [], 0, 0
        for weight, bias in zip(weights, biases, strict=True):
            outs = slice(at_out, at_out + len(bias))
            ins = slice(at_in, at_in + weight.shape[1])
            source = given[0] if gates else given[0][ins]
            groups.append(
                Group(
                    inputs=source,
                    outputs=outputs[outs],
                    weight=weight * scale[outs, None, None, None],
                    bias=shift[outs],
                    added=added[outs],
                )
            )
            at_in, at_out = at_in + weight.shape[1], outs.stop
        kernel, stride = getattr(layer, "kernel", 1), getattr(layer, "stride", 1)
        self.operations.append(
            Convolve(
                path=step.path,
                kernel=kernel,
                stride=stride,
                in_size=layer.in_size,
                out_size=step.shape.size,
                groups=tuple(groups),
                before=before,
                after=after,
                gates=gates,
            )
        )
        self.done |= chain
        self._finish(last, tuple(outputs[k] for k in order))

    def _other(self, number: int, value_step: int) -> Value | None:
        """What a sum adds to the value of a step, where that is there already."""
        others = [value for value in self.steps[number].inputs if value != value_step + 1]
        return self.values.get(others[0]) if len(others) == 1 else None

    def _mean(self, step: Step, given: Value) -> Value:
        """Of each plane over its pixels."""
        made = self._new(len(given), (1, 1), vector=True)
        size = self.buffers[given[0].buffer].size
        self.operations.append(
            Planewise(path=step.path, function="average_planes", inputs=given, outputs=made, size=size)
        )
        return made

    def _linear(self, step: Step, given: Value) -> Value:
        """Columns of the weight go where the inputs lie: an order, or a choice, of inputs costs nothing."""
        assert isinstance(step.operation, primitives.Linear)
        held = buffers(given)
        if len(held) != 1 or not self.buffers[given[0].buffer].vector:
            raise TypeError(f"{step.path} reads no means")
        count = self.buffers[given[0].buffer].planes
        weight = self.state[f"{step.path}.weight"]
        placed = np.zeros((len(weight), count))
        for column, plane in enumerate(given):
            placed[:, plane.channel] += weight[:, column]
        bias = self.state[f"{step.path}.bias"] if step.operation.bias else np.zeros(len(weight))
        made = self._new(len(weight), (1, 1), vector=True)
        self.operations.append(
            Connect(path=step.path, inputs=planes(given[0].buffer, count), outputs=made, weight=placed, bias=bias)
        )
        return made

    def _window(self, step: Step, given: Value) -> Value:
        """Pooling, or the shortcut without parameters."""
        layer = step.operation
        made = self._new(step.shape.channels, step.shape.size)
        inputs: tuple[Plane | None, ...] = given
        if isinstance(layer, primitives.PadShortcut):
            before = (layer.out_channels - layer.in_channels) // 2
            after = layer.out_channels - layer.in_channels - before
            inputs, function, kernel = (None,) * before + given + (None,) * after, "shorten_planes", 1
        else:
            assert isinstance(layer, primitives.Pool)
            function, kernel = f"{layer.kind}_pool", layer.kernel
        self.operations.append(
            Planewise(
                path=step.path,
                function=function,
                inputs=inputs,
                outputs=made,
                size=layer.in_size,
                kernel=kernel,
                stride=layer.stride,
                out_size=step.shape.size,
            )
        )
        return made


def _without_unread(operations: list[Operation], logits: Value) -> tuple[Operation, ...]:
    """From the last to the first: what nothing reads is not made."""
    alive = set(logits)
    kept: list[Operation] = []
    for operation in reversed(operations):
        if (needed := operation.needed(alive)) is not None:
            alive = (alive - needed.writes()) | needed.reads()
            kept.append(needed)
    return tuple(replace(one) for one in reversed(kept))
