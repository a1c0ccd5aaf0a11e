"""Would a test see it? Small faults in the code, one at a time, and the tests that cover it.

A mutant is one module with one change: a comparison turned or moved by its boundary, a sum for a difference, `and` for
`or`, a condition negated, a number moved by one, a text lost, a result None, a statement removed. Of all mutants of a
part, `--sample` are drawn, always the same ones for a seed. Each runs the test files of its part, the fastest first,
until one fails, in a forked process of a copy of the repository, so that processes that tests start see it, too. It is
killed by a failing test, an error while importing, or by taking `_PATIENCE` times as long as the tests do; else it has
survived.

    python -m benchmarks.mutants run --out after.jsonl [--parts racing storage] [--root FOLDER]
    python -m benchmarks.mutants page --before before.jsonl --after after.jsonl

`run` adds to what the file holds. `--known` is for unchanged code to which tests were only added. `page` writes
results/mutation.md; why a survivor stays is told in data/survivors.json, by the change.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "benchmarks" / "results" / "mutation.md"
REASONS = ROOT / "benchmarks" / "data" / "survivors.json"
_PATIENCE = 8.0
_LEARNED = ("lowering", "flgc", "dgconv", "condensing", "dgc", "msgc")

# What is changed, and the test files that answer for it, the fastest first.
PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "racing": (("igcnas/racing.py",), ("racing",)),
    "statistics": (("igcnas/statistics.py",), ("statistics",)),
    "canonical": (("igcnas/canonical.py",), ("canonical",)),
    "lowering": (("igcnas/lowering/*.py",), _LEARNED),
    "proposals": (("igcnas/proposals/*.py", "igcnas/proposals/samplers/*.py"), ("proposals",)),
    "storage": (("igcnas/storage.py",), ("storage", "damaged_journal")),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATIONS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}


_Key = tuple[str, int, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change: of the line of this module, the expression or statement before and after."""

    part: str
    module: str
    line: int
    before: str
    after: str
    source: str

    @property
    def name(self) -> str:
        """What it is known by, also where lines have moved."""
        return f"{self.module}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a mutant: 'killed', 'timeout' or 'survived'. of: how many there are in the part."""

    part: str
    module: str
    line: int
    before: str
    after: str
    end: str
    of: int


def mutants(part: str, module: str, source: str) -> Iterator[Mutant]:
    """Every change of a module, in the order of its lines."""
    tree = ast.parse(source)
    for place, (node, _) in enumerate(_nodes(tree)):
        for variant, replacement in enumerate(_changes(node)):
            changed = copy.deepcopy(tree)
            parent_field = next(field for number, (_, field) in enumerate(_nodes(changed)) if number == place)
            new = list(_changes(_nodes_at(changed, place)))[variant]
            _put(parent_field, new)
            yield Mutant(
                part=part,
                module=module,
                line=getattr(node, "lineno", 0),
                before=_text(node),
                after=_text(replacement),
                source=ast.unparse(ast.fix_missing_locations(changed)) + "\n",
            )


_Place = tuple[ast.AST, str, int | None]


