"""A changed schema, tried before it is saved: on archived events, and on the source's samples.

It is compiled and held to the reference library as the build does, and events go through the
pipeline's own steps.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.event.envelope import encode_envelope
from pipeline.event.events import Outcomes, Record
from pipeline.event.mozdef_event import write_message
from pipeline.event.ranges import write_ranges
from pipeline.event.steps import examine
from settings.bounded import UnfitFileError, read_own
from settings.source.loader import CATALOG, SourceError, load_source, read_source_settings
from toolbox.sources.checking import check_sources
from toolbox.sources.rehearsal import compiled
from toolbox.sources.unproved import without_proof

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.archive.lines import ArchivedEvent
    from pipeline.event.compiled_source import Catalog

#: Events that one trial takes.
MOST_TRIED = 200


class SchemaChangeError(PipelineError):
    """A schema cannot be changed here."""


@dataclass(frozen=True)
class SchemaFile:
    """A schema of a private source, as it is on the disk.

    Parameters
    ----------
    folder : Path
        The source's.
    file : Path
        Its place in the folder.
    text : str
        What it holds.
    """

    source: str
    folder: Path
    file: Path
    text: str

    @property
    def digest(self) -> str:
        """What tells this text from another one."""
        return digest_of(self.text)


@dataclass(frozen=True)
class StillRejected:
    """An event that the changed schema does not let through."""

    id: str
    reason: str
    explanation: str


@dataclass(frozen=True)
class MisfitSample:
    """A sample that does not end as it says, with the changed schema."""

    name: str
    faults: tuple[str, ...]


@dataclass(frozen=True)
class SchemaTrial:
    """What a changed schema makes of events and samples.

    Parameters
    ----------
    faults : tuple[str, ...]
        Why it cannot be used at all, each with its place; nothing was tried then.
    tried, passed : int
        Events.
    more : bool
        Whether there are events beyond `MOST_TRIED`.
    samples : int
        How many the source has.
    """

    faults: tuple[str, ...] = ()
    tried: int = 0
    passed: int = 0
    more: bool = False
    rejected: tuple[StillRejected, ...] = ()
    samples: int = 0
    misfits: tuple[MisfitSample, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether a build would take it."""
        return not self.faults

    @property
    def is_well(self) -> bool:
        """Whether all events pass, and all samples fit."""
        return self.is_sound and self.passed == self.tried and not self.misfits


def digest_of(text: str) -> str:
    """Return what tells a text from another one."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def schema_file(source: str, folder: Path, event_type: str) -> SchemaFile:
    """Return the schema that events of a type are held to.

    Raises
    ------
    SchemaChangeError
        When the source is a built-in one, no schema is for the type, or it cannot be read.
    SourceError
        When the settings of the source are broken.
    """
    # A link can stand for its folder.
    if folder.resolve().parent == CATALOG.resolve():
        raise SchemaChangeError(
            f"{source} is built in, and is not changed here. Make a private source with "
            f"'extends: {source}' and the schema; docs/adding-a-source.md says how"
        )
    schemas = read_source_settings(folder).schemas
    file = schemas.types.get(event_type, schemas.default)
    if file is None:
        raise SchemaChangeError(
            f"{source}: no schema is for the type {event_type!r}; unknown_types in source.yaml "
            "rejects it, or add it to schemas.types"
        )
    return SchemaFile(source, folder, file, _read(folder, file))


def _read(folder: Path, file: Path) -> str:
    try:
        return read_own(folder, folder / file).decode("utf-8", errors="replace")
    except UnfitFileError as error:
        raise SchemaChangeError(f"{folder / file}: {error}") from None


def try_schema(schema: SchemaFile, text: str, events: Iterable[ArchivedEvent]) -> SchemaTrial:
    """Try what a schema would hold; nothing is written.

    Parameters
    ----------
    events : Iterable[ArchivedEvent]
        Archived events of the source; the first `MOST_TRIED` are taken.
    """
    try:
        source = load_source(schema.folder, {schema.file: text.encode(errors="replace")})
        with compiled({source.name: source}) as catalog:
            open_to_all = without_proof(catalog, source)
            taken = list(islice(events, MOST_TRIED + 1))
            found = [_rejection(open_to_all, one) for one in taken[:MOST_TRIED]]
        checked = check_sources({source.name: source})
    except SourceError as error:
        return SchemaTrial(tuple(str(fault) for fault in error.faults))
    misfits = [
        MisfitSample(one.sample, one.faults or ("the MozDef event differs",))
        for one in checked
        if not one.fits
    ]
    rejected = tuple(one for one in found if one is not None)
    return SchemaTrial(
        tried=len(found),
        passed=len(found) - len(rejected),
        more=len(taken) > MOST_TRIED,
        rejected=rejected,
        samples=len(checked),
        misfits=tuple(misfits),
    )


def _rejection(catalog: Catalog, event: ArchivedEvent) -> StillRejected | None:
    """Take an event from its record to its message; return why it does not come so far."""
    if event.envelope is None:
        return StillRejected(event.id, "malformed_envelope", "the record is no envelope")
    only = write_ranges(event.numbers) if event.numbers else event.envelope.only
    data = encode_envelope(event.envelope._replace(only=only))
    outcomes = Outcomes()
    # Its signature was verified when it came; it may be too old now.
    good = examine(
        [Record("1", "shardId-000000000000", event.arrived, data)], outcomes, catalog, None
    )
    outcomes.each(good, write_message)
    for outcome in outcomes.all:
        if outcome.reason is not None:
            return StillRejected(event.id, str(outcome.reason), outcome.explanation[:500])
    return None


def save_schema(schema: SchemaFile, text: str) -> None:
    """Write a schema in one step: who reads the folder meanwhile sees the old text or the new one.

    Raises
    ------
    SchemaChangeError
        When it was changed since it was read, or cannot be written.
    """
    path = schema.folder / schema.file
    if digest_of(_read(schema.folder, schema.file)) != schema.digest:
        raise SchemaChangeError(f"{path}: was changed meanwhile; load the page again")
    made = ""
    try:
        with NamedTemporaryFile(
            "wb", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            made = file.name
            file.write(text.encode(errors="replace"))
            os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
            file.flush()
            os.fsync(file.fileno())
        Path(made).replace(path)
    except OSError as error:
        Path(made).unlink(missing_ok=True)
        raise SchemaChangeError(f"{path}: cannot be written: {error.strerror}") from None
