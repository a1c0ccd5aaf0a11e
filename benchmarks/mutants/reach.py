"""Which lines of a part each of its tests reaches, and how long it takes.

Each test runs in a fork of its own, so that nothing is reached only by the first that asks (a cache, a shared fixture).
Lines that another process runs are not seen: a test that starts one counts as reaching every line.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.mutants.changes import Mutant
from benchmarks.mutants.parts import modules, test_files
from benchmarks.mutants.processes import allow, forked, share
from benchmarks.mutants.tests import Tests, with_tests

_Lines = set[tuple[str, int]]
_NEVER = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """seconds: of each test, under the tracer. lines: that it reaches; None: any. loading: lines that imports reach."""

    seconds: dict[str, float]
    lines: dict[str, _Lines | None]
    loading: _Lines

    def tests(self, mutant: Mutant, *, longest: float) -> list[str]:
        """Those that could see it, the fastest first, none that takes longer."""
        every = sorted((name for name, took in self.seconds.items() if took <= longest), key=self.seconds.__getitem__)
        if self.is_loaded(mutant):
            return every
        changed = {(mutant.module, line) for line in range(mutant.first, mutant.last + 1)}
        return [name for name in every if self.lines[name] is None or changed & self.lines[name]]

    def is_loaded(self, mutant: Mutant) -> bool:
        """Whether imports already run it."""
        return not mutant.function or any((mutant.module, line) in self.loading for line in mutant.lines)


def reach(part: str, copied: Path, *, longest: float = math.inf, like: Sequence[str] = ("",)) -> Reach:
    """Run the tests of the part, each at the most for `longest` seconds of a processor; SystemExit where one fails.

    like: those alone whose name has one of these texts.
    """
    out = copied.parent / "reach.jsonl"
    out.unlink(missing_ok=True)
    paths = {str(copied / module): module for module in modules(part, copied)}

    def work() -> bool:
        with traced(paths) as loading:
            return with_tests(copied, test_files(part), lambda tests: some(tests, loading.copy()))

    def some(tests: Tests, loading: _Lines) -> bool:
        names = [name for name in tests.names if any(text in name for text in like)]
        return _each(tests, names, loading, paths, out, longest)

    if forked(work, seconds=_NEVER) != "done":
        raise SystemExit(f"a test of {part} fails as it is: {' '.join(test_files(part))}")
    loading, *each = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    found = Reach(
        seconds={one["test"]: one["seconds"] for one in each},
        lines={one["test"]: None if one["spawns"] else _pairs(one["lines"]) for one in each},
        loading=_pairs(loading),
    )
    if not any(found.lines.values()):
        raise SystemExit(f"no test of {part} reaches a line of it: another copy of the repository was imported")
    return found


def _each(
    tests: Tests, names: Sequence[str], loading: _Lines, paths: dict[str, str], out: Path, longest: float
) -> bool:
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    _write(out, sorted(loading))
    share()
    for name in names:
        end = forked(lambda name=name: _one(tests, name, paths, out, longest), seconds=_NEVER)
        if end == "failed":
            return False
        if end == "timeout":
            _write(out, {"test": name, "seconds": math.inf, "spawns": True, "lines": []})
    return True


def _one(tests: Tests, name: str, paths: dict[str, str], out: Path, longest: float) -> bool:
    if math.isfinite(longest):
        allow(longest)
    began = time.process_time()
    with traced(paths) as lines:
        passed = tests.pass_([name])
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = time.process_time() - began + children.ru_utime + children.ru_stime
    _write(out, {"test": name, "seconds": took, "spawns": children.ru_minflt > 0, "lines": sorted(lines)})
    return passed


@contextmanager
def traced(paths: dict[str, str]) -> Iterator[_Lines]:
    """The lines of these files that run meanwhile, in any thread of this process."""
    lines: _Lines = set()

    def inside(frame: FrameType, event: str, _argument: Any) -> Any:
        lines.add((paths[frame.f_code.co_filename], frame.f_lineno))
        return inside

    def entered(frame: FrameType, event: str, argument: Any) -> Any:
        return inside(frame, event, argument) if frame.f_code.co_filename in paths else None

    threading.settrace(entered)
    sys.settrace(entered)
    try:
        yield lines
    finally:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]


def _write(out: Path, what: object) -> None:
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(what) + "\n")


def _pairs(lines: list[list[Any]]) -> _Lines:
    return {(module, line) for module, line in lines}