def _nodes(tree: ast.AST) -> Iterator[tuple[ast.AST, _Place]]:
    """Every node that is code, with where it hangs; no annotations, docstrings, imports or messages of errors."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        parent = waiting.pop()
        for field, value in ast.iter_fields(parent):
            if field in ("annotation", "returns", "decorator_list") or isinstance(parent, ast.Raise):
                continue
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(child, ast.AST) or isinstance(child, ast.Import | ast.ImportFrom):
                    continue
                if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                    continue
                if isinstance(child, ast.If) and _text(child.test) == "TYPE_CHECKING":
                    continue
                yield child, (parent, field, index if isinstance(value, list) else None)
                waiting.append(child)


def _nodes_at(tree: ast.AST, place: int) -> ast.AST:
    return next(node for number, (node, _) in enumerate(_nodes(tree)) if number == place)


def _put(place: _Place, new: ast.AST) -> None:
    parent, field, index = place
    if index is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[index] = new


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that may stand for this one."""
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in _COMPARISONS[type(operator)]:
                ops = [*node.ops[:index], other(), *node.ops[index + 1 :]]
                yield ast.Compare(left=node.left, ops=ops, comparators=node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        yield ast.BinOp(left=node.left, op=_OPERATIONS[type(node.op)](), right=node.right)
    elif isinstance(node, ast.AugAssign) and type(node.op) in _OPERATIONS:
        yield ast.AugAssign(target=node.target, op=_OPERATIONS[type(node.op)](), value=node.value)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(op=ast.Or() if isinstance(node.op, ast.And) else ast.And(), values=node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(test=ast.UnaryOp(op=ast.Not(), operand=node.test), body=node.body, orelse=node.orelse)
    elif isinstance(node, ast.If | ast.While):
        changed = copy.copy(node)
        changed.test = ast.UnaryOp(op=ast.Not(), operand=node.test)
        yield changed
    elif isinstance(node, ast.Constant):
        yield from _constants(node.value)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _NAMES:
        yield ast.Call(func=ast.Name(id=_NAMES[node.func.id], ctx=ast.Load()), args=node.args, keywords=node.keywords)
    elif isinstance(node, ast.Return) and node.value is not None and _text(node.value) != "None":
        yield ast.Return(value=ast.Constant(value=None))
    elif isinstance(node, ast.Expr | ast.Raise | ast.Continue | ast.Break):
        yield ast.Pass()


def _constants(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(value=not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value=value + 1)
        if value > 1:
            yield ast.Constant(value=value - 1)
    elif isinstance(value, str) and value:
        yield ast.Constant(value="")


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())[:110]


def drawn(part: str, root: Path, *, sample: int, seed: int) -> tuple[list[Mutant], int]:
    """The mutants that are tried, in a drawn order, and how many there are."""
    every: list[Mutant] = []
    for pattern in PARTS[part][0]:
        for path in sorted(root.glob(pattern)):
            every += mutants(part, path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
    random.Random(f"{seed} {part}").shuffle(every)
    return every[:sample], len(every)


def run(
    part: str, copied: Path, *, sample: int, seed: int, done: dict[_Key, Outcome], skip: set[_Key]
) -> Iterator[Outcome]:
    """Try the mutants of a part in a copy of the repository that is written to; those of `done` need no second try."""
    chosen, count = drawn(part, copied, sample=sample, seed=seed)
    tests = [f"tests/test_{name}.py" for name in PARTS[part][1]]
    end, usual = _try(copied, tests, limit=3600.0)
    if end != "survived":
        raise SystemExit(f"the tests of {part} fail as they are: {' '.join(tests)}")
    limit = max(30.0, _PATIENCE * usual)
    for mutant in chosen:
        if _key(mutant) in skip:
            continue
        if _key(mutant) in done:
            yield done[_key(mutant)]
            continue
        path = copied / mutant.module
        original = path.read_text(encoding="utf-8")
        try:
            path.write_text(mutant.source, encoding="utf-8")
            end, _ = _try(copied, tests, limit=limit)
        finally:
            path.write_text(original, encoding="utf-8")
        facts = {key: value for key, value in asdict(mutant).items() if key != "source"}
        yield Outcome(**facts, end=end, of=count)


def _try(copied: Path, tests: Sequence[str], *, limit: float) -> tuple[str, float]:
    """How the tests end in a process that is forked from this one, which has loaded the libraries alone."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()
        _child(copied, tests)
    while time.monotonic() - began < limit:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _end(child)
            return ("survived" if status == 0 else "killed"), time.monotonic() - began
        time.sleep(0.02)
    _end(child)
    os.waitpid(child, 0)
    return "timeout", time.monotonic() - began


def _end(group: int) -> None:
    """What the tests left behind."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _child(copied: Path, tests: Sequence[str]) -> None:
    """Never returns."""
    import pytest

    os.chdir(copied)
    with open(os.devnull, "w", encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    sys.path[:] = [str(copied), *[entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]]
    os.environ |= {"PYTHONPATH": str(copied)}
    words = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=", "--hypothesis-seed=0", *tests]
    os._exit(int(pytest.main(words)))


def _copy(root: Path, folder: Path) -> Path:
    """The files of the repository that git knows."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, check=True, capture_output=True)
    copied = folder / "repository"
    for name in listed.stdout.decode().splitlines():
        if (root / name).is_file():
            (copied / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, copied / name)
    return copied


def _run(arguments: argparse.Namespace) -> None:
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    sys.dont_write_bytecode = True
    for library in ("numpy", "scipy.optimize", "scipy.stats", "torch", "optuna", "hypothesis", "pytest", "pandas"):
        importlib.import_module(library)
    for name in [name for name in sys.modules if name.partition(".")[0] == "igcnas"]:
        del sys.modules[name]  # the mutant must be the first igcnas that a child imports
    arguments.out.touch()
    known = [] if arguments.known is None else read(arguments.known)
    with tempfile.TemporaryDirectory() as folder, arguments.out.open("a", encoding="utf-8") as file:
        copied = _copy(arguments.root, Path(folder).resolve())
        for part in arguments.parts:
            done = {_key(outcome): outcome for outcome in known if outcome.end != "survived"}
            written = {_key(outcome) for outcome in read(arguments.out)}
            found = []
            for outcome in run(part, copied, sample=arguments.sample, seed=arguments.seed, done=done, skip=written):
                found.append(outcome)
                file.write(json.dumps(asdict(outcome)) + "\n")
                file.flush()
                if outcome.end == "survived":
                    print(f"{outcome.module}:{outcome.line}  {outcome.before}  ->  {outcome.after}", flush=True)
            survived = sum(outcome.end == "survived" for outcome in found)
            print(f"{part}: {len(found) - survived} of {len(found)} killed", flush=True)


def _key(one: Mutant | Outcome) -> _Key:
    return one.module, one.line, one.before, one.after


def read(path: Path) -> list[Outcome]:
    """The outcomes in a file."""
    return [Outcome(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def page(before: Sequence[Outcome], after: Sequence[Outcome], reasons: dict[str, str]) -> str:
    """Scores, and every survivor with why it stays."""
    from igcnas.columns import pipes

    rows = []
    for part in PARTS:
        first, last = (_score([o for o in some if o.part == part]) for some in (before, after))
        if first != "-" or last != "-":
            total = next(o.of for o in (*after, *before) if o.part == part)
            rows.append((part, str(total), first, last))
    retried = {o.part for o in after}
    left = [o for o in (*after, *(o for o in before if o.part not in retried)) if o.end == "survived"]
    survivors = [
        (f"{o.module}:{o.line}", o.before, o.after, reasons.get(_name(o), "a test is missing"))
        for o in sorted(left, key=lambda o: (list(PARTS).index(o.part), o.module, o.line))
    ]
    return (
        "\n\n".join(
            [
                "# Would a test see it?",
                "`python -m benchmarks.mutants run`: one small change of the code at a time, against the test files of "
                "its part alone; other tests may see more. A sample of the possible changes, drawn by chance, the same "
                "rule each time. In brackets: 95 % interval (Wilson) for all changes of the part. A change after which "
                "the tests never ended counts as killed. Parts without a second score were not tried again; the "
                "sizes of the samples are what a shared machine gave, and differ.",
                pipes(("part", "possible changes", "killed before", "killed now"), rows, words=(0,)),
                f"## The {len(left)} that live, and why",
                pipes(("place", "code", "changed to", "why it stays"), survivors, words=(0, 1, 2, 3)),
            ]
        )
        + "\n"
    )


def _name(outcome: Outcome) -> str:
    return f"{outcome.module}: {outcome.before} -> {outcome.after}"


def _score(outcomes: Sequence[Outcome]) -> str:
    from igcnas.statistics import wilson_interval

    if not outcomes:
        return "-"
    killed = sum(o.end != "survived" for o in outcomes)
    low, high = wilson_interval(killed, len(outcomes))
    return f"{killed} of {len(outcomes)}, {killed / len(outcomes):.0%} ({low:.0%} to {high:.0%})"


def main() -> None:
    """Run, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument("--out", type=Path, required=True, help="JSON lines; parts that it holds are not run again")
    running.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    running.add_argument("--sample", type=int, default=100, help="mutants of a part (default: %(default)s)")
    running.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    running.add_argument("--known", type=Path, help="an earlier file: what it says was killed is not tried again")
    running.add_argument("--root", type=Path, default=ROOT, help="the repository (default: this one)")
    paging = commands.add_parser("page")
    paging.add_argument("--before", type=Path, required=True)
    paging.add_argument("--after", type=Path, required=True)
    paging.add_argument("--out", type=Path, default=OUT, help="the page (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.command == "run":
        _run(arguments)
    else:
        reasons = json.loads(REASONS.read_text(encoding="utf-8"))
        arguments.out.write_text(page(read(arguments.before), read(arguments.after), reasons), encoding="utf-8")


if __name__ == "__main__":
    main()
