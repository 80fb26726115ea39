"""What the pages of tickets show, and what their forms do."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any

from pipeline.archive.keys import SCHEMAS_PREFIX
from pipeline.archive.lines import ArchivedEvent
from pipeline.archive.reading import read_object
from pipeline.errors import PipelineError
from pipeline.event.outcomes import Reason
from pipeline.replay.engine import REPLAY_LIMIT
from pipeline.replay.times import iso
from toolbox.console.replays.data import why_of, windows_for
from toolbox.dead_letters.dismissing import dismiss_ticket
from toolbox.dead_letters.listing import group_causes
from toolbox.dead_letters.queue import UNREADABLE, find_ticket
from toolbox.dead_letters.reading import (
    archived_objects,
    event_documents,
    open_queue,
    quarantined,
    read_ticket,
    summarized,
    ticket_document,
)
from toolbox.dead_letters.replaying import keeper, plan_of_tickets, replay_tickets
from toolbox.replaying.plan import job_store, sending
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
    from collections.abc import Iterator, Mapping, Sequence

    from toolbox.console.replays.running import ConsoleReplay
    from toolbox.console.scene import ConsoleScene
    from toolbox.dead_letters.listing import CauseGroup
    from toolbox.dead_letters.queue import Ticket

#: Objects that one page reads, and events of one ticket that it shows.
MOST_READ, MOST_EVENTS = 200, 100
_CUT = 2_000
#: A look hides the tickets from another one, so there is one at a time.
_LOOKING = Lock()
LOOK_SECONDS = 10
#: Between the look at a schema's file and its change there is no other change.
_SAVING = Lock()


class TicketsHeldError(PipelineError):
    """Something of this console holds the tickets."""


@contextmanager
def _one_look() -> Iterator[None]:
    if not _LOOKING.acquire(timeout=LOOK_SECONDS):
        raise TicketsHeldError(
            "a replay of this console holds the tickets, and gives them back when it ends; see it "
            "under Replay"
        )
    try:
        yield
    finally:
        _LOOKING.release()


@dataclass(frozen=True)
class TicketsPage:
    """The tickets, by cause and each.

    Parameters
    ----------
    notes : tuple[str, ...]
        What was not read, and why.
    """

    total: int
    groups: tuple[CauseGroup, ...]
    tickets: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    quarantine: bool

    def document(self) -> dict[str, Any]:
        """Return what the JSON twin has."""
        groups = [{**one._asdict(), "cause": one.cause._asdict()} for one in self.groups]
        return {**asdict(self), "groups": groups}


@dataclass(frozen=True)
class ShownTicket:
    """One ticket with the first of its events.

    Parameters
    ----------
    types : tuple[tuple[str, str], ...]
        Source and type of the events that broke a schema.
    """

    ticket: dict[str, Any]
    events: tuple[dict[str, Any], ...]
    types: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    quarantine: bool


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


def _all(scene: ConsoleScene, *, quarantine: bool, notes: list[str]) -> list[Ticket]:
    if quarantine:
        return quarantined(scene.where, notes.append)
    # A page that is looked at deletes nothing.
    with _one_look(), open_queue(scene.where, sweeps=False) as queue:
        return queue.tickets


def read_tickets(scene: ConsoleScene, *, quarantine: bool) -> TicketsPage:
    """Read the tickets; the objects of the oldest ones."""
    notes: list[str] = []
    tickets = _all(scene, quarantine=quarantine, notes=notes)
    found = list(summarized(scene.where, tickets[:MOST_READ], notes.append))
    if len(tickets) > MOST_READ:
        notes.append(f"the oldest {MOST_READ} of {len(tickets):,} are told apart and listed here")
    documents = tuple(ticket_document(*one) for one in found)
    return TicketsPage(
        len(tickets), tuple(group_causes(found)), documents, tuple(notes), quarantine
    )


def read_one(scene: ConsoleScene, name: str, *, quarantine: bool) -> ShownTicket:
    """Read one ticket and the first of its events."""
    notes: list[str] = []
    ticket = find_ticket(_all(scene, quarantine=quarantine, notes=notes), name)
    events = tuple(islice(event_documents(scene.where, ticket, _CUT), MOST_EVENTS + 1))
    if len(events) > MOST_EVENTS:
        notes.append(f"the first {MOST_EVENTS} of its events are shown")
    broken = {
        (one["source"], one["event_type"])
        for one in events
        if one.get("reason") == Reason.SCHEMA_VIOLATION
    }
    document = read_ticket(scene.where, ticket, notes.append)
    shown = events[:MOST_EVENTS]
    return ShownTicket(document, shown, tuple(sorted(broken)), tuple(notes), quarantine)


def dismiss(scene: ConsoleScene, name: str, asked: Mapping[str, str]) -> None:
    """Delete a ticket; who did so and why is kept in the archive."""
    why = why_of(asked)
    with _one_look(), open_queue(scene.where) as queue:
        dismiss_ticket(scene.where, queue, queue.find(name), why, lambda _: None)


def replay(
    scene: ConsoleScene, names: Sequence[str], asked: Mapping[str, str], told: ConsoleReplay
) -> None:
    """Replay tickets; the queue's others are hidden until it ends."""
    options = {"rate": None, "limit": REPLAY_LIMIT, "force": False, "why": why_of(asked)}
    with _one_look(), open_queue(scene.where) as queue:
        tickets = [queue.find(name) for name in names]
        plan = plan_of_tickets(scene.where, tickets, options, windows_for(scene))
        told.begun.set_result(plan.job)
        stop, history = told.stop_wanted, plan.needed_history()
        with sending(plan, history, stop, on_tick=keeper(queue), show=told.show) as replayer:
            results = replay_tickets(plan, replayer, queue, tickets, stop)
        left = [f"{name} remains: {why}" for name, why in results.items() if why]
        told.failure = "; ".join(left)


def _events(scene: ConsoleScene, ticket: Ticket, source: str, kind: str) -> Iterator[ArchivedEvent]:
    if ticket.kind == UNREADABLE:
        return
    for _, one in read_object(ticket.key, archived_objects(scene.where).chunks(ticket.key)):
        fits = isinstance(one, ArchivedEvent) and (one.source, one.event_type) == (source, kind)
        if isinstance(one, ArchivedEvent) and fits and one.reason == Reason.SCHEMA_VIOLATION:
            yield one


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
    ticket = find_ticket(_all(scene, quarantine=False, notes=[]), name)
    trial = try_schema(schema, text, _events(scene, ticket, source, kind))
    wanted = save and trial.is_sound and (trial.is_well or bool(asked.get("anyway")))
    if wanted:
        record = {"ticket": name, "why": why_of(asked), "trial": asdict(trial)}
        with _SAVING:
            _save(scene, schema_file(source, folders[source], kind), text, asked, record)
    return SchemaPage(name, source, kind, page.file, text, page.digest, trial, wanted)


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
    key = f"{SCHEMAS_PREFIX}{schema.source}-{time.time_ns() // 1_000_000}.json"
    change = {"file": file, "before": schema.text, "after": text}
    when = {"who": scene.where.who(), "when": iso(time.time())}
    # Written first: a schema must not change without a word about it.
    job_store(scene.where).write(key, {**when, **record, **change})
    save_schema(schema, text)
