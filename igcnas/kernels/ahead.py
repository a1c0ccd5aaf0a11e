"""Every kernel compiled ahead of time for a GPU that need not be there, and what its binary says.

Kernels are compiled as they are launched: with the sizes of tiles, numbers of warps and types that the rules of this
package give, and with the promises about pointers that Triton takes from the arguments. ptxas and the disassembler come
with the wheel of Triton. `python -m igcnas.kernels.ahead PATTERN` prints a row of JSON for each kernel whose label the
regular expression finds, such as "depthwise.forward 3x3, stride 1, bf16".
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from igcnas.kernels import augment, depthwise, norm, pointwise, sgd, sizes

_NAMES = {torch.bfloat16: "bf16", torch.float32: "fp32"}
_ACTIVATIONS = {"x", "g", "y", "out", "gradient", "residual", "source", "extra"}
_POINTERS = {
    **dict.fromkeys(("order", "offsets", "labels", "out_labels", "step", "source_index", "out_index", "index"), "*i64"),
    **dict.fromkeys(("images", "fill"), "*u8"),
    "flips": "*i1",
    "shadow": "*bf16",
}
_FLOATS = {"low", "high", "residual_low", "residual_high", "epsilon", "momentum", "weight_decay"}
_VECTORS = {
    *("filters", "weight", "scale", "shift", "partials", "A", "B", "C", "centre", "gain", "bias", "mean", "inverse"),
    *("running_mean", "running_variance", "residual_scale", "residual_shift", "weight_gradient", "bias_gradient"),
    *("levels", "parameters", "gradients", "momenta", "rates", "first", "second", "third"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A kernel with what is fixed when it is compiled."""

    program: str
    kernel: str
    note: str = ""
    dtype: torch.dtype = torch.bfloat16
    constants: Mapping[str, Any] = field(default_factory=dict)
    warps: int = 4

    @property
    def label(self) -> str:
        """Program, kernel, note and type."""
        return f"{self.program}.{self.kernel} {self.note}, {_NAMES[self.dtype]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """What became of it: registers a thread, bytes of stack, of shared memory, loads from memory by width in bits.

    `matrix`: instructions that a warpgroup multiplies matrices with (HGMMA).
    """

    kernel: str
    note: str
    dtype: str
    warps: int
    registers: int
    stack: int
    shared: int
    instructions: int
    loads: Mapping[int, int]
    stores: Mapping[int, int]
    matrix: int


def variants() -> Iterator[Variant]:
    """Every kernel with all that it can do at once, by what the rules of launching give."""
    for dtype in (torch.bfloat16, torch.float32):
        yield from _depthwise(dtype)
        yield from _norm(dtype)
        yield from _pointwise(dtype)
    reduction = {"PARTS": sizes.PARTS, "CHANNELS": sizes.PART_CHANNELS, "WEIGHTED": True}
    fp32: dict[str, Any] = {"dtype": torch.float32}
    yield Variant(program="norm", kernel="finish", constants=reduction | {"RUNNING": True}, **fp32)
    yield Variant(program="norm", kernel="coefficients", constants=reduction | {"CENTRED": True}, **fp32)
    columns = {"PARTS": norm.TOTAL_PARTS, "COLUMNS": norm.TOTAL_COLUMNS}
    yield Variant(program="norm", kernel="total", constants=columns, **fp32)
    batch = {"ELEMENTS": augment.ELEMENTS, "FLIP": True, "LABELS": True}
    yield Variant(program="augment", kernel="gather", constants=batch)
    yield Variant(
        program="sgd", kernel="nesterov", constants={"UNIT": 8, "SHADOW": True, "ELEMENTS": sgd.ELEMENTS}, **fp32
    )


def _depthwise(dtype: torch.dtype) -> Iterator[Variant]:
    every = {"AFFINE": True}
    flags = {
        "forward": every | {"STATISTICS": True},
        "input_grad": every | {"LAZY": True, "DERIVATIVE": True, "CENTRED": True},
        "weight_grad": every | {"LAZY": True},
    }
    for kernel in depthwise.KERNELS:
        for stride in depthwise.STRIDES:
            for name in flags:
                unroll = depthwise.unroll(name, kernel, stride)
                tile = {"UNIT": 8, "K": kernel, "STRIDE": stride, "UNROLL": unroll, "COLUMNS": depthwise.COLUMNS}
                yield Variant(
                    program="depthwise",
                    kernel=name,
                    note=f"{kernel}x{kernel}, stride {stride}",
                    dtype=dtype,
                    constants=tile | {"CHANNELS": 64} | flags[name],
                    warps=depthwise.warps(kernel, 64),
                )


def _norm(dtype: torch.dtype) -> Iterator[Variant]:
    tile = {"UNIT": 8, "ROWS": norm.ROWS, "CHANNELS": 64}
    lazy = {"AFFINE": True, "BEFORE": True, "RESIDUAL_AFFINE": True}
    for name, flags in (
        ("statistics", {}),
        ("apply", {"AFFINE": True, "ADDED": "before", "RESIDUAL_AFFINE": True}),
        ("backward_reduce", lazy | {"CENTRED": True, "STORE": True}),
        ("backward_apply", lazy),
    ):
        yield Variant(program="norm", kernel=name, dtype=dtype, constants=tile | flags, warps=norm.warps(64))


def _pointwise(dtype: torch.dtype) -> Iterator[Variant]:
    arithmetic = pointwise.arithmetic(dtype, False)
    for group in (32, 64):
        tile = {"UNIT": 8, "GROUP_UNIT": 8, **pointwise.tiles(dtype, group, group), **arithmetic}
        plain = {"SOURCE_INDEXED": False, "OUT_INDEXED": False, "INDEXED": False, "CENTRED": True}
        for name, note, flags in (
            ("product", "forward", {"TRANSPOSED": False, "KIND": "affine", "EPILOGUE": "moments", "AFFINE": False}),
            ("product", "input", {"TRANSPOSED": True, "KIND": "lazy", "EPILOGUE": "derivative", "AFFINE": True}),
            ("weight_grad", "weights", {"KIND": "affine", "GRADIENT": "lazy"}),
        ):
            yield Variant(
                program="pointwise",
                kernel=name,
                note=f"{note}, groups of {'more' if group == 64 else 'at most 32'}",
                dtype=dtype,
                constants=tile | plain | flags,
            )


def compiled(variant: Variant, capability: int = 90) -> Binary:
    """Compile for compute capability 9.0 (or another) and read the binary."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from igcnas.kernels.source.common import NUMBERS, PARAMETERS

    function = getattr(import_module(f"igcnas.kernels.source.{variant.program}"), variant.kernel)
    names = function.arg_names
    constants = {name: value for name, value in variant.constants.items() if name in names}
    types = {name: "constexpr" if name in constants else _type(name, variant, NUMBERS) for name in names}
    aligned = [name for name in names if types[name].startswith("*") and name not in PARAMETERS]
    promises = {(names.index(name),): [["tt.divisibility", 16]] for name in aligned}
    source = ASTSource(function, types, constants, promises)
    kernel = triton.compile(
        source, target=GPUTarget("cuda", capability, 32), options=sizes.launch(variant.warps) | {"num_stages": 3}
    )
    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(kernel.asm["cubin"])
        file.flush()
        usage = _output(str(tools / "cuobjdump"), "-res-usage", file.name)
        assembly = _output(str(tools / "nvdisasm"), "-c", file.name)
    found = re.search(r"REG:(\d+) STACK:(\d+) SHARED:(\d+)", usage)
    if found is None:
        raise RuntimeError(f"cuobjdump says no resources of {variant.kernel}: {usage[:200]!r}")
    instructions = re.findall(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)", assembly, re.MULTILINE)
    return Binary(
        kernel=f"{variant.program}.{variant.kernel}",
        note=variant.note,
        dtype=_NAMES[variant.dtype],
        warps=variant.warps,
        registers=int(found[1]),
        stack=int(found[2]),
        shared=kernel.metadata.shared,
        instructions=len(instructions),
        loads=_widths(instructions, "LDG"),
        stores=_widths(instructions, "STG"),
        matrix=sum("HGMMA" in instruction for instruction in instructions),
    )


