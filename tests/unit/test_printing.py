"""What is printed goes through one renderer: nothing writes to a terminal past it.

Whoever prints by another way would have to remember that text comes from strangers.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
RENDERER = ROOT / "toolbox" / "terminal"
#: A log that Lambda would write; it goes to a file.
ALLOWED = {
    "local/worker.py: sys.stderr.write",
    "local/worker.py: sys.stdout",
}
_STREAMS = {"sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"}
_HARMLESS = {"flush", "isatty", "fileno"}
_WAYS = {
    "echo", "secho", "echo_via_pager", "print_exc", "print_exception", "print_stack", "print_json"
}  # fmt: skip


def _of_type_checking(tree: ast.AST) -> set[ast.AST]:
    """What stands below `if TYPE_CHECKING`: names for annotations, which print nothing."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }


def around(tree: ast.AST) -> Iterator[str]:
    """What of a module writes to a terminal by another way than the renderer."""
    annotations = _of_type_checking(tree)
    owners = {id(node.value): node for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if node in annotations:
            continue
        if isinstance(node, ast.Import):
            yield from (f"import {one.name}" for one in node.names if _is_rich(one.name))
        elif isinstance(node, ast.ImportFrom):
            yield from _imported(node)
        elif isinstance(node, ast.Name) and node.id in {"print", "pprint"}:
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield from _accessed(node, owners.get(id(node)))
        elif isinstance(node, ast.keyword) and node.arg in {"markup", "emoji"}:
            yield f"{node.arg}="


def _is_rich(module: str) -> bool:
    return module.partition(".")[0] in {"rich", "click"}


def _imported(node: ast.ImportFrom) -> Iterator[str]:
    module = node.module or ""
    if _is_rich(module):
        yield f"from {module}"
    for one in node.names:
        if f"{module}.{one.name}" in _STREAMS or one.name in _WAYS - {"print_json"}:
            yield f"from {module} import {one.name}"


def _accessed(node: ast.Attribute, used_as: ast.Attribute | None) -> Iterator[str]:
    text = ast.unparse(node)
    if text in _STREAMS and (used_as is None or used_as.attr not in _HARMLESS):
        yield ast.unparse(used_as or node)
    elif node.attr in _WAYS:
        yield text


def _files() -> Iterator[Path]:
    for room in ("toolbox", "loadtests", "local"):
        for path in sorted((ROOT / room).rglob("*.py")):
            if RENDERER not in path.parents:
                yield path


def test_nothing_prints_past_the_renderer() -> None:
    found = set()
    for path in _files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        place = path.relative_to(ROOT)
        found |= {f"{place}: {what}" for what in around(tree)}
    assert found == ALLOWED


@pytest.mark.parametrize(
    "code",
    [
        "print(text)",
        "show = print",
        "print(text, file=sys.stderr)",
        "sys.stdout.write(text)",
        "sys.stdout.buffer.write(text)",
        "out = sys.stdout",
        "sys.__stderr__.write(text)",
        "from sys import stdout",
        "json.dump(text, sys.stdout)",
        "typer.echo(text)",
        "from typer import secho",
        "click.secho(text)",
        "import click",
        "import rich",
        "from rich import print",
        "from rich.console import Console",
        "from rich.table import Table",
        "import rich.progress",
        "traceback.print_exc()",
        "console.print(text, markup=True)",
        "console.print_json(text)",
    ],
)
def test_each_other_way_would_be_seen(code: str) -> None:
    assert list(around(ast.parse(code)))


def test_the_house_has_one_console_for_each_stream() -> None:
    from toolbox.terminal import output
    from toolbox.terminal.console import TextConsole

    assert {type(output.console), type(output.errors)} == {TextConsole}
    assert (output.console.stderr, output.errors.stderr) == (False, True)
