"""Makes what several worker processes of one test run only read: once, by whoever comes first."""

from __future__ import annotations

import fcntl
import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def made_once(
    factory: pytest.TempPathFactory, name: str, key: str, make: Callable[[Path], object]
) -> Path:
    """Return a folder of this test run, made by the first worker that asks for it.

    Parameters
    ----------
    factory : pytest.TempPathFactory
        Knows the folder of the run.
    name, key : str
        What it is, and what makes it differ from others of that name.
    make : Callable[[Path], object]
        Fills the folder, which is there and empty. One that fails is called again by the next.
    """
    base = factory.getbasetemp()
    # A worker's base is a folder of its own below that of the run.
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)
    place = shared / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    folder, done = place / "made", place / "done"
    place.mkdir(exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            done.touch()
    return folder