def _type(name: str, variant: Variant, numbers: list[str]) -> str:
    if name == "images" and variant.program != "augment":
        return "i32"
    if name in _ACTIVATIONS:
        return f"*{_NAMES[variant.dtype]}"
    if name in _POINTERS:
        return _POINTERS[name]
    if name in _VECTORS:
        return "*fp32"
    if name in _FLOATS or (name == "count" and variant.kernel == "coefficients"):
        return "fp32"
    if name in numbers:
        return "i32"
    raise LookupError(f"{variant.program}.{variant.kernel} has an argument {name} of unknown type")


def _widths(instructions: list[str], operation: str) -> dict[int, int]:
    """How many of these instructions there are, by bits: LDG.E.128, LDG.E.U16; 32 where nothing is said."""
    counts: Counter[int] = Counter()
    for instruction in instructions:
        if instruction.split(".")[0] == operation:
            width = re.search(r"\.[US]?(8|16|64|128)(?=\.|$)", instruction)
            counts[int(width[1]) if width else 32] += 1
    return dict(sorted(counts.items(), reverse=True))


def _output(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=True)
    return run.stdout + run.stderr


if __name__ == "__main__":
    for each in variants():
        if re.search(sys.argv[1] if len(sys.argv) > 1 else "", each.label):
            sys.stdout.write(json.dumps(asdict(compiled(each))) + "\n")
