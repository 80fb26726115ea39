"""A file or folder without any right to it: not even for root, whom the system lets read all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def forbid(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """Have a place answer as one of mode 000: it is seen, and nothing in it or below is."""

    def refusing(name: str, itself: bool) -> Callable[..., Any]:
        work = getattr(Path, name)

        def looked_at(path: Path, *arguments: Any, **options: Any) -> Any:
            if place in path.parents or (itself and path == place):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return work(path, *arguments, **options)

        return looked_at

    for name in ("stat", "iterdir", "read_bytes"):
        monkeypatch.setattr(Path, name, refusing(name, itself=name != "stat"))
