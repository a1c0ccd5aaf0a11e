"""A network in a runtime, ready to be called: the exported form of it, on images that are there already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from igcnas.errors import IgcnasError
from igcnas.export.latency.setting import Setting
from igcnas.export.onnx import INPUT, OUTPUT, write_onnx
from igcnas.modules.build import build
from igcnas.modules.first_state import first_state
from igcnas.modules.folding import fold
from igcnas.modules.lowering import Lowered, lower
from igcnas.network import primitives
from igcnas.network.architecture import Architecture
from igcnas.network.plan import Plan, plan

ONNX, MODULE = "model.onnx", "model.py"


def as_exported(lowered: Lowered) -> Lowered:
    """The network with a normalization of the image in front, as every export has it; as it is where it has one."""
    root, channels = lowered.plan.root, lowered.plan.input_shape[0]
    if isinstance(root.layers[0], primitives.Normalize):
        return lowered
    normalize = primitives.Normalize("normalize", (0.5,) * channels, (0.25,) * channels)
    return replace(lowered, plan=Plan(root._replace(layers=(normalize, *root.layers)), lowered.plan.input_shape))


def untrained(architecture: Architecture) -> Lowered:
    """A network with its first weights, as it would be exported."""
    network = plan(architecture)
    module = build(network)
    module.load_state_dict(first_state(architecture))
    return as_exported(lower(network, module.eval()))


def runner(lowered: Lowered, setting: Setting, folder: Path, *, keep: bool = True) -> Callable[[], object]:
    """What runs this network once, on the same images each time.

    Args:
        lowered: the network, not folded yet; what an export runs is `as_exported` of it.
        setting: how.
        folder: an empty one, in which files for the runtime are written; they must stay while it is called.
        keep: whether what a compiler makes of it is kept for the next time.

    Raises:
        IgcnasError: the machine lacks what the setting asks for.
    """
    setting.require()
    shape = lowered.plan.input_shape
    if setting.runtime == "torch":
        return module_runner(_module(fold(lowered)), setting, shape)
    if setting.runtime == "c":
        _write_c(folder, lowered)
    else:
        write_onnx(folder / ONNX, fold(lowered), {})
    return runner_in(folder, setting, shape, keep=keep)


def runner_in(
    folder: Path, setting: Setting, shape: tuple[int, int, int], *, keep: bool = True
) -> Callable[[], object]:
    """The same for a network whose files are in a folder already, such as that of an export; shape: of an image."""
    setting.require()
    if setting.on_gpu and setting.runtime == "onnx":
        return _bound(folder / ONNX, setting, shape)
    if setting.runtime == "torch":
        from igcnas.export.answering import module_in

        return module_runner(module_in(folder), setting, shape)
    if setting.runtime == "c":
        from igcnas.export.c.compiling import prepared

        return prepared(folder / "model.c", _images(setting, shape), keep=keep)
    from igcnas.export.answering import answering

    return partial(answering(folder, setting.runtime, setting.threads), _images(setting, shape))


def _images(setting: Setting, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((setting.batch, *shape), np.float32)


def _module(folded: Lowered) -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # build draws weights; the caller's random state is not ours
        module = build(folded.plan)
    module.load_state_dict(folded.state)
    return module.eval()


def module_runner(module: nn.Module, setting: Setting, shape: tuple[int, int, int]) -> Callable[[], object]:
    """The same for a torch module in evaluation mode, which is moved to the device; shape: of an image."""
    device = torch.device(setting.device)
    module.to(device)
    images = torch.from_numpy(_images(setting, shape)).to(device)

    def call() -> object:
        with torch.inference_mode():
            return module(images)

    return call


def _write_c(folder: Path, lowered: Lowered) -> None:
    from igcnas.export.c.exporter import write
    from igcnas.export.c.files import SOURCE
    from igcnas.export.exporters import Trained

    module = _module(lowered)
    with torch.inference_mode():
        classes = module(torch.zeros(1, *lowered.plan.input_shape)).shape[1]
    metadata = {"family": "timed", "id": "-", "macs": "0", "preparation": '{"steps": {}}'}
    names = [str(k) for k in range(classes)]
    write(
        folder / SOURCE,
        Trained(plan=lowered.plan, module=module, lowered=lowered, classes=names, metadata=metadata),
    )


def _bound(path: Path, setting: Setting, shape: tuple[int, int, int]) -> Callable[[], object]:
    """By ONNX Runtime on a GPU, where images and logits stay; a call ends when the device has."""
    import onnxruntime

    index = int(setting.device.partition(":")[2] or 0)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    provider = ("CUDAExecutionProvider", {"device_id": index})
    try:
        session: Any = onnxruntime.InferenceSession(str(path), options, providers=[provider])
    except Exception as error:  # onnxruntime raises what its parts raise
        raise IgcnasError(f"{path} does not run on {setting.device} ({str(error).splitlines()[0]})") from None
    if "CUDAExecutionProvider" not in session.get_providers():
        raise IgcnasError(f"ONNX Runtime finds no CUDA on {setting.device}; take the device cpu")
    images = onnxruntime.OrtValue.ortvalue_from_numpy(_images(setting, shape), "cuda", index)
    binding = session.io_binding()
    binding.bind_ortvalue_input(INPUT, images)
    binding.bind_output(OUTPUT, "cuda", index)

    def call() -> object:
        session.run_with_iobinding(binding)
        return binding.synchronize_outputs()

    return call
