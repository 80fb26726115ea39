"""The editor of a private source's schema: a change is tried on a ticket's events, and saved.

The archive keeps each change in a record that is written twice: what somebody is about to do before
the file is written, and what came of it after. Where the console ended in between, the record says
`intended`, and the file tells which of the two texts is there.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from pipeline.archive.keys import SCHEMAS_PREFIX
from pipeline.archive.lines import ArchivedEvent
from pipeline.archive.reading import read_object
from pipeline.errors import PipelineError
from pipeline.event.outcomes import Reason
from pipeline.replay.times import iso
from toolbox.console.replays.data import why_of
from toolbox.console.tickets.data import all_tickets
from toolbox.dead_letters.queue import UNREADABLE, find_ticket
from toolbox.dead_letters.reading import archived_objects
from toolbox.replaying.plan import job_store
from toolbox.sources.schema_trial import (
    SchemaChangeError,
    SchemaFile,
    SchemaTrial,
    save_schema,
    schema_file,
    try_schema,
)
from toolbox.terminal.nearest import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolbox.console.scene import ConsoleScene
    from toolbox.dead_letters.queue import Ticket

#: Between the look at a schema's file and its change there is no other change.
_SAVING = Lock()
#: The states of a record.
INTENDED, SAVED, NOT_SAVED = "intended", "saved", "not saved"


@dataclass(frozen=True)
class SchemaPage:
    """The editor of a schema, with what a trial of its text gave."""

    ticket: str
    source: str
    type: str
    file: str
    text: str
    digest: str
    trial: SchemaTrial | None = None
    saved: bool = False


def edited(
    scene: ConsoleScene, name: str, asked: Mapping[str, str], *, save: bool = False
) -> SchemaPage:
    """Return the editor; where it has a text, that is tried, and saved where it is wanted.

    It is saved alone where a build takes it, and all is well or somebody wants it all the same.

    Raises
    ------
    PipelineError
        When the schema cannot be changed here, or the record of it cannot be written.
    """
    source, kind, text = (asked.get(one, "") for one in ("source", "type", "text"))
    folders = scene.folders()
    if source not in folders:
        raise unknown("source", source, folders)
    schema = schema_file(source, folders[source], kind)
    page = SchemaPage(
        name, source, kind, str(schema.folder / schema.file), text or schema.text, schema.digest
    )
    if not text:
        return page
    text = text.replace("\r\n", "\n")
    ticket = find_ticket(all_tickets(scene), name)
    trial = try_schema(schema, text, _events(scene, ticket, source, kind))
    wanted = save and trial.is_sound and (trial.is_well or bool(asked.get("anyway")))
    if wanted:
        record = {"ticket": name, "why": why_of(asked), "trial": asdict(trial)}
        with _SAVING:
            _save(scene, schema_file(source, folders[source], kind), text, asked, record)
    return SchemaPage(name, source, kind, page.file, text, page.digest, trial, wanted)


def _events(scene: ConsoleScene, ticket: Ticket, source: str, kind: str) -> Iterator[ArchivedEvent]:
    if ticket.kind == UNREADABLE:
        return
    for _, one in read_object(ticket.key, archived_objects(scene.where).chunks(ticket.key)):
        fits = isinstance(one, ArchivedEvent) and (one.source, one.event_type) == (source, kind)
        if isinstance(one, ArchivedEvent) and fits and one.reason == Reason.SCHEMA_VIOLATION:
            yield one


def _save(
    scene: ConsoleScene,
    schema: SchemaFile,
    text: str,
    asked: Mapping[str, str],
    record: Mapping[str, Any],
) -> None:
    file = str(schema.folder / schema.file)
    if asked.get("digest") != schema.digest:
        raise SchemaChangeError(f"{file}: was changed meanwhile; load the page again")
    jobs, key = job_store(scene.where), f"{SCHEMAS_PREFIX}{schema.source}-{_milliseconds()}.json"
    change = {"file": file, "before": schema.text, "after": text}
    kept = {"who": scene.where.who(), "when": iso(time.time()), **record, **change}
    jobs.write(key, {**kept, "state": INTENDED})
    try:
        save_schema(schema, text)
    except SchemaChangeError as error:
        jobs.write(key, {**kept, "state": NOT_SAVED, "error": str(error)})
        raise
    try:
        jobs.write(key, {**kept, "state": SAVED})
    except PipelineError as error:
        raise SchemaChangeError(
            f"{file}: is saved, and its record {key} says {INTENDED!r} for ever: {error}"
        ) from None


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000
