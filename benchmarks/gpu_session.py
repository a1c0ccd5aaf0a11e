"""One command for a session on a GPU: is everything right, and how fast is it; results are written as they come.

python -m benchmarks.gpu_session --out DIR                       # under ten minutes on an H100

Correctness first: the tests that need CUDA (marked `cuda`). Then the tables: roofline, trial. Each step is a process
with a time limit of its own; one that fails or runs out of time leaves what it has, and the next one starts. DIR holds
six files at most: session.md says what ran, how long it took and how it ended, checks.log what the checks printed; a
page and its JSON for each table.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.page import table

_ROOT = Path(__file__).resolve().parent.parent
# pytest ends with 5 where no test has the mark.
_NO_TESTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One process. share: of the minutes, at most. log: the file that its output goes to; else it is thrown away."""

    name: str
    words: tuple[str, ...]
    share: float
    log: str = ""
    fine: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a step ended, after how many seconds. status None: it ran out of time."""

    step: Step
    status: int | None
    seconds: float

    @property
    def word(self) -> str:
        """For the page."""
        if self.status is None:
            return "out of time"
        return "ok" if self.status in self.step.fine else f"status {self.status}"


def steps(device: str, out: Path, *, minutes: float, tiny: bool) -> list[Step]:
    """The plan. tiny: the same steps so small that a test can run them on a CPU."""
    python = sys.executable
    data = "digits" if device == "cpu" else "synthetic-cifar"
    common = ("--device", device, "--out", str(out))
    roofline: tuple[str, ...] = ("--data", data, "--name", "roofline")
    roofline += ("--small", "--no-timing") if tiny else ("--epochs", "4", "--named", "3", "--limit", "60")
    trial: tuple[str, ...] = ("--data", data, "--name", "trial", "--no-throughput", "--epochs", "2")
    if tiny:
        trial += ("--networks", "0", "--named", "1", "--variants", "eager")
    else:
        # torch.compile takes minutes: benchmarks/README.md has a command of its own for it.
        trial += ("--networks", "4", "--named", "4", "--slow-networks", "1", "--limit", "100")
        trial += (
            "--minutes",
            f"{0.4 * minutes:.2f}",
            "--variants",
            "loader",
            "resident",
            "eager",
        )
    tests = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "cuda", "--timeout", "120")
    where = ("tests/test_speed_benchmarks.py",) if tiny else ("tests",)
    return [
        Step(name="tests on CUDA", words=(python, *tests, *where), share=0.2, log="checks.log", fine=(0, _NO_TESTS)),
        Step(name="roofline", words=(python, "-m", "benchmarks.roofline", *common, *roofline), share=0.2),
        Step(name="trial", words=(python, "-m", "benchmarks.trial", *common, *trial), share=0.5),
    ]


def run(plan: Sequence[Step], out: Path, *, minutes: float) -> list[Ended]:
    """All steps; none starts or goes on after all minutes are over."""
    out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    ended: list[Ended] = []
    for step in plan:
        left = 60 * minutes - (time.monotonic() - start)
        ended.append(one(step, out, limit=max(0.0, min(left, 60 * minutes * step.share))))
        (out / "session.md").write_text(page(ended, minutes), encoding="utf-8")
        print(f"{step.name}: {ended[-1].word}, {ended[-1].seconds:.0f} s", flush=True)
    return ended


def one(step: Step, out: Path, *, limit: float) -> Ended:
    """One step; at its limit it is ended with all that it started."""
    start = time.monotonic()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))}
    with (out / step.log if step.log else Path(os.devnull)).open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            step.words,
            cwd=_ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT if step.log else None,
            start_new_session=True,
        )
        status: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = process.wait(limit)
        if status is None:
            _end(process)
    return Ended(step=step, status=status, seconds=time.monotonic() - start)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask first, so that the step ends its own processes, which have sessions of their own; then insist."""
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def page(ended: Sequence[Ended], minutes: float) -> str:
    """What ran and how it ended."""
    rows = [[e.step.name, e.word, f"{e.seconds:.0f}", f"{60 * minutes * e.step.share:.0f}"] for e in ended]
    links = "Tables: [roofline](roofline.md), [trial](trial.md); checks: checks.log.\n"
    return f"# A session on a GPU\n\n{table(['step', 'ended', 'seconds', 'limit'], rows)}\n{links}"


def main(words: Sequence[str] | None = None) -> int:
    """Run the session. Status 1 where a step did not end well."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_session",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for what is found")
    parser.add_argument("--device", default="cuda", help="default: cuda")
    parser.add_argument("--minutes", type=float, default=9.0, help="for everything (default: 9)")
    parser.add_argument("--tiny", action="store_true", help="the same steps on next to nothing, to see that they run")
    parser.add_argument("--only", nargs="+", metavar="STEP", help="only these steps, by the first word of their names")
    arguments = parser.parse_args(words)
    out = arguments.out.resolve()
    plan = steps(arguments.device, out, minutes=arguments.minutes, tiny=arguments.tiny)
    if arguments.only:
        plan = [step for step in plan if step.name in arguments.only or step.name.split()[0] in arguments.only]
    ended = run(plan, out, minutes=arguments.minutes)
    return 0 if all(e.word == "ok" for e in ended) else 1


if __name__ == "__main__":
    raise SystemExit(main())
