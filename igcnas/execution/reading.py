"""From a plan and the torch module of it to the steps of a program, in the order of execution."""

from __future__ import annotations

from functools import singledispatchmethod

from torch import nn

from igcnas.execution import composing
from igcnas.execution.nodes import (
    Activate,
    Append,
    Convolve,
    Gate,
    Mean,
    Node,
    Normalise,
    Permute,
    Pooling,
    Sample,
    Sum,
)
from igcnas.execution.operators import Operators
from igcnas.execution.values import COPY, Value
from igcnas.execution.weights import MadeWeight, PlainWeight, Weight
from igcnas.modules.layers.learned import GatedModule, LearnedModule, MaskedConv
from igcnas.network import primitives


def without_reading(network: nn.Module) -> list[str]:
    """Names of the classes of learned layers that have no fast execution: such a network is trained eagerly."""
    learned = [module for module in network.modules() if isinstance(module, LearnedModule) and not module.linear]
    return sorted({type(one).__name__ for one in learned if not isinstance(one, MaskedConv | GatedModule)})


class Reading:
    """Goes through a plan once. `nodes`: the steps so far. `pooled`: what the classifier reads."""

    def __init__(self, ops: Operators, network: nn.Module) -> None:
        self.ops = ops
        self.modules: dict[str, nn.Module] = dict(network.named_modules())
        self.nodes: list[Node] = []
        self.path: list[str] = []
        self.context: Mean | None = None
        self.pooled: Mean | None = None
        self.classifier = ""

    def sequence(self, layers: tuple[primitives.Layer, ...], value: Value) -> Value:
        """Layers in order."""
        place = 0
        while place < len(layers):
            run = self._composed(layers[place:])
            if len(run) > 1:
                value = self._composition(run, value)
            else:
                self.path.append(layers[place].name)
                value = self.layer(layers[place], value)
                self.path.pop()
            place += max(1, len(run))
        return value

    def _composed(self, layers: tuple[primitives.Layer, ...]) -> tuple[composing.Linear, ...]:
        """The first of these, as many as are one convolution here; several, or none."""
        run: list[composing.Linear] = []
        for layer in layers:
            linear = isinstance(layer, primitives.Permutation | primitives.Gather) or (
                isinstance(layer, primitives.Convolution) and isinstance(self._at(layer), nn.Conv2d | MaskedConv)
            )
            if not linear:
                break
            run.append(layer)  # type: ignore[arg-type]
        return composing.first(tuple(run))

    def _composition(self, run: tuple[composing.Linear, ...], value: Value) -> Value:
        layer, modules = composing.composition(run), [self._at(part) for part in run]
        weight = MadeWeight(lambda: composing.kernel(run, modules), self.ops.view)
        return self._add(Convolve(self.ops, value.use(), layer, 1, weight))

    def _at(self, layer: primitives.Layer) -> nn.Module:
        module: nn.Module = self.modules[".".join((*self.path, layer.name))]
        return module

    def _add(self, node: Node) -> Value:
        self.nodes.append(node)
        out: Value = node.out  # type: ignore[attr-defined]
        return out

    @property
    def _module(self) -> nn.Module:
        return self.modules[".".join(self.path)]

    @singledispatchmethod
    def layer(self, layer: primitives.Layer, value: Value) -> Value:
        """The steps of one layer; what comes out."""
        raise TypeError(f"a {type(layer).__name__} is not trained, and has no fast execution")

    @layer.register
    def _(self, layer: primitives.Sequence, value: Value) -> Value:
        return self.sequence(layer.layers, value)

    @layer.register
    def _(self, layer: primitives.Gated, value: Value) -> Value:
        outer, self.context = self.context, None
        value = self.sequence(layer.layers[: layer.skip], value)
        self.context = Mean(self.ops, value.use())
        self.nodes.append(self.context)
        value = self.sequence(layer.layers[layer.skip :], value)
        self.context = outer
        return value

    @layer.register
    def _(self, layer: primitives.Residual, value: Value) -> Value:
        body, shortcut = self._branch("body", layer.body, value), self._branch("shortcut", layer.shortcut, value)
        return self._add(Sum(self.ops, body.use(), shortcut.use()))

    @layer.register
    def _(self, layer: primitives.Concat, value: Value) -> Value:
        body = self._branch("body", layer.body, value)
        return self._add(Append(self.ops, (value.use(), body.use())))

    def _branch(self, name: str, layer: primitives.Sequence | primitives.Gated, value: Value) -> Value:
        self.path.append(name)
        value = self.layer(layer, value)
        self.path.pop()
        return value

    @layer.register
    def _(self, layer: primitives.Convolution, value: Value) -> Value:
        module = self._module
        weight: Weight
        if isinstance(module, GatedModule):
            return self._gated(layer, module, value)
        if isinstance(module, MaskedConv):
            weight = MadeWeight(module.masked_weight, self.ops.view)
            return self._add(Convolve(self.ops, value.use(), layer, 1, weight))
        assert isinstance(module, nn.Conv2d)
        weight = PlainWeight(module.weight, self.ops.view)
        return self._add(Convolve(self.ops, value.use(), layer, layer.groups, weight))

    def _gated(self, layer: primitives.Convolution, module: GatedModule, value: Value) -> Value:
        context = self.context
        if module.reads_own_input:
            context = Mean(self.ops, value.use())
            self.nodes.append(context)
        assert context is not None, "a gated convolution stands in a Gated sequence"
        gated = self._add(Gate(self.ops, value.use(), module, context))
        weight = PlainWeight(module.weight, self.ops.view)
        return self._add(Convolve(self.ops, gated.use(), layer, module.heads, weight))

    @layer.register(primitives.Permutation)
    @layer.register(primitives.Gather)
    def _(self, layer: primitives.Permutation | primitives.Gather, value: Value) -> Value:
        return self._add(Permute(self.ops, value.use(), layer.indices))

    @layer.register
    def _(self, layer: primitives.Norm, value: Value) -> Value:
        module = self._module
        assert isinstance(module, nn.BatchNorm2d)
        if value.code != COPY:
            value = self._stored(value)
        return self._add(Normalise(self.ops, value.use(), module))

    @layer.register
    def _(self, layer: primitives.Activation, value: Value) -> Value:
        if not value.plain:
            value = self._stored(value)
        return self._add(Activate(self.ops, value.use(), layer.kind))

    def _stored(self, value: Value) -> Value:
        """The same value with nothing pending."""
        return self._add(Append(self.ops, (value.use(),)))

    @layer.register
    def _(self, layer: primitives.Pool, value: Value) -> Value:
        return self._add(Pooling(self.ops, value.use(), layer))

    @layer.register
    def _(self, layer: primitives.PadShortcut, value: Value) -> Value:
        return self._add(Sample(self.ops, value.use(), layer))

    @layer.register
    def _(self, layer: primitives.GlobalPool, value: Value) -> Value:
        self.pooled = Mean(self.ops, value.use())
        self.nodes.append(self.pooled)
        return value

    @layer.register
    def _(self, layer: primitives.Linear, value: Value) -> Value:
        self.classifier = ".".join(self.path)
        return value
