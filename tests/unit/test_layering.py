"""Who may import whom, and what a cold start must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIBLINGS = {"pipeline", "ingest_lambdas", "stream_processors", "infra", "loadtests", "tests"}
ALLOWED = {
    "pipeline": {"pipeline"},
    "ingest_lambdas": {"ingest_lambdas", "pipeline"},
    "stream_processors": {"stream_processors", "pipeline"},
    "infra": {"infra", "pipeline"},
}
HANDLERS = [
    f"{package}.{path.stem}"
    for package in ("ingest_lambdas", "stream_processors")
    for path in sorted((ROOT / package).glob("[!_]*.py"))
]
BUILD_ONLY = ("pydantic", "yaml", "typer", "rich", "aiohttp")


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_packages_import_only_what_they_may(package: str) -> None:
    files = list((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        roots = {name.partition(".")[0] for name in imports(path)} & SIBLINGS
        assert roots <= ALLOWED[package], path


def test_only_the_command_line_knows_the_laptop_runtime() -> None:
    for package in ALLOWED:
        for path in (ROOT / package).rglob("*.py"):
            relative = path.relative_to(ROOT).parts
            if relative[:2] in {("pipeline", "local"), ("pipeline", "cli")}:
                continue
            assert not any(name.startswith("local") for name in imports(path)), path


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
