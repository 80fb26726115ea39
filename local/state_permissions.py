"""Keeps a state directory to its owner: what it holds are secrets and events."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local.files import OWNER_ALONE
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a runtime makes in it; what else lies there is the user's own, and behind a closed door.
_FOLDERS = ("checkpoints", "emulator", "logs")


class StateUnusableError(PipelineError):
    """The state directory is none, or it or something in it belongs to another user."""


def make_for_owner(path: Path) -> None:
    """Make a state directory that its owner alone can enter, or close the one that is there.

    Raises
    ------
    StateUnusableError
        When it is another user's, who could read and exchange what is kept there.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
    if not path.is_dir():
        raise StateUnusableError(f"{path}: no directory; name another with --state")
    _close(path)


def close_what_is_in(path: Path) -> None:
    """Close what an earlier version left readable. Links are not followed.

    To be called while nobody else writes there.

    Raises
    ------
    StateUnusableError
        When a part of it is another user's.
    """
    for entry in os.scandir(path):
        if entry.name in _FOLDERS and entry.is_dir(follow_symlinks=False):
            for folder, names, files in os.walk(entry.path):
                _close(folder)
                for name in (*names, *files):
                    _close(Path(folder, name))
        elif entry.is_file(follow_symlinks=False):
            _close(entry.path)


def _close(path: Path | str) -> None:
    found = os.lstat(path)
    if found.st_uid != os.geteuid():
        raise StateUnusableError(
            f"{path}: belongs to another user (id {found.st_uid}), who could read what is kept "
            "here; remove it, or name another directory with --state"
        )
    closed = stat.S_IMODE(found.st_mode) & ~OWNER_ALONE
    if not stat.S_ISLNK(found.st_mode) and closed != stat.S_IMODE(found.st_mode):
        Path(path).chmod(closed)


@contextmanager
def owner_alone() -> Iterator[None]:
    """Have every file that this process, or one that it starts, makes be its owner's alone."""
    before = os.umask(OWNER_ALONE)
    try:
        yield
    finally:
        os.umask(before)
