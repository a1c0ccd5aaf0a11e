"""One readable Python file, torch alone, that builds and loads one network: the model.py of an exported folder."""

from __future__ import annotations

import inspect
from collections.abc import Sequence as Items
from functools import singledispatch

from torch import nn

from igcnas.data.preparation import (
    FORMATS,
    LONGEST,
    ORIENTATION,
    Preparation,
    cover,
    opaque,
    open_picture,
    orientation,
    scaled_box,
    upright,
    upright_size,
)
from igcnas.modules.layers import (
    Add,
    AppendChannels,
    GatedSequential,
    GatherChannels,
    GlobalAveragePool,
    NormalizeInput,
    PadChannels,
    SplitConv,
    gated_arguments,
    gated_class,
)
from igcnas.network import primitives
from igcnas.network.plan import Plan

_WIDTH = 120
_HELPERS: dict[type, type[nn.Module]] = {
    primitives.Normalize: NormalizeInput,
    primitives.Permutation: GatherChannels,
    primitives.Gather: GatherChannels,
    primitives.SplitConvolution: SplitConv,
    primitives.GlobalPool: GlobalAveragePool,
    primitives.Residual: Add,
    primitives.Concat: AppendChannels,
    primitives.PadShortcut: PadChannels,
    primitives.Gated: GatedSequential,
}
_PREPARING = (Preparation, open_picture, orientation, upright_size, upright, opaque, cover, scaled_box)
_TOP = 5
_ACTIVATIONS = {"relu": "nn.ReLU()", "relu6": "nn.ReLU6()"}

_TEMPLATE = '''#!/usr/bin/env python3
"""{title}

{macs:,} multiply-accumulates for one image (convolutions and linear layers), {params:,} parameters.

Input: float32 images (batch, {channels}, {height}, {width}), pixel / 255, so values in [0, 1]; normalization is inside.
Output: logits (batch, {num_classes}); the class of column k is CLASSES[k].

    import model
    network = model.load()  # weights.safetensors beside this file
    logits = network(images)

    python model.py PICTURE...  # the most probable classes of each

Needs torch and the standard library, and Pillow for pictures. Names of layers are the names of the tensors in
weights.safetensors. Shapes: x_BCHW is (batch, channels, height, width).
"""

import argparse
import json
import math
import struct
import sys
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import torch
from torch import nn

if TYPE_CHECKING:
    from PIL import Image

CLASSES = (
{classes}
)
INPUT_SHAPE = ({channels}, {height}, {width})
TEMPERATURE = {temperature!r}  # probabilities are the softmax of logits / TEMPERATURE

WEIGHTS = Path(__file__).with_name("weights.safetensors")

# How a picture becomes an image: the code that decoded the pictures of the training.
FORMATS = {formats}
LONGEST, ORIENTATION = {longest}, {orientation}


{preparing}


PREPARATION = {preparation}


class Network(nn.Sequential):
    """The layers in order. What is not a batch of images is refused, but for networks that are compiled or traced."""

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits (B, classes)."""
        if not torch.jit.is_scripting():
            if not torch.jit.is_tracing() and not torch.compiler.is_compiling():
                check(images_BCHW)
        x = images_BCHW
        for layer in self:
            x = layer(x)
        return x


def check(images: torch.Tensor) -> None:
    """ValueError, of one line, for what this network was not trained on."""
    rule = "give float images (batch, {channels}, {height}, {width}), pixel / 255"
    if tuple(images.shape[1:]) != INPUT_SHAPE:
        raise ValueError(f"images of shape {{tuple(images.shape)}} do not fit; {{rule}}")
    if not images.is_floating_point():
        raise ValueError(f"images are {{images.dtype}}; {{rule}}")
    if images.numel():
        low, high = (float(value) for value in torch.aminmax(images.detach()))
        if not (low >= 0.0 and high <= 1.0):
            raise ValueError(f"images have values from {{low:.4g}} to {{high:.4g}}, outside [0, 1]; {{rule}}")


{helpers}


def build() -> Network:
    """The network with random weights."""
    return {network}


def load(path: str | Path = WEIGHTS) -> Network:
    """The trained network, ready for inference."""
    network = build()
    network.load_state_dict(read_safetensors(path))
    return network.eval()


def read_safetensors(path: str | Path) -> dict[str, torch.Tensor]:
    """Tensors by name: 8 bytes with the length of a JSON header, the header, the bytes of all tensors."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    dtypes = {{"F32": torch.float32, "I64": torch.int64}}
    tensors = {{}}
    for name, entry in header.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(data[start:end]), dtype=dtypes[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def read_picture(file: str | Path | BinaryIO) -> torch.Tensor:
    """Pixels of a picture as the network takes them: uint8 (channels, height, width). Needs Pillow."""
    with open_picture(file) as image:
        picture = PREPARATION.apply(image)
        flat = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return flat.view(INPUT_SHAPE[1], INPUT_SHAPE[2], INPUT_SHAPE[0]).permute(2, 0, 1).contiguous()


def probabilities(network: nn.Module, pixels_BCHW: torch.Tensor) -> torch.Tensor:
    """Of each class, (B, classes), for uint8 pixels."""
    with torch.inference_mode():
        return (network(pixels_BCHW / 255) / TEMPERATURE).softmax(1)


def reason_of(error: Exception) -> str:
    """Why a picture cannot be read, in a few words."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if type(error).__name__ == "UnidentifiedImageError":  # of Pillow
        return "no picture, or of an unknown format"
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return " ".join(text.split()) or type(error).__name__


def main() -> int:
    """Say what pictures show; 1 where some cannot be read."""
    parser = argparse.ArgumentParser(description="Names the most probable classes of pictures.")
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="a picture, or - for one on standard input")
    parser.add_argument("--top", type=int, default={top}, metavar="N", help="so many classes (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.top < 1:
        parser.error(f"--top {{arguments.top}} must be 1 or more")
    try:
        network, bad = load(), 0
    except OSError as error:
        parser.error(f"{{WEIGHTS}} cannot be read ({{error.strerror or error}}): it belongs beside this file")
    for name in arguments.pictures:
        if name != "-" and Path(name).is_dir():
            print(f"{{name}}: is a folder; igcnas predict takes folders", file=sys.stderr)
            bad = 1
            continue
        try:
            pixels = read_picture(sys.stdin.buffer if name == "-" else name)
        except ModuleNotFoundError as error:
            parser.error(f"pictures need Pillow ({{error}}): pip install pillow")
        except Exception as error:  # the decoders raise anything
            print(f"{{name}}: cannot be read ({{reason_of(error)}})", file=sys.stderr)
            bad = 1
            continue
        found = probabilities(network, pixels[None])[0].topk(min(arguments.top, len(CLASSES)))
        answers = zip(found.indices.tolist(), found.values.tolist(), strict=True)
        print(f"{{name}}: {{', '.join(f'{{CLASSES[k]}} {{share:.2%}}' for k, share in answers)}}")
    return bad


if __name__ == "__main__":
    sys.exit(main())
'''


