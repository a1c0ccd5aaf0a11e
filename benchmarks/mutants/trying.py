"""A mutant against the tests that could see it, the fastest first, until one fails.

Most changes lie in a function that no import calls: a process that has collected the tests gives that function its
changed code and runs them, without importing anything anew. The others are imported in a process of their own. The
changed module is on the disk meanwhile in both cases, for processes that tests start.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType

from benchmarks.mutants.changes import Mutant
from benchmarks.mutants.parts import modules, test_files
from benchmarks.mutants.processes import allow, forked, share
from benchmarks.mutants.reach import Reach
from benchmarks.mutants.tests import Tests, with_tests

PATIENCE, _LEAST = 6.0, 8.0  # seconds of a processor for a test: so many times the usual ones, and so many more
_WAITING = 20.0  # seconds in which a test may do nothing; more for longer ones, since others use the machine, too
_WALL = 1200.0  # seconds for a mutant, however busy the machine is
Told = Callable[[Mutant, str], None]
_Name = tuple[str, str, int]
_ENDS = {"done": "survived", "failed": "killed", "timeout": "timeout"}


def try_all(
    part: str, copied: Path, chosen: Sequence[Mutant], selected: Mapping[Mutant, list[str]], reach: Reach, told: Told
) -> None:
    """Try each of them on its tests, and tell how it ended."""
    files = test_files(part)
    in_place = {mutant for mutant in chosen if not reach.is_loaded(mutant) and _keeps_its_variables(mutant, copied)}

    def with_changed_functions(tests: Tests) -> bool:
        paths = [str(copied / module) for module in modules(part, copied)]
        functions = _functions(paths)
        share()
        for mutant in filter(in_place.__contains__, chosen):
            with _written(mutant, copied):
                told(mutant, _changed(mutant, copied, functions, tests, selected[mutant], reach))
        return True

    if in_place and forked(lambda: with_tests(copied, files, with_changed_functions), seconds=86_400) != "done":
        raise SystemExit(f"the process that tries the mutants of {part} ended early; run this again to go on")
    for mutant in chosen:
        if mutant in in_place:
            continue
        with _written(mutant, copied):
            told(mutant, _ENDS[forked(lambda m=mutant: anew(copied, files, selected[m], reach), seconds=_WALL)])


def anew(copied: Path, files: Sequence[str], names: Sequence[str], reach: Reach) -> bool:
    """Import all and run these tests, in a process of its own; whether all pass."""
    return with_tests(copied, files, lambda tests: _all_pass(tests, names, reach))


def _changed(
    mutant: Mutant, copied: Path, functions: Sequence[FunctionType], tests: Tests, names: Sequence[str], reach: Reach
) -> str:
    filename = str(copied / mutant.module)
    new = {_name(code): code for code in _codes(mutant.code(filename)) if _is_of(mutant, code)}

    own = [function for function in functions if _name(function.__code__) in new]
    if not own:
        raise RuntimeError(f"{mutant.module}: no function {mutant.function} to change")

    def work() -> bool:
        for function in own:
            function.__code__ = new[_name(function.__code__)]
        return _all_pass(tests, names, reach)

    return _ENDS[forked(work, seconds=_WALL)]


def _is_of(mutant: Mutant, code: CodeType) -> bool:
    """Whether this is the code of the function that the mutant changes."""
    own = code.co_qualname.rpartition(".")[2] == mutant.function
    return own and any(line in mutant.lines for _, _, line in code.co_lines())


def _keeps_its_variables(mutant: Mutant, copied: Path) -> bool:
    """Whether the function has the same cells as before (`super()` needs one); else it cannot get other code."""
    filename = str(copied / mutant.module)
    before = compile((copied / mutant.module).read_text(encoding="utf-8"), filename, "exec", dont_inherit=True)
    cells = [
        {_name(c): c.co_freevars for c in _codes(code) if _is_of(mutant, c)} for code in (before, mutant.code(filename))
    ]
    return cells[0] == cells[1]


def _all_pass(tests: Tests, names: Sequence[str], reach: Reach) -> bool:
    return tests.pass_(
        names,
        before=lambda name: allow(_LEAST + PATIENCE * reach.seconds[name]),
        limit=lambda name: _WAITING + 40 * reach.seconds[name],
    )


def _functions(paths: Sequence[str]) -> list[FunctionType]:
    """The functions of these files that exist, whatever wraps them."""
    return [one for one in gc.get_objects() if type(one) is FunctionType and one.__code__.co_filename in paths]


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _name(code: CodeType) -> _Name:
    return code.co_filename, code.co_qualname, code.co_firstlineno


@contextmanager
def _written(mutant: Mutant, copied: Path) -> Iterator[None]:
    path = copied / mutant.module
    original = path.read_text(encoding="utf-8")
    path.write_text(mutant.source, encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(original, encoding="utf-8")
