"""Who may import whom, what a cold start must not load, and what classes are called.

The table of arrows is that of docs/architecture.md: the picture is what is tested.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "catalog",
    "infra",
    "ingest_lambdas",
    "loadtests",
    "local",
    "pipeline",
    "settings",
    "stream_processors",
    "toolbox",
)
HANDLERS = [
    f"{package}.{path.stem}"
    for package in ("ingest_lambdas", "stream_processors")
    for path in sorted((ROOT / package).glob("[!_]*.py"))
]
#: Packages with rooms of their own; the others are a room each.
PARTED = {"infra", "pipeline", "toolbox"}
#: Every room may import it, and it imports none.
GROUND = "pipeline.errors"
BUILD_ONLY = ("pydantic", "yaml", "typer", "rich", "aiohttp")


def room_of(module: str) -> str:
    package, _, rest = module.partition(".")
    if package in {"ingest_lambdas", "stream_processors"}:
        return "handlers"
    return f"{package}.{rest.partition('.')[0]}" if package in PARTED and rest else package


@cache
def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


class Read(NamedTuple):
    """What the tests ask of a module: trees of all of them would not fit beside other tests.

    Parameters
    ----------
    named : frozenset[tuple[str, str, bool]]
        Of each import the module, the member (or nothing), and whether it is for annotations alone.
    classes : tuple[str, ...]
    """

    named: frozenset[tuple[str, str, bool]]
    classes: tuple[str, ...]


@cache
def read(path: Path) -> Read:
    tree, named = ast.parse(path.read_text()), set[tuple[str, str, bool]]()
    left: list[tuple[ast.AST, bool]] = [(tree, False)]
    while left:
        node, typed = left.pop()
        if isinstance(node, ast.Import):
            named |= {(alias.name, "", typed) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            named |= {(node.module or "", alias.name, typed) for alias in node.names}
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            left += [(child, True) for child in node.body]
            left += [(child, typed) for child in node.orelse]
        else:
            left += [(child, typed) for child in ast.iter_child_nodes(node)]
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    return Read(frozenset(named), tuple(classes))


def imports(path: Path, *, annotations: bool = True) -> set[str]:
    """The project's modules that a module names, with or without those for annotations alone."""
    known, names = modules(), set[str]()
    for module, member, typed in read(path).named:
        if annotations or not typed:
            whole = f"{module}.{member}"
            names.add(whole if member and whole in known else module)
    return names & known.keys()


@cache
def table() -> dict[str, tuple[str, ...]]:
    text = (ROOT / "docs" / "architecture.md").read_text()
    (block,) = re.findall(r"^```arrows\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.partition("->") for line in block.splitlines()]
    return {room.strip(): tuple(to.split()) for room, _, to in lines}


def drawn() -> dict[str, dict[str, list[str]]]:
    """The arrows of the code: room to room, with the imports that each stands for."""
    arrows: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for module, path in modules().items():
        for name in imports(path):
            if room_of(name) not in {room_of(module), GROUND}:
                arrows[room_of(module)][room_of(name)].append(f"{module} imports {name}")
    return arrows


def test_every_room_is_in_the_table() -> None:
    rooms = {room_of(module) for module in modules() if module not in PARTED} - {GROUND}
    assert rooms == set(table())


def test_no_arrow_is_new() -> None:
    for room, targets in drawn().items():
        for target, why in targets.items():
            assert target in table()[room], why


def test_no_arrow_of_the_table_is_unused() -> None:
    arrows = drawn()
    for room, targets in table().items():
        assert set(targets) == set(arrows.get(room, {})), room


def test_no_arrow_leads_up() -> None:
    floor = {room: number for number, room in enumerate(table())}
    for room, targets in table().items():
        for target in targets:
            assert floor[room] < floor[target], f"{room} -> {target}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    left = {
        module: imports(path, annotations=False) - {module} for module, path in modules().items()
    }
    # A package's face is run when a module of it is; what it imports of its own is no circle.
    faces = {module for module, path in modules().items() if path.name == "__init__.py"}
    left = {module: names - faces for module, names in left.items() if module not in faces}
    while free := {module for module, names in left.items() if not names & left.keys()}:
        left = {module: names for module, names in left.items() if module not in free}
    assert not left, sorted(left)


def test_a_class_name_has_one_meaning() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for module, path in modules().items():
        for name in read(path).classes:
            if not name.startswith("_"):
                places[name].add(module)
    twice = {name: sorted(found) for name, found in places.items() if len(found) > 1}
    assert twice == {}


def test_what_ships_imports_nothing_of_the_build() -> None:
    for module, path in modules().items():
        if module.startswith("pipeline"):
            packages = {name.partition(".")[0] for name, _, _ in read(path).named}
            assert not packages & set(BUILD_ONLY), path


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_cold_start_loads_nothing_of_the_build(handler: str) -> None:
    code = f"import {handler}, sys; print(*sys.modules)"
    environment = {"PYTHONPATH": str(ROOT), "POWERTOOLS_SERVICE_NAME": "s", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert handler in loaded
    assert not {name for name in BUILD_ONLY if name in loaded}
