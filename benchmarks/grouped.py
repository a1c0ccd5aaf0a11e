"""Where is a group convolution slower in ONNX Runtime than the same layer with larger groups, or dense?

Chains of four convolutions with ReLU, batch 1, one thread; all forms of one shape in turns, median of the times.

    python -m benchmarks.grouped > benchmarks/results/grouped.md
"""

from __future__ import annotations

import itertools
import platform
import statistics
import time
from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

CHANNELS, SIZES, KERNELS = (16, 32, 64, 128, 256), (4, 8, 16, 32), (1, 3)
LAYERS, SECONDS, ROUNDS = 4, 0.004, 15
LARGEST = 3e8  # multiply-accumulates of a dense chain; more takes too long to be worth a row


def chain(channels: int, size: int, kernel: int, groups: int) -> onnxruntime.InferenceSession:
    """Four such convolutions, each with a ReLU."""
    random = np.random.default_rng(0)
    weights, nodes, before = [], [], "x"
    for layer in range(LAYERS):
        shape = (channels, channels // groups, kernel, kernel)
        weight = random.standard_normal(shape).astype(np.float32) / np.sqrt(channels // groups * kernel * kernel)
        weights.append(numpy_helper.from_array(weight.astype(np.float32), f"w{layer}"))
        options = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4, "group": groups}
        nodes += [
            helper.make_node("Conv", [before, f"w{layer}"], [f"c{layer}"], **options),
            helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]),
        ]
        before = f"r{layer}"
    shape = [1, channels, size, size]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", before)]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def times(channels: int, size: int, kernel: int) -> dict[int, float]:
    """Microseconds of one convolution by the number of groups."""
    choices = [groups for groups in (1, 2, 4, 8, 16, 32, 64, 128) if channels // groups >= 2]
    sessions = {groups: chain(channels, size, kernel, groups) for groups in choices}
    feed = {"x": np.random.default_rng(1).standard_normal((1, channels, size, size)).astype(np.float32)}
    repeats = {}
    for groups, session in sessions.items():
        session.run(None, feed)
        start = time.perf_counter()
        session.run(None, feed)
        repeats[groups] = max(1, int(SECONDS / (time.perf_counter() - start)))
    found: dict[int, list[float]] = {groups: [] for groups in choices}
    for _ in range(ROUNDS):
        for groups, session in sessions.items():
            start = time.process_time()
            for _ in range(repeats[groups]):
                session.run(None, feed)
            found[groups].append((time.process_time() - start) / repeats[groups] / LAYERS * 1e6)
    return {groups: statistics.median(taken) for groups, taken in found.items()}


def rows() -> Iterator[str]:
    """Of the table."""
    for kernel, channels, size in itertools.product(KERNELS, CHANNELS, SIZES):
        if LAYERS * (kernel * channels * size) ** 2 > LARGEST:
            continue
        taken = times(channels, size, kernel)
        ratios = " | ".join(f"{taken[g] / taken[1]:.2f}" if g in taken else "" for g in (2, 4, 8, 16, 32, 64, 128))
        yield f"| {kernel} | {channels} | {size} | {taken[1]:.1f} | {ratios} |"


def main() -> None:
    """Print the page."""
    print("# Group convolutions in ONNX Runtime, by the size of their groups\n")
    print(f"ONNX Runtime {onnxruntime.__version__}, {platform.processor() or platform.machine()}, one thread, batch 1.")
    print("Time of a convolution with G groups as a part of the dense one's (us). `python -m benchmarks.grouped`\n")
    print("| kernel | channels | size | dense, us | G = 2 | 4 | 8 | 16 | 32 | 64 | 128 |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for row in rows():
        print(row, flush=True)


if __name__ == "__main__":
    main()
