"""Remembers, from one process to the next, which validator modules agreed with the reference.

To see it takes seconds for the whole catalogue, and each synthesis and each look at a source asks.
What is remembered is a hash of all that the answer depends on, never the answer to something else.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

_known: set[str] = set()


def digest_of(*parts: str) -> str:
    """Return what names a question: its parts, and everything that answers it."""
    return hashlib.sha256("\0".join((_judges(), *parts)).encode()).hexdigest()


def is_known(digest: str) -> bool:
    """Tell whether the modules of this question agreed."""
    if digest not in _known and (_folder() / digest).is_file():
        _known.add(digest)
    return digest in _known


def remember(digest: str) -> None:
    """Keep that they agreed; for this process alone where the folder cannot be written."""
    _known.add(digest)
    with suppress(OSError):
        _folder().mkdir(parents=True, exist_ok=True)
        (_folder() / digest).touch()


@cache
def _folder() -> Path:
    """Return the folder of the XDG Base Directory Specification; a relative one does not count."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not folder.is_absolute():
        try:
            folder = Path.home() / ".cache"
        except RuntimeError:  # a user without a home: nothing is ever found or kept there
            folder = Path(os.devnull)
    return folder / "mozdef-ef" / "agreed"


@cache
def _judges() -> str:
    judges = hashlib.sha256(sys.version.encode())
    for library in ("fastjsonschema", "jsonschema"):
        judges.update(f"{library} {version(library)}".encode())
    for module in sorted(Path(__file__).parent.glob("schema*.py")):
        judges.update(module.read_bytes())
    return judges.hexdigest()
