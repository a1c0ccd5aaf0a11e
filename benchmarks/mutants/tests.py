"""The tests of a part in a process that has loaded the libraries alone: they import the repository's copy anew."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import hypothesis
import pytest

from benchmarks.mutants.parts import ROOT

_WAITING = 600.0


class Tests:
    """Those of some files, collected once; each can be run, in this process or in forks of it."""

    def __init__(self, items: Sequence[pytest.Item]) -> None:
        self._items = {item.nodeid: item for item in items}
        self.failed = False

    @property
    def names(self) -> list[str]:
        """In the order of the files."""
        return list(self._items)

    def pass_(
        self,
        names: Sequence[str],
        *,
        before: Callable[[str], None] = lambda name: None,
        limit: Callable[[str], float] = lambda name: _WAITING,
    ) -> bool:
        """Run these tests in this order until one fails; whether all pass.

        before: called ahead of each. limit: seconds after which a test fails, however little it has computed.
        """
        items = [self._items[name] for name in names]
        for place, (name, item) in enumerate(zip(names, items, strict=True), start=1):
            following = items[place] if place < len(items) else None
            before(name)
            item.add_marker(pytest.mark.timeout(limit(name)))
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                return False
        return True


class _Plugin:
    """Hands the collected tests over instead of running them, and hears of failures."""

    def __init__(self, use: Callable[[Tests], bool]) -> None:
        self._use = use
        self._tests = Tests(())
        self.done = False

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if not session.testsfailed:  # else a file could not be imported
            self._tests = Tests(session.items)
            self.done = self._use(self._tests)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._tests.failed |= report.failed


def with_tests(copied: Path, files: Sequence[str], use: Callable[[Tests], bool], *, loud: bool = False) -> bool:
    """Collect the tests of these files of the copy and `use` them; what it answers, False where nothing was collected.

    To be called in a process of its own. Hypothesis looks at the same examples each time, and not for smaller ones.
    """
    os.chdir(copied)
    if not loud:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("igcnas", "benchmarks")]:
        del sys.modules[name]
    sys.path[:] = [str(copied), *[entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]]
    os.environ |= {"PYTHONPATH": str(copied)}
    hypothesis.settings.register_profile(
        "mutants",
        deadline=None,
        derandomize=True,
        database=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    plugin = _Plugin(use)
    words = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts="]
    words += ["--hypothesis-profile=mutants", f"--basetemp={copied.parent / 'temporary'}"]
    pytest.main([*words, *files], plugins=[plugin])
    return plugin.done
