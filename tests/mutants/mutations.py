"""The small changes that can be made to a module, each in a syntax tree of its own.

Texts with a space are messages, and what a decorator is given is a declaration: neither is
changed, because a test of it would only say it a second time.
"""

from __future__ import annotations

import ast
import copy
import itertools
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_NAMES = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "sorted": "list",
    "reversed": "iter",
}
_METHODS = {
    "startswith": "endswith",
    "endswith": "startswith",
    "partition": "rpartition",
    "rpartition": "partition",
    "removeprefix": "removesuffix",
    "fullmatch": "match",
    "search": "match",
    "append": "extend",
    "popleft": "pop",
    "lower": "upper",
    "setdefault": "get",
}


@dataclass(frozen=True)
class Mutant:
    """A module with one small change.

    Parameters
    ----------
    file : str
        The module's path in the project.
    id : str
        Names the change without its line, so that it is the same when the code around it moves.
    make : Callable[[], ast.Module | str]
        Returns the changed module, for `compile`.
    lines : range
        The lines whose tests can notice it; all of the room's can where there are none.
    """

    file: str
    id: str
    make: Callable[[], ast.Module | str]
    lines: range = range(0)


def mutants_of(file: str, source: str) -> list[Mutant]:
    """Return every mutant of a module."""
    tree = ast.parse(source)
    seen: Counter[str] = Counter()
    found = []
    for place in _places(tree, None, "", cached=False):
        for old, new in _changes(place.node, place.parent):
            name = f"{file}:{place.scope}: {_shown(old)} -> {_shown(new)}"
            seen[name] += 1
            if seen[name] > 1:
                name += f" ({seen[name]})"
            # What keeps its results is run by the first of the tests that depend on it.
            lines = range(0) if place.cached else place.lines
            found.append(Mutant(file, name, partial(_replaced, tree, old, new), lines))
    return found


@dataclass(frozen=True)
class _Place:
    node: ast.AST
    parent: ast.AST | None
    scope: str
    lines: range
    cached: bool


def _places(
    node: ast.AST, parent: ast.AST | None, scope: str, *, cached: bool, lines: range = range(0)
) -> Iterator[_Place]:
    """Return the nodes that may be changed, each with the lines of its statement."""
    if _is_declaration(node):
        return
    if isinstance(node, ast.stmt):
        lines = _lines(node)
    yield _Place(node, parent, scope or "module", lines, cached)
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        scope = f"{scope}.{node.name}".lstrip(".")
        cached = cached or any("cache" in ast.unparse(one) for one in node.decorator_list)
    for name, value in ast.iter_fields(node):
        if name not in {"annotation", "returns", "decorator_list", "type_params"}:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _places(child, node, scope, cached=cached, lines=lines)


def _is_declaration(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    # The message of an error is prose; that it is raised is the statement's.
    return isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr)


def _lines(statement: ast.stmt) -> range:
    body = getattr(statement, "body", None)
    if isinstance(body, list) and body:  # the head of a compound statement
        return range(statement.lineno, max(statement.lineno + 1, body[0].lineno))
    return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def _shown(node: ast.AST) -> str:
    if isinstance(node, ast.If | ast.While):
        return f"if {_shown(node.test)}" if isinstance(node, ast.If) else "while"
    return " ".join(ast.unparse(node).split())[:120]


def _replaced(tree: ast.Module, old: ast.AST, new: ast.AST) -> ast.Module:
    memo = {id(old): ast.fix_missing_locations(ast.copy_location(new, old))}
    changed: ast.Module = copy.deepcopy(tree, memo)
    return changed


def _changes(node: ast.AST, parent: ast.AST | None) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Return node and replacement of each change."""
    makers = (_expressions, _constants, _calls, _conditions, _statements)
    for new in itertools.chain.from_iterable(make(node, parent) for make in makers):
        yield node, new


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _expressions(node: ast.AST, _parent: ast.AST | None) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            other = _COMPARISONS[type(operator)]()
            yield _with(node, ops=[*node.ops[:number], other, *node.ops[number + 1 :]])
    elif isinstance(node, ast.BinOp | ast.AugAssign):
        other_type = _OPERATORS.get(type(node.op))
        if other_type is not None:
            yield _with(node, op=other_type())
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand


def _constants(node: ast.AST, parent: ast.AST | None) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Constant) or isinstance(parent, ast.JoinedStr):
        return
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
    elif isinstance(value, str):
        if " " not in value:
            yield ast.Constant(f"X{value}")
    elif isinstance(value, bytes):
        yield ast.Constant(b"X" + value)


def _calls(node: ast.AST, _parent: ast.AST | None) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Call):
        return
    for number, keyword in enumerate(node.keywords):
        if keyword.arg is not None:
            yield _with(node, keywords=node.keywords[:number] + node.keywords[number + 1 :])
    if isinstance(node.func, ast.Name) and node.func.id in _NAMES:
        yield _with(node, func=ast.Name(_NAMES[node.func.id], ast.Load()))
    elif isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        yield _with(node, func=_with(node.func, attr=_METHODS[node.func.attr]))


def _conditions(node: ast.AST, _parent: ast.AST | None) -> Iterator[ast.AST]:
    if isinstance(node, ast.If | ast.IfExp):
        for decided in (False, True):
            yield _with(node, test=ast.Constant(decided))
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield _with(node, ifs=[])


def _statements(node: ast.AST, _parent: ast.AST | None) -> Iterator[ast.AST]:
    if isinstance(node, ast.Return):
        nothing = node.value is None or ast.unparse(node.value) == "None"
        yield ast.Return(ast.Constant(0)) if nothing else ast.Return(ast.Constant(None))
    elif _can_be_left_out(node):
        yield ast.Pass()


def _can_be_left_out(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call | ast.Yield | ast.YieldFrom)
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Attribute | ast.Subscript)
    return isinstance(node, ast.Raise | ast.Continue | ast.Break | ast.AugAssign)
