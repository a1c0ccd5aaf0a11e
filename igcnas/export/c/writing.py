"""The text of model.c: the kernels that a program needs, its tables, and one call for each operation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatchmethod
from importlib.resources import files

import numpy as np

from igcnas.export.c import tables
from igcnas.export.c.arena import Span, place
from igcnas.export.c.operations import Choose, Connect, Convolve, Numbers, Operation, Pair, Planewise
from igcnas.export.c.program import Program
from igcnas.export.c.values import Plane, spacing

_SLACK = 16  # numbers that the last vector of a copy may read too far
_NEEDED = ("vector", "sums", "border", "rows", "planes", "convolution")
_KERNELS = {"scale_planes": "scale", "add_planes": "add", "average_planes": "average", "shorten_planes": "shorten"}


@dataclass(frozen=True, slots=True)
class Source:
    """model.c without its title; the bytes of its arena, and of its weights and tables."""

    text: str
    arena_bytes: int
    constant_bytes: int


def source(program: Program, prefix: str) -> Source:
    """model.c of a program; prefix: of its public names."""
    return _Writing(program, prefix).source()


@dataclass(frozen=True, slots=True)
class _Copy:
    """What a convolution keeps for itself while it runs: copies with borders, or a strip of each channel; rows to drop
    borders from; weights.
    """

    copy: int = 0
    rows: int = 0
    scaled: int = 0

    @property
    def numbers(self) -> int:
        return self.copy + self.rows + self.scaled


class _Writing:
    def __init__(self, program: Program, prefix: str) -> None:
        self.program, self.prefix = program, prefix
        convolutions = [one for operation in program.operations for one in _convolutions(operation)]
        self.most_rows = max([16, *map(_rows, convolutions)])
        self.most_terms = max([16, *(_inputs(one) * one.kernel**2 for one in convolutions)])
        self.most_width = max([16, *(one.in_size[1] for one in convolutions)])
        self.most_places = max([16, *(_up((_pitch(one)) * one.out_size[0]) for one in convolutions)])
        self.own = [self._own(one) for one in program.operations]
        spans = lifetimes(program) + [Span(one.numbers, k, k) for k, one in enumerate(self.own)]
        offsets, size = place(spans)
        offsets, self.arena = [_SLACK + offset for offset in offsets], size + 2 * _SLACK
        self.offsets, self.own_offsets = offsets[: len(program.buffers)], offsets[len(program.buffers) :]
        self.strips: dict[Plane, int] = {}  # where the planes of a pair begin that are never whole
        self.tables: list[str] = []
        self.constants = 0
        self.used = dict.fromkeys(_NEEDED)

    def source(self) -> Source:
        """All of it."""
        calls = [self._call(one, number) for number, one in enumerate(self.program.operations)]
        paths = [one.path for one in self.program.operations]
        last = self.offsets[self.program.logits[0].buffer]
        count = len(self.program.logits)
        kernels = [_kernel(name) for name in self.used]
        parts = [
            "#include <stddef.h>",
            "#include <string.h>",
            f'\n#include "{self.prefix}.h"\n',
            f"enum {{ ARENA = {self.arena}, MOST_PLACES = {self.most_places}, MOST_TERMS = {self.most_terms},"
            f" MOST_ROWS = {self.most_rows}, MOST_WIDTH = {self.most_width} }};\n",
            "/* Every value between image and logits, and what kernels need for themselves; offsets by lifetime. */",
            "static float arena[ARENA];\n",
            *kernels,
            *(f"{table}\n" for table in self.tables),
            f"void {self.prefix}_run(const float *image, float *logits) {{",
            *(f"    {call} /* {path} */" for call, path in zip(calls, paths, strict=True)),
            f"    memcpy(logits, arena + {last}, {count} * sizeof(float));",
            "}",
        ]
        return Source("\n".join(parts) + "\n", 4 * self.arena, 4 * self.constants)

    def _own(self, operation: Operation) -> _Copy:
        if isinstance(operation, Pair):
            strided = operation.depthwise.stride > 1
            strip = len(operation.between) * _strip(operation)
            return _Copy(strip, _up(operation.rows * operation.depthwise.in_size[1] + _SLACK) if strided else 0)
        if not isinstance(operation, Convolve):
            return _Copy()
        scaled = max(one.weight.size for one in operation.groups) if operation.gates else 0
        if not _bordered(operation):
            return _Copy(scaled=scaled)
        steps = (operation.kernel - 1) // operation.stride
        plane = operation.stride**2 * (operation.out_size[0] + steps) * _pitch(operation)
        copy = _inputs(operation) * plane + _SLACK
        gaps = operation.out_size[1] % 16 or operation.stride > 1
        planes = 1 if operation.depthwise else 4
        return _Copy(_up(copy), planes * self.most_rows if gaps else 0, scaled)

    def _at(self, plane: Plane | None) -> int:
        """Where a plane begins; -1 for one of zeros."""
        if plane is None:
            return -1
        if plane in self.strips:
            return self.strips[plane]
        height, width = self.program.input_shape[1:]
        if plane.buffer < 0:  # of the image
            return plane.channel * height * width
        return self.offsets[plane.buffer] + plane.channel * self.program.buffers[plane.buffer].spacing

    def _integers(self, name: str, values: list[int]) -> str:
        """The name of a new table."""
        self.tables.append(tables.integers(name, values))
        self.constants += len(values)
        return name

    def _planes(self, name: str, planes: tuple[Plane | None, ...]) -> str:
        return self._integers(name, [self._at(plane) for plane in planes])

    def _floats(self, name: str, values: Numbers) -> str:
        self.tables.append(tables.floats(name, values))
        self.constants += values.size
        return name

    def _kernel(self, name: str) -> None:
        self.used[name] = None

    @singledispatchmethod
    def _call(self, operation: Operation, number: int) -> str:
        """The statement of an operation; notes its tables and its kernel."""
        raise TypeError(type(operation).__name__)

    @_call.register
    def _(self, operation: Convolve, number: int) -> str:
        own, start = self.own[number], self.own_offsets[number]
        layer = self._convolution(operation, f"{number}", start, start + own.copy)
        if operation.gates:
            self._kernel("gates")
            gates, scaled = self._at(operation.gates[0]), start + own.copy + own.rows
            return f"convolve_gated(&{layer}, arena + {gates}, arena + {scaled});"
        if operation.depthwise:
            for name in ("depthwise_rows", "depthwise"):
                self._kernel(name)
        return f"{'depthwise' if operation.depthwise else 'convolve'}(&{layer});"

    @_call.register
    def _(self, operation: Pair, number: int) -> str:
        start, step = self.own_offsets[number], _strip(operation)
        self.strips = {plane: start + k * step for k, plane in enumerate(operation.between)}
        first = self._convolution(operation.depthwise, f"{number}_depthwise", 0, start + self.own[number].copy)
        then = self._convolution(operation.pointwise, f"{number}", 0, 0)
        self.strips = {}
        for name in ("depthwise_rows", "pair"):
            self._kernel(name)
        return f"depthwise_and_sums(&{first}, &{then}, {operation.rows});"

    def _convolution(self, one: Convolve, name: str, copy: int, rows: int) -> str:
        """Its tables and the name of its struct. copy, rows: where it has them in the arena."""
        groups = one.groups
        inputs = tuple(p for group in (groups[:1] if one.gates else groups) for p in group.inputs)
        sizes = [n for group in groups for n in _sizes(group)]
        added = tuple(p for group in groups for p in group.added)
        fields = [
            _window(one.kernel, one.stride, one.in_size, one.out_size),
            len(groups),
            "NULL" if one.depthwise and not one.gates else self._integers(f"sizes_{name}", sizes),
            self._planes(f"inputs_{name}", inputs),
            self._planes(f"outputs_{name}", tuple(p for group in groups for p in group.outputs)),
            self._planes(f"added_{name}", added) if added else "NULL",
            self._floats(f"weights_{name}", np.concatenate([tables.blocks(group.weight) for group in groups])),
            self._floats(f"bias_{name}", np.concatenate([group.bias for group in groups])),
            one.before,
            one.after,
            copy,
            rows,
        ]
        self.tables.append(f"static const struct convolution layer_{name} = {{{', '.join(map(str, fields))}}};")
        return f"layer_{name}"

    @_call.register
    def _(self, operation: Planewise, number: int) -> str:
        inputs = self._planes(f"inputs_{number}", operation.inputs)
        others = self._planes(f"others_{number}", operation.others) if operation.others else "NULL"
        outputs = self._planes(f"outputs_{number}", operation.outputs)
        planes, pixels = f"planes_{number}", operation.size[0] * operation.size[1]
        fields = (len(operation.outputs), inputs, others, outputs, pixels, operation.kind)
        self.tables.append(f"static const struct planes {planes} = {{{', '.join(map(str, fields))}}};")
        self._kernel(_KERNELS.get(operation.function, "pool"))
        if operation.function == "scale_planes":
            assert operation.scale is not None
            assert operation.shift is not None
            scale = self._floats(f"scale_{number}", operation.scale)
            shift = self._floats(f"shift_{number}", operation.shift)
            return f"scale_planes(&{planes}, {'image' if operation.from_image else 'arena'}, {scale}, {shift});"
        if operation.function in ("add_planes", "average_planes"):
            return f"{operation.function}(&{planes});"
        window = f"window_{number}"
        text = _window(operation.kernel, operation.stride, operation.size, operation.out_size)
        self.tables.append(f"static const struct window {window} = {text};")
        if operation.function == "shorten_planes":
            return f"shorten_planes(&{planes}, &{window});"
        return f"pool_planes(&{planes}, &{window}, {int(operation.function == 'average_pool')});"

    @_call.register
    def _(self, operation: Connect, number: int) -> str:
        self._kernel("connect")
        weights = self._floats(f"weights_{number}", operation.weight)
        bias = self._floats(f"bias_{number}", operation.bias)
        ins, outs = len(operation.inputs), len(operation.outputs)
        start, end = (f"arena + {self._at(planes[0])}" for planes in (operation.inputs, operation.outputs))
        return f"connect({start}, {ins}, {end}, {outs}, {weights}, {bias}, {operation.kind});"

    @_call.register
    def _(self, operation: Choose, number: int) -> str:
        self._kernel("masks" if operation.kept is None else "saliency")
        logits, outputs = f"arena + {self._at(operation.logits[0])}", f"arena + {self._at(operation.outputs[0])}"
        count = len(operation.outputs)
        if operation.kept is None:
            attention = f"arena + {self._at(operation.attention[0])}" if operation.attention else "NULL"
            return f"mask_gates({logits}, {attention}, {outputs}, {count});"
        numbers = f"{operation.heads}, {count // operation.heads}, {operation.kept}, {int(operation.distinct)}"
        return f"salient_gates({logits}, {outputs}, {numbers});"


def lifetimes(program: Program) -> list[Span]:
    """Of each buffer: from the first operation that writes it to the last that reads or writes it."""
    end = len(program.operations) - 1
    times: list[list[int]] = [[] for _ in program.buffers]
    for number, operation in enumerate(program.operations):
        for plane in operation.reads() | operation.writes():
            times[plane.buffer].append(number)
    for plane in program.logits:
        times[plane.buffer].append(end)
    return [
        Span(buffer.numbers, min(known), max(known)) if known else Span(0, 0, 0)
        for buffer, known in zip(program.buffers, times, strict=True)
    ]


def _convolutions(operation: Operation) -> tuple[Convolve, ...]:
    """Those that run in it."""
    if isinstance(operation, Pair):
        return operation.depthwise, operation.pointwise
    return (operation,) if isinstance(operation, Convolve) else ()


def _strip(pair: Pair) -> int:
    """Numbers from a channel to the next."""
    return spacing((pair.rows, pair.depthwise.out_size[1]))


def _window(kernel: int, stride: int, size: tuple[int, int], out_size: tuple[int, int]) -> str:
    return f"{{{kernel}, {stride}, {size[0]}, {size[1]}, {out_size[0]}, {out_size[1]}}}"


def _sizes(group: object) -> tuple[int, int]:
    return len(group.inputs), len(group.outputs)  # type: ignore[attr-defined]


def _inputs(operation: Convolve) -> int:
    """Of its largest group."""
    return max(len(one.inputs) for one in operation.groups)


def _pitch(operation: Convolve) -> int:
    """Of a row of a copy with borders."""
    return operation.out_size[1] + (operation.kernel - 1) // operation.stride


def _rows(operation: Convolve) -> int:
    """Numbers of a plane before the gaps between its rows are closed."""
    if not _bordered(operation):
        return 0
    pitch = max(_pitch(operation), operation.in_size[1] * (operation.stride if operation.depthwise else 1))
    return _up(pitch * operation.out_size[0] + _SLACK)


def _bordered(operation: Convolve) -> bool:
    return operation.kernel > 1 or operation.stride > 1


def _up(number: int) -> int:
    return -(-number // 16) * 16


def _kernel(name: str) -> str:
    return files("igcnas.export.c").joinpath("kernels", f"{name}.h").read_text(encoding="utf-8")
