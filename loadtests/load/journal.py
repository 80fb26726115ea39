"""What was accepted: written by each process that sends, read when the proof is made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, Self

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PATTERN = "accepted-*.tsv"
_NONE = "-"


class JournalError(PipelineError):
    """A journal is broken."""


class Accepted(NamedTuple):
    """A request that was answered with 2xx.

    Parameters
    ----------
    source : str
        Where it was sent.
    kind : str
        `event`, `copy` or `bad`.
    token : str
        What tells its event apart in a message; empty where nothing does.
    events : int
        How many events are in it.
    answered : float
        When the answer was there, in epoch seconds.
    """

    id: str
    source: str
    kind: str
    token: str
    events: int
    answered: float


class Journal:
    """Writes what one process had accepted; a context manager.

    Parameters
    ----------
    folder : Path
        Where all of them write.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = _PATTERN.replace("*", f"{os.getpid()}")
        self._file = (folder / name).open("w", encoding="ascii", errors="backslashreplace")

    def write(self, one: Accepted) -> None:
        """Note one."""
        words = (one.id, one.source, one.kind, one.token or _NONE, str(one.events))
        self._file.write("\t".join(words) + f"\t{one.answered:.6f}\n")

    def flush(self) -> None:
        """Have others see what is noted."""
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_journals(folder: Path) -> Iterator[Accepted]:
    """Read what all processes noted.

    Raises
    ------
    JournalError
        When a line is no such note: a process was killed while it wrote.
    """
    for path in sorted(folder.glob(_PATTERN)):
        with path.open(encoding="ascii") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    *words, events, answered = line.removesuffix("\n").split("\t")
                    identifier, source, kind, token = words
                    one = Accepted(identifier, source, kind, token, int(events), float(answered))
                except ValueError:
                    raise JournalError(
                        f"{path.name} line {number}: broken off; the process was killed, so this "
                        "run proves nothing: run it again"
                    ) from None
                yield one._replace(token="") if token == _NONE else one


class Counting:
    """Counts the accepted requests while they come.

    Parameters
    ----------
    folder : Path
        Where the processes write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._count = 0

    def count(self) -> int:
        """Return how many there are by now; only what is new is read."""
        for path in self._folder.glob(_PATTERN):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                new = file.read()
            self._read[path] = self._read.get(path, 0) + len(new)
            self._count += new.count(b"\n")
        return self._count
