"""What is changed and what must notice it: `mutants.toml`, and the sample of each room."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.mutants.mutations import Mutant, mutants_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class MutantError(Exception):
    """The plan does not fit the code, or the tests fail without a mutant."""


@dataclass(frozen=True)
class Room:
    """A room: its modules, and the tests that are its own.

    Parameters
    ----------
    code, tests : tuple[str, ...]
        Files and folders of the project.
    sampled : bool
        Whether mutants of it are drawn; else it only has named ones.
    """

    name: str
    code: tuple[str, ...]
    tests: tuple[str, ...]
    sampled: bool = True

    def files(self, project: Path) -> list[str]:
        """Return its modules."""
        found = [
            path
            for one in self.code
            for path in (
                sorted((project / one).rglob("*.py"))
                if (project / one).is_dir()
                else [project / one]
            )
        ]
        return [str(path.relative_to(project)) for path in found]


@dataclass(frozen=True)
class NamedMutant:
    """A mutant that once survived, by the text that it changes."""

    name: str
    room: str
    file: str
    old: str
    new: str

    def mutant(self, project: Path) -> Mutant:
        """Return the mutant.

        Raises
        ------
        MutantError
            When the text is not in the file, or more than once.
        """
        source = (project / self.file).read_text()
        count = source.count(self.old)
        if count != 1:
            raise MutantError(
                f"{self.name}: its text is {count} times in {self.file}, and once is wanted; "
                "describe the mutant for the code as it is now"
            )
        return Mutant(self.file, self.name, partial(source.replace, self.old, self.new))


@dataclass(frozen=True)
class Plan:
    """All that `mutants.toml` says.

    Parameters
    ----------
    equivalent : dict[str, str]
        The id of a mutant that behaves as the code does, and why no test can tell them apart.
    """

    project: Path
    rooms: dict[str, Room]
    named: list[NamedMutant]
    equivalent: dict[str, str]

    @classmethod
    def read(cls, project: Path, file: Path) -> Plan:
        """Read a plan for a project.

        Raises
        ------
        MutantError
            When a reason is missing, or a room is unknown.
        """
        document: dict[str, Any] = tomllib.loads(file.read_text())
        rooms = {
            name: Room(
                name, tuple(room["code"]), tuple(room["tests"]), sampled=room.get("sampled", True)
            )
            for name, room in document["room"].items()
        }
        named = [NamedMutant(**one) for one in document.get("named", [])]
        if unknown := {one.room for one in named} - set(rooms):
            raise MutantError(f"{file.name}: no such rooms: {sorted(unknown)}")
        equivalent = {one["id"]: one["why"] for one in document.get("equivalent", [])}
        if silent := [name for name, why in equivalent.items() if not why.strip()]:
            raise MutantError(f"{file.name}: without a reason: {silent}")
        return cls(project, rooms, named, equivalent)

    def room(self, name: str) -> Room:
        """Return a room by its name; MutantError where there is none."""
        if name not in self.rooms:
            raise MutantError(f"no room {name}; there are {', '.join(self.rooms)}")
        return self.rooms[name]

    def all_of(self, room: Room) -> list[Mutant]:
        """Return every mutant of a room."""
        return [
            mutant
            for file in room.files(self.project)
            for mutant in mutants_of(file, (self.project / file).read_text())
        ]

    def sample(self, room: Room, size: int, seed: int) -> list[Mutant]:
        """Draw mutants of a room.

        Each has a place of its own in the draw, so that a change elsewhere in the code leaves the
        rest of the sample as it was.
        """
        return sorted(self.all_of(room), key=lambda one: _place(one.id, seed))[:size]

    def stale(self, room: Room, known: Sequence[Mutant]) -> list[str]:
        """Return the equivalent mutants that name this room's files, and that nothing makes."""
        files, ids = set(room.files(self.project)), {one.id for one in known}
        return [
            name for name in self.equivalent if name.partition(":")[0] in files and name not in ids
        ]


def _place(identifier: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {identifier}".encode()).digest()
