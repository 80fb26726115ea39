"""Source folders as they are: one that is broken stops what needs it, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from settings.source.loader import CATALOG, SourceError
from toolbox.project.next_steps import next_step

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

T = TypeVar("T")


def read_sound(
    folders: Mapping[str, Path], read: Callable[[Path], T], needed: Collection[str] = ()
) -> tuple[dict[str, T], list[str]]:
    """Read source folders, and leave out those that are broken.

    Parameters
    ----------
    folders : Mapping[str, Path]
        By name.
    read : Callable[[Path], T]
        Reads one; whatever it raises is its folder's fault.
    needed : Collection[str]
        The names of those that may not be left out.

    Returns
    -------
    tuple[dict[str, T], list[str]]
        What was read, by name; and a line for each folder that was left out.

    Raises
    ------
    SourceError
        When one that is needed is broken.
    """
    sound: dict[str, T] = {}
    broken: list[str] = []
    for name, folder in sorted(folders.items()):
        try:
            sound[name] = read(folder)
        except Exception as error:  # noqa: BLE001 - a folder may hold anything
            line = _one_line(name, folder, error)
            if name in needed:
                raise SourceError(line) from None
            broken.append(line)
    return sound, broken


def origin(folder: Path) -> str:
    """Say where a source comes from."""
    return "catalogue" if folder.parent == CATALOG else "private"


def _one_line(name: str, folder: Path, error: Exception) -> str:
    faults = [str(fault) for fault in error.faults] if isinstance(error, SourceError) else []
    first, more = (faults or [f"{folder}: {error!r}"])[0], len(faults) - 1
    rest = f" (and {more} more)" if more > 0 else ""
    said, step = " ".join(first.split()), next_step(f"source check {name}")
    return f"source {name} is broken: {said}{rest}; see '{step}'"
