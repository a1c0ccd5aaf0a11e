"""The option that says how a training computes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from igcnas.errors import StudyError
from igcnas.system.reading import as_kind, read_json
from igcnas.training.settings import ENGINES

if TYPE_CHECKING:
    import torch

AUTO = "auto"


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Define the option."""
    parser.add_argument(
        "--engine",
        choices=(AUTO, *ENGINES),
        default=AUTO,
        help="fast: on a CPU igcnas's own kernels, in one thread, compiled at their first use, which differ from stock "
        "PyTorch by rounding alone; on CUDA the step of stock PyTorch captured in a CUDA graph, where a check on this "
        "GPU, made once, found that right and faster. eager: stock PyTorch, step by step. auto: what the study or "
        "training was begun with, else fast; eager for several processes (default: %(default)s)",
    )


def chosen_engine(asked: str, *, begun: str | None, processes: int = 1) -> str:
    """The engine that the option means; `begun`: that of the study or training so far."""
    if asked != AUTO:
        return asked
    return begun or ("fast" if processes == 1 else "eager")


def before_training(
    engine: str,
    *,
    asked: str,
    device: str,
    devices: Iterable[str] = (),
    processes: int = 1,
    output: TextIO | None = None,
    at_once: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> bool | None:
    """What is to be known and done before the first training of this engine on this type of device.

    asked: the option --device. devices: all that train, where there are several. processes: that train together.
    at_once: in which a signal is not held back (Stop.at_once): compiling loses nothing where one cuts it off.
    Says that a GPU cannot be used; compiles the CPU kernels where that is not done yet; checks captured steps on a GPU
    where that is not done yet, and says what is chosen. Returns whether steps are captured, for workers; None where
    that is no question.
    """
    output = output or sys.stdout
    if device != "cpu":
        return _before_cuda(devices or (asked,), output) if engine == "fast" and processes == 1 else None
    if asked == "auto":
        from igcnas.system import gpu

        if gpu.driver_version() is not None:  # else torch need not be asked
            from igcnas.training.device import unused_gpu

            if (why := unused_gpu()) is not None:
                print(f"warning: {why}. Training on the CPU", file=output, flush=True)
    if engine == "fast":
        _compile(output, at_once)
    return None


def _before_cuda(devices: Iterable[str], output: TextIO) -> bool:
    """Whether steps are captured: where that is trusted on every kind of GPU that trains."""
    from igcnas.system import again
    from igcnas.training import trust
    from igcnas.training.device import describe, resolve_device

    def say(text: str) -> None:
        print(f"engine    {text}", file=output, flush=True)

    if (reason := again.reason()) is not None:
        say(f"eager steps, because {reason}")
        return False
    verdicts = []
    for device in trust.one_of_each(resolve_device(name) for name in devices):
        name = describe(device)
        if trust.known(device) is None:
            say(f"checking captured steps on {name}, once, some seconds")
        verdict = trust.proved(device)
        verdicts.append(verdict)
        if verdict.captured:
            say(f"captured steps on {name}: {verdict.why}")
        else:
            say(f"eager steps on {name}; captured ones: {verdict.why} (igcnas doctor --check-gpu tries again)")
    captured = all(verdict.captured for verdict in verdicts)
    if len(verdicts) > 1 and not captured and any(verdict.captured for verdict in verdicts):
        say("eager steps on all of them, so that networks are trained alike")
    return captured


def _compile(output: TextIO, at_once: Callable[[], AbstractContextManager[None]]) -> None:
    from igcnas.execution.cpu.mark import can_be_kept, is_compiled

    if is_compiled():
        return
    if can_be_kept():
        from igcnas.execution.cpu.compiling import compile_all

        # Each kernel is on disk as soon as it is compiled: the next call goes on behind it.
        print(
            "compiling the CPU kernels, once, about 40 s; Ctrl-C stops, the same command goes on",
            file=output,
            flush=True,
        )
        with at_once():
            compile_all()
    else:
        print("no folder for the CPU kernels can be written: each process compiles them, about 40 s", file=output)


def engine_in_words(engine: str, devices: Iterable[torch.device]) -> str:
    """For records: on CUDA also whether steps of the fast engine are captured."""
    from igcnas.training.trust import captured_here

    gpus = [device for device in devices if device.type == "cuda"]
    if engine != "fast" or not gpus:
        return engine
    return f"fast, {'captured' if all(map(captured_here, gpus)) else 'eager'} steps"


def begun_engine(path: Path, *keys: str) -> str | None:
    """The engine in the settings.json of a study or training, under these keys; None where there is none to read.

    Settings without an engine are from before there were two.
    """
    try:
        found = read_json(path, dict[str, Any], advice="restore it")
        for key in keys:
            found = as_kind(found.get(key), dict[str, Any], where=str(path), advice="restore it")
    except StudyError:  # whoever opens the study or training says so
        return None
    engine = found.get("engine", "eager")
    return engine if engine in ENGINES else None
