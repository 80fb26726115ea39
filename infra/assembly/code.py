"""The functions' code asset: pure Python, the same bytes on every machine."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from infra.assembly.bytecode import compile_folder
from infra.assembly.imports import imports
from settings.source.compiler import write_compiled_catalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings.source.loader import LoadedSource

#: The package that the build writes.
COMPILED_CATALOG = "compiled_catalog"
HANDLERS = ("ingest_lambdas", "stream_processors")


def write_code(
    root: Path, sources: Mapping[str, LoadedSource], target: Path, python: Path | None = None
) -> None:
    """Write the folder that the functions run: their modules and the compiled catalogue.

    Parameters
    ----------
    target : Path
        The folder to write; it is made.
    python : Path, optional
        The interpreter whose bytecode is put beside the modules; none without it.
    """
    target.mkdir(parents=True, exist_ok=True)
    write_compiled_catalog(sources, target)
    # What few sources need is imported by their settings alone.
    catalog = imports(target / COMPILED_CATALOG / "__init__.py")
    named = {file for name in catalog for file in _files(root, name)}
    for module in {*runtime_modules(root), *_with_imports(root, named)}:
        copy = target / module
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / module, copy)
    if python:
        compile_folder(target, python, "/var/task")


@cache  # a process reads them once: of a delivery, each stage would, and the layer again
def runtime_modules(root: Path) -> tuple[Path, ...]:
    """Return the project's modules that a handler can import, relative to the root and in order.

    Found by following imports from the handlers, so that what belongs to the build or the command
    line stays out without being listed, and brings none of its packages with it.
    """
    handlers = {path.relative_to(root) for name in HANDLERS for path in (root / name).rglob("*.py")}
    return tuple(sorted(_with_imports(root, handlers)))


def _with_imports(root: Path, modules: set[Path]) -> set[Path]:
    """Return modules of the project with all that they import of it."""
    files = cache(lambda name: tuple(_files(root, name)))
    found: set[Path] = set()
    waiting = set(modules)
    while waiting:
        module = waiting.pop()
        found.add(module)
        imported = {file for name in imports(root / module) for file in files(name)}
        waiting |= imported - found
    return found


def _files(root: Path, name: str) -> Iterator[Path]:
    """Return the project's files that importing this name runs: packages on the way included."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        module = Path(*parts[:length])
        for file in (module.with_suffix(".py"), module / "__init__.py"):
            if (root / file).is_file():
                yield file