def model_source(
    network: Plan,
    *,
    title: str,
    classes: Items[str],
    macs: int,
    params: int,
    preparation: Preparation | None = None,
    temperature: float | None = None,
) -> str:
    """Text of the file. `network` consists of plain primitives; `title` is the first line of its docstring.

    preparation: how a picture becomes its input; None for that of the shape alone.
    """
    channels, height, width = network.input_shape
    preparation = preparation or Preparation(channels, height, width)
    return _TEMPLATE.format(
        title=_quoted(title),
        macs=macs,
        params=params,
        channels=channels,
        height=height,
        width=width,
        num_classes=len(classes),
        classes="\n".join(_wrap([ascii(name) for name in classes], 4)),
        temperature=1.0 if temperature is None else temperature,
        formats=repr(FORMATS).replace("'", '"'),
        longest=LONGEST,
        orientation=hex(ORIENTATION),
        preparing="\n\n\n".join(inspect.getsource(one).rstrip() for one in _PREPARING),
        preparation=repr(preparation).replace("'", '"'),
        helpers="\n\n\n".join(_helpers(network)),
        network="\n".join(_lines(network.root, 4)).strip().replace("nn.Sequential(", "Network(", 1),
        top=min(_TOP, len(classes)),
    )


def _quoted(text: str) -> str:
    """Text that cannot end the docstring it stands in."""
    return ascii(text)[1:-1].replace('"', "'")


def _helpers(network: Plan) -> list[str]:
    """Source of the classes that torch does not have, each once, in the order of first use."""
    used: dict[type[nn.Module], None] = {}
    stack: list[primitives.Layer] = [network.root]
    while stack:
        layer = stack.pop()
        helper = _HELPERS.get(type(layer))
        if isinstance(layer, primitives.GatedConvolution):
            helper = gated_class(layer)
        if helper is not None:
            used[helper] = None
        stack.extend(child for _, child in reversed(primitives.branches(layer) or ()))
    return [inspect.getsource(cls).rstrip() for cls in used]


def _wrap(items: list[str], indent: int) -> list[str]:
    """Items with a comma after each, as many on a line as fit; textwrap would break class names at their blanks."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) + 2 <= _WIDTH:
            lines[-1] += f" {item},"
        else:
            lines.append(f"{' ' * indent}{item},")
    return lines


@singledispatch
def _lines(layer: primitives.Layer, indent: int) -> list[str]:
    """Lines of an expression that makes the layer's module; one implementation for each primitive."""
    raise TypeError(f"no source for {type(layer).__name__}")


