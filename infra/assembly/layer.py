"""The functions' layer: the runtime's dependencies for the Lambda platform, from their lock."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from uv import find_uv_bin

from infra.assembly.bytecode import PYTHON_VERSION, compile_folder
from pipeline.errors import PipelineError

PLATFORM = "aarch64-manylinux2014"
BOTOCORE_SERVICES = frozenset({"dynamodb", "kinesis", "kms", "s3", "sqs", "ssm", "sts"})
"""The services whose models the functions need. All of them would be some 25 MB."""

LOCK = "requirements-runtime.lock"
"""What the functions need: `pyproject.toml` without extras, as `make lock` writes it."""

_FORM = 2  # Raise it when what is removed below changes: it is part of the cache's key.
_INSTALLER_FILES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")


class LayerError(PipelineError):
    """The layer cannot be built."""


def build_layer(root: Path, build: Path, python: Path | None = None) -> Path:
    """Return the folder of the layer, built anew only when its inputs changed.

    Parameters
    ----------
    build : Path
        Where built folders are kept.
    python : Path, optional
        The interpreter whose bytecode is put beside the modules; none without it.

    Returns
    -------
    Path
        `<build>/layer-<hash of its inputs>`, with the packages under `python/`.

    Raises
    ------
    LayerError
        When the packages cannot be installed.
    """
    lock = root / LOCK
    locked = lock.read_text(encoding="utf-8")
    compiled = "with bytecode" if python else "without"
    inputs = [_FORM, PYTHON_VERSION, PLATFORM, sorted(BOTOCORE_SERVICES), locked, compiled]
    digest = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]
    layer = build / f"layer-{digest}"
    if layer.is_dir():
        return layer
    build.mkdir(parents=True, exist_ok=True)
    # Built beside it and renamed: an interrupted build leaves nothing that looks complete.
    with tempfile.TemporaryDirectory(dir=build, prefix="layer-unfinished-") as name:
        unfinished = Path(name) / "layer"
        if python:
            shutil.copytree(build_layer(root, build), unfinished)
            compile_folder(unfinished / "python", python, "/opt/python")
        else:
            _install(lock, unfinished / "python")
            _prune(unfinished / "python")
        try:
            unfinished.rename(layer)
        except OSError:
            if not layer.is_dir():  # else another process was first, with the same content
                raise
    return layer


def _install(lock: Path, target: Path) -> None:
    command = [find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable]
    command += ["--target", str(target), "--requirement", str(lock), "--require-hashes"]
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
