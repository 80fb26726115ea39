"""The functions' layer: the runtime's dependencies for the Lambda platform, from the lock."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from uv import find_uv_bin

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON_VERSION = "3.13"
PLATFORM = "aarch64-manylinux2014"
BOTOCORE_SERVICES = frozenset({"dynamodb", "kinesis", "kms", "s3", "sqs", "ssm", "sts"})
"""The services whose models the functions need. All of them would be some 25 MB."""

_FORM = 1  # Raise it when what is removed below changes: it is part of the cache's key.
_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==")
_VIA = re.compile(r"^\s+#(?: via)?\s+(\S+)")
_INSTALLER_FILES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")


class LayerError(PipelineError):
    """The layer cannot be built."""


@dataclass(frozen=True)
class LockedPackage:
    """One entry of the lock: a package at a version, and who asked for it."""

    name: str
    requirement: str
    required_by: frozenset[str]


def build_layer(root: Path, build: Path) -> Path:
    """Give the folder of the layer, built anew only when its inputs changed.

    Parameters
    ----------
    root : Path
        The project's root, with `pyproject.toml` and `requirements.lock`.
    build : Path
        Where built folders are kept.

    Returns
    -------
    Path
        `<build>/layer-<hash of its inputs>`, with the packages under `python/`.

    Raises
    ------
    LayerError
        When the packages cannot be installed.
    """
    packages = runtime_closure(
        (root / "requirements.lock").read_text(encoding="utf-8"), direct_dependencies(root)
    )
    requirements = "".join(package.requirement for package in packages)
    inputs = [_FORM, PYTHON_VERSION, PLATFORM, sorted(BOTOCORE_SERVICES), requirements]
    digest = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]
    layer = build / f"layer-{digest}"
    if layer.is_dir():
        return layer
    build.mkdir(parents=True, exist_ok=True)
    # Built beside it and renamed: an interrupted build leaves nothing that looks complete.
    with tempfile.TemporaryDirectory(dir=build, prefix="layer-unfinished-") as name:
        unfinished = Path(name) / "layer"
        _install(requirements, unfinished / "python")
        _prune(unfinished / "python")
        try:
            unfinished.rename(layer)
        except OSError:
            if not layer.is_dir():  # else another process was first, with the same content
                raise
    return layer


def direct_dependencies(root: Path) -> frozenset[str]:
    """Give the names in `[project].dependencies`: what the functions import.

    Parameters
    ----------
    root : Path
        The project's root.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = (re.match(r"[A-Za-z0-9._-]+", entry) for entry in project["dependencies"])
    return frozenset(_normal(name.group()) for name in names if name)


def runtime_closure(lock: str, direct: frozenset[str]) -> list[LockedPackage]:
    """Give the packages that the functions need, by the lock's own notes on who asked for what.

    The lock is resolved for every extra at once, so each entry says `# via` whom it is there. An
    answer from the lock alone is the same on every machine, whatever is installed.

    Parameters
    ----------
    lock : str
        The text of `requirements.lock`.
    direct : frozenset[str]
        The names to begin with.

    Raises
    ------
    LayerError
        When the lock lacks one of them.
    """
    packages = list(_entries(lock))
    if missing := direct - {package.name for package in packages}:
        raise LayerError(f"requirements.lock: {', '.join(sorted(missing))}: run 'make lock'")
    needed = set(direct)
    while True:
        found = {package.name for package in packages if package.required_by & needed} - needed
        if not found:
            return [package for package in packages if package.name in needed]
        needed |= found


def _entries(lock: str) -> Iterator[LockedPackage]:
    lines: list[str] = []
    for line in [*lock.splitlines(keepends=True), "end==\n"]:
        if _REQUIREMENT.match(line):
            if lines:
                yield _entry(lines)
            lines = []
        if lines or _REQUIREMENT.match(line):
            lines.append(line)


def _entry(lines: list[str]) -> LockedPackage:
    name = _REQUIREMENT.match(lines[0])
    assert name is not None  # noqa: S101 - _entries begins an entry with such a line
    via = (found.group(1) for line in lines[1:] if (found := _VIA.match(line)))
    requirement = "".join(line for line in lines if not line.lstrip().startswith("#"))
    return LockedPackage(_normal(name.group(1)), requirement, frozenset(map(_normal, via)))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _install(requirements: str, target: Path) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(requirements)
        file.flush()
        command = [find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable]
        command += ["--target", str(target), "--requirement", file.name, "--require-hashes"]
        command += ["--python-platform", PLATFORM, "--python-version", PYTHON_VERSION]
        command += ["--only-binary", ":all:", "--no-deps", "--link-mode", "copy"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LayerError(f"the functions' layer cannot be installed:\n{done.stderr.strip()}")


def _prune(target: Path) -> None:
    """Remove what no function reads, and what differs from one build to the next."""
    for folder in (target / "botocore" / "data").iterdir():
        if folder.is_dir() and folder.name not in BOTOCORE_SERVICES:
            shutil.rmtree(folder)
    for name in ("bin", "boto3/examples"):
        shutil.rmtree(target / name, ignore_errors=True)
    for folder in sorted(target.rglob("__pycache__")):
        shutil.rmtree(folder)
    (target / ".lock").unlink(missing_ok=True)
    for metadata in target.glob("*.dist-info"):
        for name in _INSTALLER_FILES:
            (metadata / name).unlink(missing_ok=True)