@_lines.register
def _(layer: primitives.Sequence, indent: int) -> list[str]:
    if not layer.layers:
        return [" " * indent + "nn.Sequential()"]
    lines = [" " * indent + "nn.Sequential(OrderedDict(["]
    for child in layer.layers:
        value = _lines(child, indent + 4)
        value[0] = f'{" " * (indent + 4)}("{child.name}", {value[0].lstrip()}'
        value[-1] += "),"
        lines += value
    return [*lines, " " * indent + "]))"]


@_lines.register
def _(layer: primitives.Gated, indent: int) -> list[str]:
    lines = _lines(primitives.Sequence(layer.name, layer.layers), indent)
    lines[0] = lines[0].replace("nn.Sequential(", "GatedSequential(", 1)
    if layer.skip:
        lines[-1] = f"{lines[-1][:-1]}, skip={layer.skip})"
    return lines


@_lines.register
def _(layer: primitives.Residual, indent: int) -> list[str]:
    body, shortcut = (_lines(branch, indent + 4) for branch in (layer.body, layer.shortcut))
    body[-1] += ","
    shortcut[-1] += ","
    return [" " * indent + "Add(", *body, *shortcut, " " * indent + ")"]


@_lines.register
def _(layer: primitives.Concat, indent: int) -> list[str]:
    return [" " * indent + "AppendChannels(", *_lines(layer.body, indent + 4), " " * indent + ")"]


@_lines.register
def _(layer: primitives.Pool, indent: int) -> list[str]:
    if layer.kind == "max":
        return [f"{' ' * indent}nn.MaxPool2d({layer.kernel}, {layer.stride}, padding={layer.kernel // 2})"]
    return [f"{' ' * indent}nn.AvgPool2d({layer.kernel}, {layer.stride}, ceil_mode=True)"]


@_lines.register
def _(layer: primitives.PadShortcut, indent: int) -> list[str]:
    return [f"{' ' * indent}PadChannels({layer.in_channels}, {layer.out_channels}, {layer.stride})"]


@_lines.register
def _(layer: primitives.Convolution, indent: int) -> list[str]:
    if layer.learned is not None:
        raise TypeError(f"layer {layer.name} is still learned; lower the network first")
    options = f", stride={layer.stride}" if layer.stride != 1 else ""
    options += f", padding={layer.kernel // 2}" if layer.kernel > 1 else ""
    options += f", groups={layer.groups}" if layer.groups != 1 else ""
    options += "" if layer.bias else ", bias=False"
    return [f"{' ' * indent}nn.Conv2d({layer.in_channels}, {layer.out_channels}, {layer.kernel}{options})"]


@_lines.register
def _(layer: primitives.GatedConvolution, indent: int) -> list[str]:
    named = list(gated_arguments(layer).items())
    arguments = ", ".join([*(str(value) for _, value in named[:3]), *(f"{name}={value}" for name, value in named[3:])])
    return [f"{' ' * indent}{gated_class(layer).__name__}({arguments})"]


@_lines.register
def _(layer: primitives.SplitConvolution, indent: int) -> list[str]:
    bias = ", bias=True" if layer.bias else ""
    return [f"{' ' * indent}SplitConv({list(layer.in_groups)}, {list(layer.out_groups)}{bias})"]


@_lines.register
def _(layer: primitives.Permutation, indent: int) -> list[str]:
    rows = layer.channels // layer.groups
    return [f"{' ' * indent}GatherChannels([k * {rows} + i for i in range({rows}) for k in range({layer.groups})])"]


@_lines.register
def _(layer: primitives.Gather, indent: int) -> list[str]:
    numbers = _wrap([str(index) for index in layer.indices], indent + 4)
    return [" " * indent + "GatherChannels([", *numbers, " " * indent + "])"]


@_lines.register
def _(layer: primitives.Normalize, indent: int) -> list[str]:
    return [f"{' ' * indent}NormalizeInput({list(layer.mean)}, {list(layer.std)})"]


@_lines.register
def _(layer: primitives.Norm, indent: int) -> list[str]:
    return [f"{' ' * indent}nn.BatchNorm2d({layer.channels})"]


@_lines.register
def _(layer: primitives.Activation, indent: int) -> list[str]:
    return [" " * indent + _ACTIVATIONS[layer.kind]]


@_lines.register
def _(layer: primitives.GlobalPool, indent: int) -> list[str]:
    return [" " * indent + "GlobalAveragePool()"]


@_lines.register
def _(layer: primitives.Linear, indent: int) -> list[str]:
    options = "" if layer.bias else ", bias=False"
    return [f"{' ' * indent}nn.Linear({layer.in_features}, {layer.out_features}{options})"]
