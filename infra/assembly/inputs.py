"""The hash of everything that a cloud assembly is made of."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from infra.assembly.layer import LOCK, PROOFS_LOCK
from infra.assembly.locks import BUILD_LOCK, NODE_LOCK
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settings.deployment import Deployment

FILE = "inputs.sha256"

_FOLDERS = ("catalog", "infra", "ingest_lambdas", "pipeline", "settings", "stream_processors")
_FILES = ("cdk.json", "pyproject.toml", LOCK, PROOFS_LOCK, BUILD_LOCK, NODE_LOCK)


class UnreadableInputError(PipelineError):
    """A file that an assembly is made of cannot be read."""


def inputs_hash(root: Path, deployment: Deployment, python: Path | None = None) -> str:
    """Hash what the assembly of a deployment depends on.

    Parameters
    ----------
    deployment : Deployment
        The settings of the stage; its private sources are hashed, too.
    python : Path, optional
        The interpreter whose bytecode is in it.

    Returns
    -------
    str
        SHA-256 in hexadecimal.

    Raises
    ------
    UnreadableInputError
        When one of them cannot be read.
    """
    digest = hashlib.sha256(deployment.model_dump_json().encode())
    digest.update(str(python).encode())
    try:
        for path in sorted(_files(root, deployment)):
            digest.update(f"\0{path}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    except OSError as error:
        raise UnreadableInputError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def is_current(output: Path, expected: str) -> bool:
    """Say whether the assembly was made of inputs with this hash.

    Parameters
    ----------
    output : Path
        The assembly.
    """
    recorded = output / FILE
    return recorded.is_file() and recorded.read_text(encoding="utf-8").strip() == expected


def _files(root: Path, deployment: Deployment) -> Iterator[Path]:
    for folder in (*(root / name for name in _FOLDERS), deployment.source_directory):
        for path in folder.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
    yield from (path for name in _FILES if (path := root / name).is_file())
