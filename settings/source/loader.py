"""Reads source folders: settings, schemas and samples (build and command line only).

The models are loaded with the first source: a command's help names this module, and needs none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from catalog import FOLDER
from settings.bounded import OUTSIDE, leads_out
from settings.faults import Fault
from settings.reading import checked
from settings.source.errors import SourceError
from settings.source.extending import read_extended

__all__ = [
    "CATALOG",
    "LoadedSource",
    "SourceError",
    "available_sources",
    "load_source",
    "load_sources",
    "read_source_settings",
]

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from settings.source.model import Source
    from settings.source.mozdef_mapping import MozdefMapping
    from settings.source.schemas import CompiledSchema

CATALOG = FOLDER


@dataclass(frozen=True)
class LoadedSource:
    """A source as its folder describes it.

    Parameters
    ----------
    name : str
        The name of the folder, of the route and of the source.
    folder : Path
        Where it was loaded from.
    settings : Source
        `source.yaml`.
    compiled : Mapping[str | None, CompiledSchema]
        Event type to schema; None stands for every other event type.
    """

    name: str
    folder: Path
    settings: Source
    compiled: Mapping[str | None, CompiledSchema]

    @property
    def schemas(self) -> dict[str, Mapping[str, Any]]:
        """Event type to JSON Schema."""
        return {kind: one.document for kind, one in self.compiled.items() if kind is not None}

    @property
    def default_schema(self) -> Mapping[str, Any] | None:
        """The JSON Schema of every other event type."""
        one = self.compiled.get(None)
        return None if one is None else one.document

    @property
    def mozdef(self) -> MozdefMapping:
        """How its events become MozDef events, with what is named after it."""
        mozdef = self.settings.mozdef.named_after(self.name)
        proof = self.settings.proof_of_body
        hidden = proof.hidden_paths(self.settings) if proof else ()
        return mozdef.without(hidden) if hidden else mozdef

    @property
    def queue(self) -> str:
        """The name of the queue that its events go to by default."""
        return self.settings.queue.name or self.name

    @property
    def queues(self) -> list[str]:
        """The names of every queue that its events can go to."""
        return sorted({self.queue, *self.settings.queue.by_type.values()})


def read_source_settings(folder: Path) -> Source:
    """Read the settings of a source alone, without its schemas.

    Raises
    ------
    SourceError
        With all that is wrong with them.
    """
    from settings.source.model import Source

    document = read_extended(folder, CATALOG)
    return checked(Source, document, folder / "source.yaml", SourceError)


def load_source(folder: Path, instead: Mapping[Path, bytes] | None = None) -> LoadedSource:
    """Load one source folder.

    Parameters
    ----------
    instead : Mapping[Path, bytes] | None
        What schemas would hold, by their place in the folder, in the place of what they hold.

    Raises
    ------
    SourceError
        With all that is wrong with its name and its settings, or else with its schemas.
    """
    from settings.source.schemas import read_schema

    name, faults = folder.name, list[Fault]()
    if not _is_name(name):
        expected = "the folder's name is the route; use a-z, 0-9 and '-', a letter first"
        faults.append(Fault(str(folder), "", expected))
        if not (folder / "source.yaml").exists():
            raise SourceError(*faults) from None
    try:
        settings = read_source_settings(folder)
    except SourceError as error:
        raise SourceError(*faults, *error.faults) from None
    faults += _taken(folder, settings)
    wanted: dict[str | None, Path | None] = dict(settings.schemas.types.items())
    wanted[None] = settings.schemas.default
    schemas: dict[Path, CompiledSchema] = {}
    faults += _outside(folder, wanted)
    if faults:
        raise SourceError(*faults)
    # Several types may share a file.
    for file in dict.fromkeys(one for one in wanted.values() if one is not None):
        try:
            schemas[file] = read_schema(
                folder / file,
                formats=settings.schemas.formats,
                instead=(instead or {}).get(file),
            )
        except SourceError as error:
            faults += error.faults
    if faults:
        raise SourceError(*faults)
    compiled = {kind: schemas[file] for kind, file in wanted.items() if file is not None}
    return LoadedSource(name, folder, settings, compiled)


@cache
def _is_name(name: str) -> bool:
    from pydantic import TypeAdapter, ValidationError

    from settings.source.base import SourceName

    try:
        TypeAdapter(SourceName).validate_python(name)
    except ValidationError:
        return False
    return True


def _taken(folder: Path, settings: Source) -> Iterator[Fault]:
    """Find a body and a field of `details` that would have one name, which is the folder's."""
    from settings.source.detail_fields import DOCUMENTED

    mozdef = settings.mozdef
    own = mozdef.body == "own_name" and mozdef.details == "body"
    if own and folder.name in DOCUMENTED | mozdef.fields.keys():
        expected = f"details.{folder.name} is a field of MozDef's; give the folder another name"
        yield Fault(str(folder / "source.yaml"), "mozdef.body", expected)


def _outside(folder: Path, wanted: Mapping[str | None, Path | None]) -> Iterator[Fault]:
    """Find schemas outside of the source's folder: who wrote it may not choose among all files."""
    for kind, file in wanted.items():
        if file is not None and leads_out(folder, folder / file):
            key = "schemas.default" if kind is None else f"schemas.types.{kind}"
            yield Fault(str(folder / "source.yaml"), key, f"{file} {OUTSIDE}")


def load_sources(names: Sequence[str], private: Path | None = None) -> dict[str, LoadedSource]:
    """Load sources by name, private ones before those of the catalogue.

    Parameters
    ----------
    private : Path | None
        A directory of further source folders, such as `config/sources`.

    Raises
    ------
    SourceError
        When a source is in neither place, or its folder is wrong.
    """
    found = available_sources(private)
    loaded = {}
    for name in names:
        if name not in found:
            raise SourceError(
                f"{name}: no such source; there are {', '.join(sorted(found)) or 'none'}"
            )
        loaded[name] = load_source(found[name])
    return loaded


def available_sources(private: Path | None = None) -> dict[str, Path]:
    """Return the folder of every source that there is, by name.

    Raises
    ------
    SourceError
        When a directory of them cannot be read.
    """
    found: dict[str, Path] = {}
    for directory in (CATALOG, private):
        if directory is not None and directory.is_dir():
            try:
                folders = list(directory.iterdir())
            except OSError as error:
                raise SourceError(f"{directory}: cannot be read: {error.strerror}") from None
            found |= {folder.name: folder for folder in folders if _is_source(folder)}
    return found


def _is_source(folder: Path) -> bool:
    try:
        return (folder / "source.yaml").exists()
    except OSError:
        return True  # Whoever loads it says why it cannot be read.
