"""Do fewer operations take less time? Exported networks on one thread: ONNX Runtime, OpenVINO, and model.c.

python -m benchmarks.exported --out benchmarks/results

All forms of all networks take turns in one process, so that a machine that slows down slows all of them; the figure is
the best of the repeats, and the median stands beside it. It is processor time of this process, all its threads: on one
thread that of the clock, less the time that other programs had the core. Every form is first held against torch. The
ratios are to the dense network of the same shape in the faster of the runtimes that others made. OpenVINO takes part
where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from benchmarks.speed.machine import describe, machine
from benchmarks.speed.page import command, number, table, write
from igcnas.export.c.compiling import FLAGS, compiled, compiler
from igcnas.export.c.exporter import write as write_c
from igcnas.export.exporters import Trained
from igcnas.export.onnx import INPUT, write_onnx
from igcnas.modules.build import build
from igcnas.modules.first_state import first_state
from igcnas.modules.folding import fold
from igcnas.modules.lowering import Lowered, lower
from igcnas.network import cost, primitives
from igcnas.network.literature import family
from igcnas.network.plan import Plan, plan

# Name: the network, the dense one that it is compared with, and its goal as a part of that one's time (or None).
NETWORKS: dict[str, tuple[str, str, float | None]] = {
    "mobilenetv2": ("mobilenetv2", "mobilenetv2", None),
    "flgc-mobilenetv2, 8 equal groups": ("flgc-mobilenetv2 balanced=true", "mobilenetv2", 0.72),
    "flgc-mobilenetv2, 8 groups of any size": ("flgc-mobilenetv2", "mobilenetv2", 0.72),
    "igcv3-D": ("igcv3", "mobilenetv2", 1.05),
    "msgc on mobilenetv2": ("msgc host=mobilenetv2-cifar dataset=cifar", "mobilenetv2", None),
    "regconv W16 D20": ("regconv width=16 depth=20", "regconv W16 D20", None),
    "igc L24M2 D20": ("igc L=24 M=2 depth=20", "regconv W16 D20", 0.9),
    "condensenet-86": ("condensenet", "condensenet-86", None),
    "16 dense 1x1, 256 to 256, 16x16": ("chain 1", "16 dense 1x1, 256 to 256, 16x16", None),
    "16 learned 1x1, 8 equal groups": ("chain 8", "16 dense 1x1, 256 to 256, 16x16", 0.125 * 1.25),
    "16 learned 1x1, 8 groups of any size": ("chain 8 any", "16 dense 1x1, 256 to 256, 16x16", 0.125 * 1.25),
}
C, ONNX, OPENVINO = "model.c", "ONNX Runtime", "OpenVINO"
_GEMM = 384  # rows and columns of the matrices of the rate


@dataclass(slots=True)
class Timing:
    """Seconds of one call in each repeat."""

    seconds: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The least."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The one in the middle."""
        return statistics.median(self.seconds)


@dataclass(slots=True)
class Measured:
    """One network: multiply-accumulates, the largest difference of each form to torch, and times by form and batch."""

    macs: int
    errors: dict[str, float]
    times: dict[tuple[str, int], Timing]


