"""Does it pay to round unequal groups to multiples of 16? Time of one 1x1 convolution in ONNX Runtime and torch.

python -m benchmarks.split_sizes

256 to 256 channels in 5 groups, which do not divide them, on 16x16 pixels, one image, one thread: as drawn (free),
nearly equal, and rounded to 8 and to 16; beside them 8 equal groups as a split and as one group convolution. A time is
the smallest of many, over that of the dense convolution in the same engine.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from igcnas.export.onnx import write_onnx
from igcnas.modules.build import build
from igcnas.modules.lowering import lower
from igcnas.network.grouping import LearnedGrouping
from igcnas.network.plan import Plan
from igcnas.network.primitives import Convolution, Layer, Sequence, SplitConvolution

CHANNELS, PIXELS, REPEATS = 256, 16, 400
SIZE = (PIXELS, PIXELS)


def fastest(run: Callable[[], object]) -> float:
    """Milliseconds of the fastest of REPEATS runs: the machine may be busy."""
    for _ in range(20):
        run()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def measure(layer: Layer) -> tuple[float, float]:
    """Milliseconds in torch and in ONNX Runtime."""
    network = Plan(Sequence("", (layer,)), (CHANNELS, PIXELS, PIXELS))
    module, image = build(network).eval(), torch.rand(1, *network.input_shape)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.onnx"
        write_onnx(path, lower(network, module), {})
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (name,) = (each.name for each in session.get_inputs())
    with torch.inference_mode():
        return fastest(lambda: module(image)), fastest(lambda: session.run(None, {name: image.numpy()}))


def sizes(grouping: LearnedGrouping) -> list[int]:
    """Sizes of balanced groups of all channels."""
    found = grouping.sizes(CHANNELS)
    assert found is not None
    return list(found)


def main() -> None:
    """Measure and print a table."""
    torch.set_num_threads(1)
    drawn = np.random.default_rng(0).multinomial(CHANNELS, [1 / 5] * 5).tolist()
    splits = {"5 groups, as drawn": drawn}
    splits |= {f"5 groups, multiples of {m}": sizes(LearnedGrouping(groups=5, multiple=m)) for m in (1, 8, 16)}
    splits["8 equal groups, split"] = sizes(LearnedGrouping(groups=8))
    layers: dict[str, SplitConvolution | Convolution] = {
        name: SplitConvolution("conv", tuple(each), tuple(each), SIZE) for name, each in splits.items()
    }
    layers["8 equal groups, one convolution"] = Convolution("conv", CHANNELS, CHANNELS, 1, 1, 8, SIZE)
    dense = measure(Convolution("conv", CHANNELS, CHANNELS, 1, 1, 1, SIZE))
    print("| groups | sizes | MACs over dense | torch over dense | ONNX Runtime over dense |\n|---|---|---|---|---|")
    for name, layer in layers.items():
        torch_ms, onnx_ms = measure(layer)
        shown = " ".join(map(str, splits.get(name, [32] * 8)))
        share = layer.connections / CHANNELS**2
        print(f"| {name} | {shown} | {share:.3f} | {torch_ms / dense[0]:.2f} | {onnx_ms / dense[1]:.2f} |")


if __name__ == "__main__":
    main()
