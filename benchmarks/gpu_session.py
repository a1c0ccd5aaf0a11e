"""One command for a session on a GPU: is everything right, and how fast is it; results are written as they come.

python -m benchmarks.gpu_session --out gpu                       # under ten minutes
python -m benchmarks.gpu_session --out gpu --device cpu --tiny   # the same steps on next to nothing: the form

It needs torch, numpy, scipy, pandas, matplotlib and safetensors; what needs more (tests that import development
packages) says so and is left out. Checks first: the proof of the captured step against the eager one, and the tests
that are marked `cuda`, each file by itself. Then figures, on made-up images of 8x8 and 32x32: the copy and GEMM rates
of the device; cold trials by a loader as tutorials have it, by eager steps and by the captured one, in turns; many
trials by one process, and the memory that they leave; trials an hour of several processes at once, under MPS where it
can be started. Each part has its share of the minutes. DIR then holds gpu-session.md, which goes to
benchmarks/results, its JSON, and checks.log.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from benchmarks.speed import checks, mps
from benchmarks.speed.machine import machine, rates
from benchmarks.speed.page import write
from benchmarks.speed.session import Session
from benchmarks.speed.session_page import page
from benchmarks.speed.session_results import FULL, TINY, Results, sizes
from benchmarks.speed.variants import EAGER, GRAPH
from igcnas.errors import IgcnasError
from igcnas.training.device import resolve_device

NAME = "gpu-session"
# By when each part ends, as a share of all minutes. What a part leaves goes to those behind it.
_CHECKS, _SMALL, _MEMORY, _LARGE, _FLEETS = 0.28, 0.45, 0.57, 0.78, 0.97


def run(arguments: argparse.Namespace, words: Sequence[str] | None) -> Results:
    """All parts, in order."""
    start = time.monotonic()
    device = resolve_device(arguments.device)
    cuda = device.type == "cuda"
    scale = TINY if arguments.tiny else FULL
    results = Results(
        device=str(device), minutes=arguments.minutes, machine=machine(device), graph=GRAPH if cuda else EAGER
    )

    def keep() -> None:
        write(arguments.out, NAME, page(results, words), results.plain())

    def by(share: float) -> float:
        return start + 60 * arguments.minutes * share

    keep()
    _check(results, arguments.out / "checks.log", by(_CHECKS), proves=cuda, tiny=arguments.tiny)
    keep()
    try:
        results.rates = rates(device, small=arguments.tiny)
        if cuda:
            torch.cuda.empty_cache()
    except RuntimeError as error:  # of CUDA
        results.notes.append(f"copy and GEMM rates: {str(error).splitlines()[0]}")
    session = Session(results, scale, keep)
    small, large = results.sizes = sizes(scale)
    session.cold(small, until=by(_SMALL), trials_until=by(_MEMORY))
    session.cold(large, until=by(_LARGE))
    few, many = [n for n in scale.workers if n == 1], [n for n in scale.workers if n > 1]
    fleets = [size for size in (small, large) if size.name in scale.repeats]
    for workers, size in itertools.product(few, fleets):
        session.fleet(size, workers, mps=False, until=by(_FLEETS))
    with mps.shared(results.notes.append) if cuda else nullcontext(False) as shares:
        for workers, size in itertools.product(many, fleets):
            session.fleet(size, workers, mps=shares, until=by(_FLEETS))
    keep()
    return results


def _check(results: Results, log: Path, until: float, *, proves: bool, tiny: bool) -> None:
    """The proof and the tests, one after the other; each is said at once."""
    log.write_text("", encoding="utf-8")
    files = checks.marked()
    found = checks.run_tests(files[:1] if tiny else files, log, deadline=until)
    if proves:
        _say(results, checks.proof(log, limit=until - time.monotonic()))
    else:
        _say(results, checks.Check(name=checks.PROOF_NAME, state="skipped", found="no GPU"))
    for check in found:
        _say(results, check)


def _say(results: Results, check: checks.Check) -> None:
    results.checks.append(check)
    print(f"{check.name}: {check.state} {check.found} ({check.seconds:.0f} s)", flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """Run the session. Status 1 where a check failed or a trial did."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_session",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for what is found")
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N; cpu with --tiny (default: cuda)")
    parser.add_argument("--minutes", type=float, default=9.0, help="for everything (default: 9)")
    parser.add_argument("--tiny", action="store_true", help="next to nothing of everything, to see that it runs")
    arguments = parser.parse_args(words)
    try:
        if arguments.device == "cpu" and not arguments.tiny:
            raise IgcnasError("a session on a CPU says nothing of a GPU; --tiny shows its form")
        arguments.out.mkdir(parents=True, exist_ok=True)
        results = run(arguments, words)
    except IgcnasError as error:
        print(f"error: {error}")
        return 2
    print(page(results, words))
    return 0 if results.well else 1


if __name__ == "__main__":
    raise SystemExit(main())
