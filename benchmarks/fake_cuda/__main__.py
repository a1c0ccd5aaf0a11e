"""Trains on CUDA tensors that are not there, and says what every operation of a step was.

python -m benchmarks.fake_cuda DEVICE_LIBRARY < networks.json

The library is device.cpp, compiled. Each network is an architecture with its recipe; two epochs of each are trained
(forward pass, autograd, optimizer, metrics, evaluation) under FakeTensorMode, and a line of JSON is printed: operations
and reads of the host, in a step and around it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

found = importlib.util.find_spec("torch")
assert found is not None
assert found.origin is not None
# Before torch is imported, which asks once for all whether there is a GPU.
ctypes.CDLL(str(Path(found.origin).parent / "lib" / "libtorch_cpu.so"), mode=ctypes.RTLD_GLOBAL)
ctypes.CDLL(sys.argv[1])

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch._subclasses import fake_tensor  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from igcnas.data.dataset import Dataset, Split  # noqa: E402
from igcnas.network.architecture import Architecture  # noqa: E402
from igcnas.network.plan import plan  # noqa: E402
from igcnas.training.engine import Engine  # noqa: E402
from igcnas.training.recipes import Recipe, short_recipe  # noqa: E402
from igcnas.training.settings import TrainingSettings  # noqa: E402
from igcnas.training.tensors import TrainingData  # noqa: E402

aten = torch.ops.aten
_BATCH, _IMAGES = 16, 43
_SIZES = (_BATCH, 11)  # batches of training and of evaluation
# They make another tensor of the same memory, or none.
_NO_LAUNCH = {
    aten.view, aten._unsafe_view, aten.reshape, aten.permute, aten.transpose, aten.t, aten.unsqueeze, aten.squeeze,
    aten.expand, aten.slice, aten.select, aten.split, aten.split_with_sizes, aten.unbind, aten.detach, aten.alias,
    aten.as_strided, aten.empty, aten.empty_like, aten.new_empty, aten.empty_strided, aten.diagonal, aten.lift_fresh,
    aten._reshape_alias, aten.detach_, aten.chunk, aten.narrow, aten.view_as,
}  # fmt: skip


class Watch(TorchDispatchMode):
    """What is asked of the device, by where it is asked: 'step', 'around' it, 'answer' and others."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.where = "before"
        self.launches: dict[str, Counter[str]] = {}
        self.reads: Counter[str] = Counter()
        self.copies: dict[str, list[str]] = {}
        self.layouts: dict[str, list[str]] = {}
        self.types: dict[str, set[str]] = {}

    def within(self, where: str, compute: Callable[..., Any]) -> Callable[..., Any]:
        """The same function; what it asks of the device is counted there."""

        def watched(*given: Any) -> Any:
            outside, self.where = self.where, where
            result = compute(*given)
            self.where = outside
            return result

        return watched

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket in (aten._local_scalar_dense, aten.item):
            self.reads[self.where] += 1
            return 0.5 if args[0].is_floating_point() else 1
        out = func(*args, **kwargs)
        name = str(func)
        if func.namespace != "aten" or name == "aten.promote_types.default":
            return out
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        made = [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        if func.overloadpacket not in _NO_LAUNCH:
            self.launches.setdefault(self.where, Counter())[name] += 1
        if given and not (func.overloadpacket is aten.convolution and given[0].ndim != 4):
            self.types.setdefault(name, set()).add(str(given[0].dtype))
        if any(tensor.device.type == "cpu" for tensor in (*given, *made)):
            self.copies.setdefault(self.where, []).append(name)
        maps = [tensor for tensor in given if tensor.ndim == 4 and is_map(tensor)]
        if maps and func.overloadpacket not in _NO_LAUNCH:
            for tensor in made:
                if tensor.ndim == 4 and is_map(tensor) and not last(tensor) and any(last(one) for one in maps):
                    self.layouts.setdefault(self.where, []).append(name)
        if func.overloadpacket in (aten.convolution, aten.convolution_backward):
            wrong = [tensor for tensor in maps if not last(tensor)]
            self.layouts.setdefault(self.where, []).extend([f"{name} of a contiguous map"] * len(wrong))
        return out


def is_map(tensor: torch.Tensor) -> bool:
    """Images or activations of a batch, where layouts differ at all."""
    return len(tensor) in _SIZES and tensor.shape[1] > 1 and tensor.shape[2] > 1


def last(tensor: torch.Tensor) -> bool:
    """Whether channels are innermost; also in a part of the channels, as the gradient of a concatenation is one."""
    return tensor.stride(1) == 1


class Watched:
    """Steps that say where they are."""

    def __init__(self, steps: Any, watch: Watch) -> None:
        self.kind, self.optimizer = steps.kind, steps.optimizer
        self.step, self.answer = watch.within("step", steps.step), watch.within("answer", steps.answer)
        self.set_rate, self.close = watch.within("rate", steps.set_rate), steps.close


def moved(network: nn.Module, *to: Any, memory_format: torch.memory_format = torch.preserve_format) -> nn.Module:
    """nn.Module.to, which cannot exchange the memory of fake parameters: new ones."""
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            layout = memory_format if parameter.ndim == 4 else torch.preserve_format
            setattr(module, name, nn.Parameter(parameter.detach().to(*to or (parameter.device,), memory_format=layout)))
        for name, buffer in module.named_buffers(recurse=False):
            module._buffers[name] = buffer.to(*to or (buffer.device,))
    return network


class NoStream:
    """A stream of a device that is not there."""

    def __init__(self, *_: Any) -> None:
        pass

    def wait_stream(self, _other: Any) -> None:
        """Nothing to wait for."""


def pretend() -> None:
    """What torch's Python asks before it believes in a GPU."""
    replaced: list[tuple[Any, str, Any]] = [
        (fake_tensor, "init_gpu_context", nothing()),
        # torch.tensor(..., device="cuda") must not try to make a real one.
        (fake_tensor.FakeTensorMode, "avoid_device_init", property(lambda _self: True)),
        # One read of the host, whatever the length.
        (fake_tensor.FakeTensor, "tolist", lambda self: [self.sum().item()] * len(self)),
        (nn.Module, "to", moved),
        (torch.cuda, "is_available", lambda: True),
        (torch.cuda, "is_bf16_supported", lambda *_, **__: True),
        (torch.cuda, "Stream", NoStream),
        (torch.cuda, "current_stream", NoStream),
        (torch.cuda, "stream", lambda _stream: nullcontext()),
        (torch._C, "_cuda_clearCublasWorkspaces", nothing()),
    ]
    replaced += [
        (torch.cuda, name, nothing()) for name in ("_lazy_init", "manual_seed_all", "synchronize", "empty_cache")
    ]
    for owner, name, replacement in replaced:
        setattr(owner, name, replacement)
    for overload in ("_fused_sgd_", "_fused_sgd_.tensor_lr"):  # it has no form for tensors without data
        torch.library.impl(f"aten::{overload}", "Meta")(nothing())


def nothing() -> Callable[..., None]:
    """A function for which there is nothing to do; each time another, because torch keeps books on its functions."""
    return lambda *_, **__: None


def images(shape: tuple[int, int, int]) -> Dataset:
    """Made-up ones."""

    def split(count: int) -> Split:
        return Split(images=np.zeros((count, *shape), np.uint8), labels=np.arange(count, dtype=np.int64) % 10)

    classes = tuple("0123456789")
    return Dataset(name="made-up", classes=classes, train=split(_IMAGES), load_test=lambda: split(10), flip=True, pad=2)


def trained(architecture: Architecture, recipe: Recipe) -> dict[str, Any]:
    """All epochs of a recipe, as a line."""
    watch = Watch()
    dataset = images(architecture.input_shape)
    with fake_tensor.FakeTensorMode(allow_non_fake_inputs=True), watch:
        data = TrainingData.split(
            dataset, torch.device("cuda:0"), fraction=0.25, seed=0, augmentation=recipe.augmentation
        )
        engine = Engine(plan(architecture), data, recipe, seed=1, capture=False, detailed=True)
        engine.steps = Watched(engine.steps, watch)
        for name in ("begin_step", "finish"):
            setattr(engine.grouping_loss, name, watch.within("schedule", getattr(engine.grouping_loss, name)))
        watch.where = "around"
        engine.run()
    steps = engine.steps_per_epoch * recipe.epochs
    return {
        "steps": steps,
        "epochs": recipe.epochs,
        "launches": {place: sum(counted.values()) for place, counted in watch.launches.items()},
        "operations": {name: count / steps for name, count in watch.launches.get("step", Counter()).most_common()},
        "reads": dict(watch.reads),
        "stages": sum(getattr(module, "factor", 0) for module in engine.network.modules()),
        "types": {name: sorted(types) for name, types in watch.types.items()},
        "copies": watch.copies,
        "layouts": watch.layouts,
    }


def main() -> None:
    """One line a network."""
    pretend()
    for row in json.load(sys.stdin):
        architecture = Architecture.from_json(row["architecture"])
        recipe = short_recipe(TrainingSettings(epochs=2, batch_size=_BATCH))
        if "recipe" in row:
            recipe = Recipe.from_dict(row["recipe"]).adapted(epochs=2, batch_size=_BATCH)
        sys.stdout.write(json.dumps(trained(architecture, recipe)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
