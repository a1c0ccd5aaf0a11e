"""Small faults: a mutant is one module with one change.

A comparison turned or moved by its boundary, a sum for a difference, `and` for `or`, a condition negated, a number
moved by one, a text lost, a result None, a statement removed. Annotations, decorators, docstrings, imports and what is
raised stay as they are.
"""

from __future__ import annotations

import ast
import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import CodeType
from typing import NamedTuple

from benchmarks.mutants.parts import modules

_LONGEST = 110  # characters of code that are shown
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mutant:
    """One change: of the expression or statement at this place, before and after, within a statement.

    first, last: the lines of the statement, without those of its body. function: the name of the outermost function in
    whose body it is, '' where there is none; lines: those of that body, or of the statement.
    original: the module without the change, and digest, of this; number: of the change among all of the module.
    """

    part: str
    module: str
    line: int
    column: int
    before: str
    after: str
    statement: str
    first: int
    last: int
    function: str
    lines: range
    original: str
    digest: str
    number: int

    @property
    def tree(self) -> ast.Module:
        """The module with the change."""
        tree = ast.parse(self.original)
        node, spot, variant = next(islice(_places(tree), self.number, None))
        spot.put(ast.copy_location(list(_changes(node))[variant], node))
        return ast.fix_missing_locations(tree)

    @property
    def source(self) -> str:
        """The same as text, its lines numbered otherwise."""
        return ast.unparse(self.tree) + "\n"

    def code(self, filename: str) -> CodeType:
        """The same compiled, its lines numbered as in the original."""
        return compile(self.tree, filename, "exec", dont_inherit=True)


class _Spot(NamedTuple):
    """Where a node hangs: in this field of its parent; the statement and the outermost function that it is in."""

    parent: ast.AST
    field: str
    index: int | None
    statement: ast.stmt | None
    function: ast.FunctionDef | None

    def put(self, new: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, new)
        else:
            getattr(self.parent, self.field)[self.index] = new


def every_mutant(part: str, root: Path) -> list[Mutant]:
    """Those of all modules of the part."""
    return [
        mutant
        for module in modules(part, root)
        for mutant in mutants(part, module, (root / module).read_text(encoding="utf-8"))
    ]


def mutants(part: str, module: str, source: str) -> Iterator[Mutant]:
    """Every change of a module, always in the same order."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]
    for number, (node, spot, variant) in enumerate(_places(ast.parse(source))):
        assert spot.statement is not None
        inside = spot.function.body if spot.function else [spot.statement]
        yield Mutant(
            part=part,
            module=module,
            line=getattr(node, "lineno", 0),
            column=getattr(node, "col_offset", 0),
            before=_text(node),
            after=_text(list(_changes(node))[variant]),
            statement=_text(_head(spot.statement)),
            first=spot.statement.lineno,
            last=_last(spot.statement),
            function=getattr(spot.function, "name", ""),
            lines=range(inside[0].lineno, (inside[-1].end_lineno or 0) + 1),
            original=source,
            digest=digest,
            number=number,
        )


def _places(tree: ast.Module) -> Iterator[tuple[ast.AST, _Spot, int]]:
    """Each node that can be changed, once for each change."""
    for node, spot in _nodes(tree):
        for variant, _ in enumerate(_changes(node)):
            yield node, spot, variant


def _head(statement: ast.stmt) -> ast.stmt:
    """The statement without what it contains."""
    shown = copy.copy(statement)
    for field in ("body", "orelse", "finalbody", "handlers", "decorator_list"):
        if getattr(shown, field, None):
            setattr(shown, field, [ast.Expr(ast.Constant(...))] if field == "body" else [])
    return shown


def _last(statement: ast.stmt) -> int:
    body = getattr(statement, "body", None)
    if body:
        return max(statement.lineno, body[0].lineno - 1)
    return statement.end_lineno or statement.lineno


def _nodes(tree: ast.AST) -> Iterator[tuple[ast.AST, _Spot]]:
    """Every node that is code, with where it hangs; no annotations, docstrings, imports or messages of errors."""
    waiting: list[tuple[ast.AST, ast.stmt | None, ast.FunctionDef | None]] = [(tree, None, None)]
    while waiting:
        parent, statement, function = waiting.pop()
        for field, value in ast.iter_fields(parent):
            if field in ("annotation", "returns", "decorator_list") or isinstance(parent, ast.Raise):
                continue
            within = function
            if function is None and field == "body" and isinstance(parent, ast.FunctionDef):
                within = parent
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(child, ast.AST) or isinstance(child, ast.Import | ast.ImportFrom):
                    continue
                if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                    continue
                if isinstance(child, ast.If) and _text(child.test) == "TYPE_CHECKING":
                    continue
                own = child if isinstance(child, ast.stmt) else statement
                yield child, _Spot(parent, field, index if isinstance(value, list) else None, own, within)
                waiting.append((child, own, within))


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
    return " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())[:_LONGEST]
