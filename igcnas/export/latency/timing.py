"""The time of a network: remembered, or measured now while nothing else is timed."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from igcnas.errors import IgcnasError
from igcnas.export.latency.measuring import Latency, measure
from igcnas.export.latency.memory import keep, key_of, key_of_text, recall
from igcnas.export.latency.quiet import WAIT, quiet
from igcnas.export.latency.running import ONNX, runner, runner_in
from igcnas.export.latency.setting import Setting
from igcnas.modules.lowering import Lowered
from igcnas.network.plan import Plan
from igcnas.system.files import naming_faults
from igcnas.system.processor import processor


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The time of one network.

    Attributes:
        setting: how it ran.
        latency: how long it took.
        version: of the runtime, with its name.
        machine: the processor, or the GPU.
        remembered: whether it was measured before, not now.
    """

    setting: Setting
    latency: Latency
    version: str
    machine: str
    remembered: bool = False

    def words(self) -> str:
        """What stands behind milliseconds: runtime, batch, threads and machine."""
        return self.setting.words_on(self.version, self.machine)


def timed(
    lowered: Lowered,
    setting: Setting,
    *,
    again: bool = False,
    made: Callable[[], Callable[[], object]] | None = None,
    **how: Any,
) -> Timing:
    """The time of a lowered network as it would be exported (`running.as_exported`).

    Args:
        lowered: the network, not folded.
        setting: how it runs.
        again: measure it although it is known.
        made: gives what is called, where somebody has made it by `running.runner` already.
        how: as in `measuring.measure`; and wait, seconds for others who time.

    Raises:
        IgcnasError: the machine lacks what the setting asks for.
    """
    setting.require()
    key = key_of(lowered.plan, setting, machine_of(setting))

    def call(folder: Path) -> Callable[[], object]:
        return runner(lowered, setting, folder) if made is None else made()

    return _timed(key, call, setting, again, how)


def known_timing(lowered: Lowered, setting: Setting) -> bool:
    """Whether `timed` would measure nothing."""
    return recall(key_of(lowered.plan, setting, machine_of(setting))) is not None


def timed_export(
    export: Path,
    shape: tuple[int, int, int],
    setting: Setting,
    *,
    network: Plan | None = None,
    again: bool = False,
    **how: Any,
) -> Timing:
    """The time of the network in the folder of an export, by the file there that the runtime takes.

    network: its lowered plan, by which it is remembered; None: by its file. Else as `timed`.
    """
    setting.require()
    file = export / {"c": "model.c", "torch": "weights.safetensors"}.get(setting.runtime, ONNX)
    if not file.is_file():
        way = f"igcnas export with --{setting.runtime}" if setting.runtime == "c" else "igcnas export"
        raise IgcnasError(f"{export} holds no {file.name}; write the folder again with {way}")
    if network is not None:
        key = key_of(network, setting, machine_of(setting))
    else:
        key = key_of_text(hashlib.sha256(file.read_bytes()).hexdigest(), setting, machine_of(setting))
    return _timed(key, lambda _folder: runner_in(export, setting, shape), setting, again, how)


def _timed(
    key: str, made: Callable[[Path], Callable[[], object]], setting: Setting, again: bool, how: dict[str, Any]
) -> Timing:
    version, machine = machine_of(setting)
    known = None if again else recall(key)
    if known is not None:
        return Timing(setting=setting, latency=known, version=version, machine=machine, remembered=True)
    with (
        naming_faults("use", tempfile.gettempdir()),
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,  # Windows keeps what is loaded
    ):
        call = made(Path(folder))
        with quiet(seconds=how.pop("wait", WAIT)) as alone:
            latency = measure(call, setting, **how)
    if not alone and latency.quiet and os.name != "nt":
        latency = replace(latency, quiet=None)
    keep(key, latency, setting, machine_of(setting))
    return Timing(setting=setting, latency=latency, version=version, machine=machine)


def present_words(setting: Setting) -> str:
    """What `Timing.words` says of this setting on this machine."""
    return setting.words_on(*machine_of(setting))


def machine_of(setting: Setting) -> tuple[str, str]:
    """The runtime with its version, and the processor or the GPU."""
    if setting.on_gpu:
        import torch

        index = int(setting.device.partition(":")[2] or 0)
        name = torch.cuda.get_device_name(index) if torch.cuda.is_available() else setting.device
    else:
        name = processor()
    return version_of(setting.runtime), name


def version_of(runtime: str) -> str:
    """A runtime with its version, as 'ONNX Runtime 1.31.1'; model.c with its compiler."""
    if runtime == "c":
        from igcnas.export.c.compiling import FLAGS, compiler, version

        command = compiler()
        digits = re.search(r"\d+(\.\d+)+", version(command).partition(") ")[2] or version(command))
        name = Path(command[0]).name + ("" if digits is None else f" {digits[0]}")
        return f"model.c by {name} {' '.join(FLAGS[:2])}"
    module = importlib.import_module({"onnx": "onnxruntime"}.get(runtime, runtime))
    number = str(module.__version__).partition("-")[0]
    return f"{ {'onnx': 'ONNX Runtime', 'openvino': 'OpenVINO', 'torch': 'torch'}[runtime] } {number}"
