"""The functions' layer: what they import of the runtime's dependencies, for Lambda's platform.

The packages are installed from their lock. Of their files those stay that an import of the
functions' code leads to, and what `KEPT` names.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from uv import find_uv_bin

from infra.assembly.bytecode import PYTHON_VERSION, compile_folder
from infra.assembly.code import runtime_modules
from infra.assembly.imports import imports, reachable
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOCK = "requirements-runtime.lock"
"""What the functions need: `pyproject.toml` without extras, as `make lock` writes it."""

PROOFS_LOCK = "requirements-proofs.lock"
"""What those need beside that check public keys and JSON Web Tokens."""

KEPT = {"tzdata": "zoneinfo finds the time zones by their names; Lambda's image has none"}
"""Packages that stay as a whole, since no import says what is needed of them, with the reason."""

NEVER_CALLED = {
    "aws_lambda_powertools.event_handler": "for Pydantic's models in a log line; it needs Pydantic",
}
"""Packages that a function of a library imports when it is called as nobody here calls it."""

_FORM = 3  # Raise it when what is removed below changes: it is part of the cache's key.
_INSTALLER_FILES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")


@dataclass(frozen=True)
class Runtime:
    """Where a layer is to run.

    Parameters
    ----------
    platform : str
        In uv's words; the empty text is this machine.
    """

    version: str = PYTHON_VERSION
    platform: str = "aarch64-manylinux2014"


LAMBDA = Runtime()


@dataclass(frozen=True)
class LayerPart:
    """A layer: what of its lock it holds.

    Parameters
    ----------
    modules : str
        The folder of the project whose modules' imports it is for; empty for all that a handler
        can import.
    beside : tuple[str, ...]
        What extension modules import by themselves, of which no source says anything.
    """

    name: str
    lock: str
    modules: str = ""
    beside: tuple[str, ...] = ()


DEPENDENCIES = LayerPart("layer", LOCK)
PROOFS = LayerPart("proofs", PROOFS_LOCK, "pipeline/event/proofs", ("_cffi_backend",))


class LayerError(PipelineError):
    """The layer cannot be built."""


def build_layer(
    root: Path,
    build: Path,
    python: Path | None = None,
    runtime: Runtime = LAMBDA,
    part: LayerPart = DEPENDENCIES,
) -> Path:
    """Return the folder of a layer, built anew only when its inputs changed.

    Parameters
    ----------
    build : Path
        Where built folders are kept.
    python : Path, optional
        The interpreter whose bytecode is put beside the modules; none without it.
    runtime : Runtime
        Where it is to run; a benchmark has a layer of its own machine.

    Returns
    -------
    Path
        `<build>/<name>-<hash of its inputs>`, with the packages under `python/`.

    Raises
    ------
    LayerError
        When the packages cannot be installed.
    """
    lock = root / part.lock
    locked = lock.read_text(encoding="utf-8")
    modules = (
        sorted((root / part.modules).rglob("*.py"))
        if part.modules
        else sorted({*(root / each for each in runtime_modules(root)), *_of_catalogues(root)})
    )
    names = sorted({*part.beside, *(name for each in modules for name in imports(each))})
    compiled = "with bytecode" if python else "without"
    inputs = [_FORM, astuple(runtime), KEPT, NEVER_CALLED, names, locked, compiled]
    digest = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]
    layer = build / f"{part.name}-{digest}"
    if layer.is_dir():
        return layer
    build.mkdir(parents=True, exist_ok=True)
    # Built beside it and renamed: an interrupted build leaves nothing that looks complete.
    with tempfile.TemporaryDirectory(dir=build, prefix=f"{part.name}-unfinished-") as name:
        unfinished = Path(name) / "layer"
        if python:
            shutil.copytree(build_layer(root, build, runtime=runtime, part=part), unfinished)
            compile_folder(unfinished / "python", python, "/opt/python")
        else:
            _install(lock, unfinished / "python", runtime)
            _prune(unfinished / "python", names)
        try:
            unfinished.rename(layer)
        except OSError:
            if not layer.is_dir():  # else another process was first, with the same content
                raise
    return layer


def _of_catalogues(root: Path) -> Iterable[Path]:
    """Return what no handler imports by itself: a compiled catalogue does, whose sources need it.

    The layer is one for all catalogues.
    """
    return (root / "pipeline").rglob("*.py")


def _install(lock: Path, target: Path, runtime: Runtime) -> None:
    command = [find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable]
    command += ["--target", str(target), "--requirement", str(lock), "--require-hashes"]
    command += ["--python-version", runtime.version]
    command += ["--python-platform", runtime.platform] if runtime.platform else []
    command += ["--only-binary", ":all:", "--no-deps", "--link-mode", "copy"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LayerError(f"the functions' layer cannot be installed:\n{done.stderr.strip()}")


def _prune(target: Path, names: Iterable[str]) -> None:
    """Remove what no function imports, and what differs from one build to the next."""
    wanted = reachable(target, names, NEVER_CALLED)
    for file in [path for path in target.rglob("*") if path.is_file()]:
        place = file.relative_to(target)
        if place not in wanted and place.parts[0] not in KEPT and not _is_metadata(place):
            file.unlink()
    for folder in sorted(target.rglob("__pycache__")):
        shutil.rmtree(folder)
    for metadata in target.glob("*.dist-info"):
        if not any(_is_there(target, file) for file in _owned(metadata)):
            shutil.rmtree(metadata)
            continue
        for name in _INSTALLER_FILES:
            (metadata / name).unlink(missing_ok=True)
    for folder in sorted(target.rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _is_metadata(place: Path) -> bool:
    """Tell whether a file says what was installed: versions and licences."""
    return place.parts[0].endswith(".dist-info")


def _owned(metadata: Path) -> Iterator[Path]:
    """Return the files that a distribution installed (PyPA, "Recording installed projects")."""
    with (metadata / "RECORD").open(encoding="utf-8", newline="") as record:
        yield from (Path(row[0]) for row in csv.reader(record) if row)


def _is_there(target: Path, place: Path) -> bool:
    return not _is_metadata(place) and (target / place).is_file()
