"""What a module imports, read from its source: which files must ship follows from it."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_WITH_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)


class Import(NamedTuple):
    """A name that a module imports: a module, or what may be one within a package.

    Parameters
    ----------
    later : bool
        Whether a function does it, when it is called.
    """

    name: str
    later: bool


def imports(path: Path) -> tuple[str, ...]:
    """Return what a module imports when it runs, whether at once or inside a function.

    Parameters
    ----------
    path : Path
        A module. Imports for annotations alone (`if TYPE_CHECKING`) are left out.
    """
    return tuple(found.name for found in _imports(path.read_text(encoding="utf-8"), ""))


def reachable(folder: Path, names: Iterable[str], never: Iterable[str] = ()) -> set[Path]:
    """Return the files below a folder that importing these names runs, at once or later.

    What a function imports is followed within its own package. Across packages it is not: that is
    how a library offers what it has for users of another one (a tracer, a model, a client).

    Parameters
    ----------
    folder : Path
        Where packages are installed.
    never : Iterable[str]
        Packages that are not followed, whoever names them.

    Returns
    -------
    set[Path]
        Modules and extension modules, relative to the folder.
    """
    found: set[Path] = set()
    left_out = {Path(*name.split(".")) for name in never}
    waiting = [file for name in names for file in _files(folder, name)]
    while waiting:
        file = waiting.pop()
        if file in found or not left_out.isdisjoint(file.parents):
            continue
        found.add(file)
        if file.suffix == ".py":
            text = (folder / file).read_text(encoding="utf-8")
            for name, later in _imports(text, ".".join(file.parts[:-1])):
                if not later or name.partition(".")[0] == file.parts[0]:
                    waiting += _files(folder, name)
    return found


def _files(folder: Path, name: str) -> Iterator[Path]:
    """Return the files that importing this name runs: packages on the way included."""
    place = folder
    for part in name.split("."):
        modules = (place / f"{part}.py", place / part / "__init__.py", *place.glob(f"{part}.*so"))
        yield from (file.relative_to(folder) for file in modules if file.is_file())
        place /= part


@lru_cache(maxsize=1024)
def _imports(text: str, package: str) -> tuple[Import, ...]:
    # Nearly all of a module is expressions, and of those a call alone can import.
    kinds = (ast.AST,) if "import_module" in text else _WITH_STATEMENTS
    return tuple(_imported(ast.parse(text), package, kinds, later=False))


def _imported(
    node: ast.AST, package: str, kinds: tuple[type[ast.AST], ...], *, later: bool
) -> Iterator[Import]:
    for name in _names(node, package):
        yield Import(name, later)
    later = later or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        children = node.orelse
    for child in children:
        if isinstance(child, kinds):
            yield from _imported(child, package, kinds, later=later)


def _names(node: ast.AST, package: str) -> Iterator[str]:
    """Return what a statement imports; of a call, what `import_module("…")` does."""
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names)
        case ast.ImportFrom():
            base = _absolute(node.module or "", node.level, package)
            yield base
            # `from package import module` names a module as well.
            yield from (f"{base}.{alias.name}" for alias in node.names)
        case ast.Call(func=ast.Name("import_module"), args=[ast.Constant(str(name))]):
            yield name


def _absolute(module: str, level: int, package: str) -> str:
    if not level:
        return module
    parts = package.split(".")
    above = parts[: len(parts) - level + 1]
    return ".".join([*above, module] if module else above)