def main() -> None:
    """Measure; write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS), metavar="NAME")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--repeats", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    about = machine(torch.device("cpu"))
    measured, gemm = measure(arguments.networks, arguments.batches, arguments.repeats)
    for name, one in measured.items():
        print(name, one.macs, one.errors, {key: f"{1e3 * t.best:.3f} ms" for key, t in one.times.items()})
    text = page(measured, gemm, about, arguments.batches, arguments.repeats)
    write(arguments.out, "exported", text, plain(measured, gemm, about))


def measure(names: list[str], batches: list[int], repeats: int) -> tuple[dict[str, Measured], float]:
    """All networks in turns; multiply-accumulates a second of a product of matrices, its best, among them."""
    found: dict[str, Measured] = {}
    calls: dict[tuple[str, str, int], Callable[[], object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number_, name in enumerate(names):
            place = Path(folder, str(number_))
            place.mkdir()
            lowered = lowered_of(NETWORKS[name][0])
            module = loaded(lowered)
            forms = forms_of(lowered, module, place)
            images = torch.rand(max(batches), *lowered.plan.input_shape)
            with torch.inference_mode():
                expected = module(images).numpy()
            largest = max(1.0, float(np.abs(expected).max()))
            errors = {
                form: float(np.abs(run(images.numpy()) - expected).max()) / largest for form, run in forms.items()
            }
            print(name, lowered.plan.input_shape, errors, flush=True)
            found[name] = Measured(cost.count_plan(lowered.plan).macs, errors, {})
            for form, run in forms.items():
                for batch in batches:
                    calls[name, form, batch] = partial(run, np.ascontiguousarray(images[:batch].numpy()))
        a, b = torch.rand(2, _GEMM, _GEMM).unbind()
        product = torch.empty_like(a)
        ways = {repr(key): call for key, call in calls.items()}
        ways["gemm"] = lambda: torch.mm(a, b, out=product)
        times = in_turns(ways, repeats)
    for (name, form, batch), call_name in zip(calls, ways, strict=False):
        found[name].times[form, batch] = times[call_name]
    return found, _GEMM**3 / times["gemm"].best


def in_turns(ways: dict[str, Callable[[], object]], repeats: int, least: float = 0.005) -> dict[str, Timing]:
    """Time every way `repeats` times, in turns; each time as many calls as fill `least` seconds, one at least."""
    found = {name: Timing() for name in ways}
    counts = dict.fromkeys(ways, 1)
    for repeat in range(repeats + 1):  # the first one warms up, and says how many calls
        for name, call in ways.items():
            start = time.process_time()
            for _ in range(counts[name]):
                call()
            seconds = (time.process_time() - start) / counts[name]
            if repeat == 0:
                counts[name] = max(1, round(least / max(seconds, 1e-6)))
            else:
                found[name].seconds.append(seconds)
    return found


def lowered_of(words: str) -> Lowered:
    """A network with first weights, normalized inside, as an export lowers it."""
    name, *parameters = words.split()
    if name == "chain":
        return chain(int(parameters[0]), equal=len(parameters) == 1)
    architecture = family(name).from_text(parameters)
    inner = plan(architecture)
    channels = architecture.input_shape[0]
    normalize = primitives.Normalize("normalize", (0.5,) * channels, (0.25,) * channels)
    whole = Plan(primitives.Sequence(inner.root.name, (normalize, *inner.root.layers)), inner.input_shape)
    module = build(whole).eval()
    module.load_state_dict(first_state(architecture))
    return lower(whole, module)


def chain(groups: int, *, equal: bool, channels: int = 256, side: int = 16, layers: int = 16) -> Lowered:
    """1x1 convolutions with a permutation at random between them, as learned groups have; then the mean."""
    draw = np.random.default_rng(0)
    size = (side, side)
    row: list[primitives.Layer] = []
    for k in range(layers):
        if groups == 1 or equal:
            layer = primitives.Convolution(f"conv{k}", channels, channels, 1, 1, groups, size)
            row.append(layer)
        else:
            ins, outs = (draw.multinomial(channels, [1 / groups] * groups) for _ in range(2))
            row.append(primitives.SplitConvolution(f"conv{k}", tuple(map(int, ins)), tuple(map(int, outs)), size))
        if groups > 1:
            row.append(primitives.Gather(f"order{k}", tuple(map(int, draw.permutation(channels)))))
        row.append(primitives.Activation(f"act{k}", "relu", channels, size))
    row.append(primitives.GlobalPool("pool", channels, size))
    whole = Plan(primitives.Sequence("chain", tuple(row)), (channels, side, side))
    torch.manual_seed(0)
    return Lowered(whole, build(whole).state_dict(), {})


def loaded(lowered: Lowered) -> nn.Module:
    """The torch module of a lowered network."""
    module = build(lowered.plan).eval()
    module.load_state_dict(lowered.state)
    return module


def forms_of(lowered: Lowered, module: nn.Module, folder: Path) -> dict[str, Callable[[Any], Any]]:
    """What runs the network, by name: from images to logits, one thread."""
    trained = Trained(
        plan=lowered.plan,
        module=module,
        lowered=lowered,
        classes=[str(k) for k in range(module(torch.zeros(1, *lowered.plan.input_shape)).shape[1])],
        metadata={"family": "measured", "id": "-", "macs": "0", "preparation": '{"steps": {}}'},
    )
    write_onnx(folder / "model.onnx", fold(lowered), {})
    write_c(folder / "model.c", trained)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    forms: dict[str, Callable[[Any], Any]] = {ONNX: lambda images: session.run(None, {INPUT: images})[0]}
    if importlib.util.find_spec("openvino") is not None:
        import openvino

        settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        network = openvino.Core().compile_model(str(folder / "model.onnx"), "CPU", settings)
        request = network.create_infer_request()
        forms[OPENVINO] = lambda images: request.infer([images])[0]
    forms[C] = compiled(folder / "model.c")
    return forms


def page(measured: dict[str, Measured], gemm: float, about: dict[str, Any], batches: list[int], repeats: int) -> str:
    """Markdown."""
    parts = [
        "# Exported networks: MACs and time\n",
        command("benchmarks.exported"),
        describe(about),
        f"One thread. ONNX Runtime {onnxruntime.__version__}{_openvino()}; model.c by {Path(compiler()[0]).name} "
        f"{' '.join(FLAGS)}. A product of matrices of {_GEMM} x {_GEMM} (torch.mm) reaches {2e-9 * gemm:.0f} GFLOP/s "
        f"in the same turns. Processor time: the best of {repeats} turns, the median behind it; other programs were "
        "running. MAC ratio and time ratio are to the dense network in the faster of the runtimes of others.\n",
    ]
    for batch in batches:
        parts += [f"## Batch {batch}\n", table(HEAD, rows(measured, gemm, batch))]
    parts.append("Largest difference to torch, as a part of max(1, largest logit): " + _errors(measured) + ".\n")
    return "\n".join(parts)


HEAD = ("network", "form", "ms", "median", "MAC ratio", "time ratio", "goal", "GFLOP/s", "of GEMM")


def rows(measured: dict[str, Measured], gemm: float, batch: int) -> list[list[str]]:
    """One for each form of each network."""
    found = []
    for name, one in measured.items():
        _, dense, goal = NETWORKS[name]
        reference = measured.get(dense)
        for (form, size), timing in one.times.items():
            if size != batch:
                continue
            seconds = timing.best / batch
            row = [name, form, number(1e3 * timing.best), number(1e3 * timing.median)]
            if reference is None:
                row += ["-", "-"]
            else:
                others = [t.best for (f, b), t in reference.times.items() if b == batch and f != C]
                row += [f"{one.macs / reference.macs:.3f}", f"{timing.best / min(others):.3f}"]
            row += [f"{goal:.3f}" if goal is not None and form == C else "", number(2e-9 * one.macs / seconds, 2)]
            found.append([*row, f"{100 * one.macs / seconds / gemm:.0f} %"])
    return found


def _errors(measured: dict[str, Measured]) -> str:
    forms = {form for one in measured.values() for form in one.errors}
    return ", ".join(f"{form} {max(one.errors[form] for one in measured.values()):.1e}" for form in sorted(forms))


def _openvino() -> str:
    if importlib.util.find_spec("openvino") is None:
        return ", OpenVINO not installed"
    import openvino

    return f", OpenVINO {openvino.__version__.partition('-')[0]}"


def plain(measured: dict[str, Measured], gemm: float, about: dict[str, Any]) -> dict[str, Any]:
    """For JSON."""
    return {
        "machine": about,
        "gemm_macs_per_second": gemm,
        "networks": {
            name: {
                "macs": one.macs,
                "errors": one.errors,
                "seconds": {
                    f"{form}, batch {batch}": {"best": t.best, "median": t.median}
                    for (form, batch), t in one.times.items()
                },
            }
            for name, one in measured.items()
        },
    }


if __name__ == "__main__":
    main()
