"""By what, and on what, a network is timed. No torch: settings of a study hold one."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass

from igcnas.errors import IgcnasError, unknown_name
from igcnas.system.checks import require_positive
from igcnas.units import counted

RUNTIMES = ("c", "onnx", "openvino", "torch")
TITLES = {"c": "model.c", "onnx": "ONNX Runtime", "openvino": "OpenVINO", "torch": "torch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One way to run a network.

    Attributes:
        runtime: one of RUNTIMES.
        batch: images of one call.
        threads: of the runtime, on a CPU.
        device: 'cpu', 'cuda' or 'cuda:N'.
    """

    runtime: str = "onnx"
    batch: int = 1
    threads: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        """IgcnasError for what no machine can do."""
        if self.runtime not in RUNTIMES:
            raise IgcnasError(unknown_name("runtime", self.runtime, RUNTIMES))
        require_positive(batch=self.batch, threads=self.threads)
        if not re.fullmatch(r"cpu|cuda(:\d+)?", self.device):
            raise IgcnasError(f"networks are not timed on the device {self.device!r}; known: cpu, cuda, cuda:N")
        if self.runtime == "c" and self.threads != 1:
            raise IgcnasError(f"model.c has one thread, not {self.threads}; leave the threads out, or take onnx")
        if self.on_gpu and self.runtime in ("c", "openvino"):
            raise IgcnasError(f"{TITLES[self.runtime]} is timed on the cpu, not on {self.device}; take onnx or torch")

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device != "cpu"

    @property
    def title(self) -> str:
        """The runtime as people call it."""
        return TITLES[self.runtime]

    def require(self) -> None:
        """IgcnasError, in one line with the way out, where this machine cannot do it."""
        if self.runtime == "c":
            from igcnas.export.c.compiling import compiler

            compiler()
        elif self.runtime == "openvino":
            from igcnas.export.answering import require_openvino

            require_openvino()
        elif self.on_gpu:
            _require_gpu(self)

    def words(self) -> str:
        """What stands beside milliseconds.

        >>> Setting().words()
        'ONNX Runtime, batch 1, 1 thread, CPU'
        >>> Setting(runtime="torch", batch=32, device="cuda").words()
        'torch, batch 32, CUDA'
        """
        where = self.device.upper() if self.on_gpu else f"{counted(self.threads, 'thread')}, CPU"
        return f"{self.title}, batch {self.batch}, {where}"

    def words_on(self, version: str, machine: str) -> str:
        """The same of a version of the runtime on a machine.

        >>> Setting().words_on("ONNX Runtime 1.31.1", "AMD EPYC")
        'ONNX Runtime 1.31.1, batch 1, 1 thread, AMD EPYC'
        """
        where = self.words().removeprefix(self.title).removesuffix(f", {self.device.upper()}")
        return f"{version}{where}, {machine}"


def _require_gpu(setting: Setting) -> None:
    import torch

    index = int(setting.device.partition(":")[2] or 0)
    if setting.runtime == "torch" and (not torch.cuda.is_available() or index >= torch.cuda.device_count()):
        devices = counted(torch.cuda.device_count() if torch.cuda.is_available() else 0, "CUDA device")
        raise IgcnasError(f"torch cannot be timed on {setting.device}: it sees {devices} here; take the device cpu")
    if setting.runtime == "onnx":
        import onnxruntime

        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise IgcnasError(
                f"onnx cannot be timed on {setting.device}: this onnxruntime has no CUDAExecutionProvider; install "
                "onnxruntime-gpu in its place, or take the device cpu"
            )


def is_installed(runtime: str) -> bool:
    """Whether this machine can run networks by it, on a CPU."""
    if runtime != "c":
        return importlib.util.find_spec({"onnx": "onnxruntime"}.get(runtime, runtime)) is not None
    from igcnas.export.c.compiling import compiler

    try:
        compiler()
    except IgcnasError:
        return False
    return True
