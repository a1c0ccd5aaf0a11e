"""The proof that captured steps are right and faster on this GPU: python -m igcnas.training.proof --device cuda

A process of its own, started by trust.py, by `igcnas doctor --check-gpu`, or by hand. Networks with every kind of layer
and grouping (specimens.py) are trained on made-up images, eagerly and captured, from equal weights; what both compute
must agree (comparing.py) in float32 and in bfloat16, and the captured steps must be faster by a twentieth at least.
Whatever goes wrong is a verdict against them, and never more than a line. The verdict is printed and kept.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial

import torch

from igcnas.errors import CaptureError, IgcnasError, MachineError
from igcnas.network.architecture import Architecture
from igcnas.training.comparing import BFLOAT16, FLOAT32, STEPS, Batch, Making, Subject, Trace, difference
from igcnas.training.device import computing, resolve_device
from igcnas.training.making import make_steps
from igcnas.training.specimens import CLASSES, FIXED, LEARNED, RECIPE, SHAPE
from igcnas.training.trust import NOT_NOW, Identity, Verdict, keep, known

# What capturing must bring: it takes memory for the tensors of the graph, and the first steps of each training longer.
LEAST_SPEEDUP = 1.05
_TIMED_STEPS, _TIMES = 50, 3
_BATCHES = 5
_NO_MEMORY = ("out of memory", "ALLOC_FAILED", "ALLOCATION_FAILED")

EAGER: Making = partial(make_steps, engine="eager", capture=False)
CAPTURED: Making = partial(make_steps, engine="fast", capture=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the proof found; speedup: None where it did not come to that."""

    captured: bool
    why: str
    speedup: float | None = None


def prove(
    device: torch.device,
    *,
    eager: Making = EAGER,
    captured: Making = CAPTURED,
    architectures: Sequence[Architecture] = (FIXED, LEARNED),
    timed_steps: int = _TIMED_STEPS,
) -> Found:
    """Compare and time. MachineError where the GPU has too little memory left just now; all else is a finding."""
    try:
        with computing(device):
            batches = made_up(device)
            for architecture in architectures:
                if wrong := _wrong(architecture, device, batches, eager, captured):
                    return Found(captured=False, why=wrong)
            speedup = _speedup(architectures, device, batches, eager, captured, timed_steps)
    except Exception as error:  # of a driver, a library, or this program: the steps of trainings would meet it, too
        first = _first(error)
        if isinstance(first, torch.OutOfMemoryError) or any(words in str(first) for words in _NO_MEMORY):
            raise MachineError(_line(first)) from error
        return Found(captured=False, why=_line(first))
    if speedup < LEAST_SPEEDUP:
        return Found(captured=False, why=f"right, but no faster than eager ({speedup:.2f} times)", speedup=speedup)
    return Found(captured=True, why=f"right, and {speedup:.1f} times as fast as eager", speedup=speedup)


def made_up(device: torch.device) -> list[Batch]:
    """Batches of noise, all different."""
    generator = torch.Generator().manual_seed(0)
    shape = (RECIPE.batch_size, *SHAPE)
    return [
        (
            torch.randn(shape, generator=generator).to(device),
            torch.randint(CLASSES, shape[:1], generator=generator).to(device),
        )
        for _ in range(_BATCHES)
    ]


def _wrong(
    architecture: Architecture, device: torch.device, batches: list[Batch], eager: Making, captured: Making
) -> str | None:
    """Where captured steps of this network differ from eager ones; None where they do not."""

    def trace(make: Making, mixed: bool) -> Trace:
        with closing(Subject(architecture, RECIPE, device, make, mixed=mixed)) as subject:
            subject.rehearse(batches)
            return subject.trace(batches)

    expected = {mixed: trace(eager, mixed) for mixed in (False, True)}
    for mixed, allowed in ((False, FLOAT32), (True, BFLOAT16)):
        wrong = difference(trace(captured, mixed), expected[mixed], expected[not mixed], allowed)
        if wrong is not None:
            return f"{wrong}, with {architecture.family} in {'bfloat16' if mixed else 'float32'}"
    return None


def _speedup(
    architectures: Sequence[Architecture],
    device: torch.device,
    batches: list[Batch],
    eager: Making,
    captured: Making,
    steps: int,
) -> float:
    """Seconds of eager steps over those of captured ones, of all networks together: medians, taken in turn."""
    totals = {"eager": 0.0, "captured": 0.0}
    for architecture in architectures:
        make = partial(Subject, architecture, RECIPE, device, mixed=True)
        with closing(make(make=eager)) as one, closing(make(make=captured)) as other:
            subjects = {"eager": one, "captured": other}
            for subject in subjects.values():
                subject.rehearse(batches)
            taken: dict[str, list[float]] = {name: [] for name in subjects}
            for _ in range(_TIMES):
                for name, subject in subjects.items():
                    taken[name].append(_seconds(subject, batches, device, steps))
            for name, seconds in taken.items():
                totals[name] += statistics.median(seconds)
    return totals["eager"] / totals["captured"]


def _seconds(subject: Subject, batches: list[Batch], device: torch.device, steps: int) -> float:
    subject.network.train()
    _wait(device)
    start = time.perf_counter()
    for number in range(steps):
        subject.step(STEPS - 1, batches[number % len(batches)])  # at the end of all schedules, where nothing changes
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _first(error: BaseException) -> BaseException:
    """What went wrong first: a device on which a capture has failed may refuse what tidies up, too."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, CaptureError):
            return found
        found = found.__context__
    return error


def _line(error: BaseException) -> str:
    """An error in one line; CUDA's are long."""
    first = (str(error).strip().splitlines() or [""])[0]
    return first[:300] if isinstance(error, IgcnasError) else f"{type(error).__name__}: {first[:300]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prove; keep; print. NOT_NOW, with the reason as the last line of stderr, where the GPU cannot be used now."""
    parser = argparse.ArgumentParser(
        prog="python -m igcnas.training.proof", description="Are captured steps right and faster on this GPU?"
    )
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--repeat", action="store_true", help="also where a verdict was kept")
    parser.add_argument("--json", action="store_true", help="print the verdict as one line of JSON")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    try:
        device = resolve_device(options.device)
        if device.type != "cuda":
            raise IgcnasError(f"--device {device} has no steps to capture; give cuda or cuda:N")
        verdict = None if options.repeat else known(device)
        if verdict is None:
            torch.zeros(1, device=device)  # what fails from here on is a finding
            identity = Identity.of(device)
            found = prove(device)
            seconds = round(time.perf_counter() - start, 1)
            verdict = Verdict(identity=identity, seconds=seconds, **asdict(found))
            keep(verdict)
    except (IgcnasError, RuntimeError) as error:
        sys.stderr.write(f"{_line(error)}\n")
        return NOT_NOW
    sys.stdout.write((json.dumps(asdict(verdict)) if options.json else told(verdict)) + "\n")
    return 0


def told(verdict: Verdict) -> str:
    """A verdict in a line."""
    kind = "captured" if verdict.captured else "step by step"
    return f"{verdict.identity.gpu}: {kind}; {verdict.why}"


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who stops it gets no traceback
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # a device that was used wrongly may break even the end of a process
