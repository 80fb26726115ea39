"""The tickets of a deployment, and what their objects hold, for whoever shows them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pipeline.archive.keys import ArchiveKind
from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.archive.reading import Unreadable, read_object
from pipeline.replay.times import iso
from toolbox.dead_letters.function_log import (
    LocalFunctionLog,
    StackFunctionLog,
    cause_of,
    with_causes,
)
from toolbox.dead_letters.quarantine import quarantine_tickets
from toolbox.dead_letters.queue import UNREADABLE, DeadLetters, Ticket
from toolbox.dead_letters.summary import Summary, summarize, summarize_all
from toolbox.terminal.archived import event_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from toolbox.dead_letters.function_log import FunctionLog
    from toolbox.deployments import RunningDeployment


def open_queue(
    where: RunningDeployment,
    on_progress: Callable[[int], None] = lambda _: None,
    *,
    sweeps: bool = True,
) -> DeadLetters:
    """Return the tickets of a deployment."""
    queue, bucket = where.dead_letter_queue, where.archive_bucket
    sqs = where.client("sqs")
    return DeadLetters(sqs, queue, bucket, on_progress, sweeps=sweeps, exact=where.local)


def archived_objects(where: RunningDeployment) -> Objects:
    """Return the archive's objects."""
    return Objects(where.client("s3"), where.archive_bucket)


def quarantined(where: RunningDeployment, lacks: Callable[[str], None]) -> list[Ticket]:
    """Return what is in quarantine.

    Parameters
    ----------
    lacks : Callable[[str], None]
        Is told what is not listed.
    """
    return quarantine_tickets(ArchiveListing(where.client("s3"), where.archive_bucket), lacks)


def function_log(where: RunningDeployment, lacks: Callable[[str], None]) -> FunctionLog:
    """Return the logs of a deployment's functions.

    Parameters
    ----------
    lacks : Callable[[str], None]
        Is told what cannot be read.
    """
    if where.logs is not None:
        return LocalFunctionLog(where.logs)
    return StackFunctionLog(lambda: where.client("logs"), lacks)


def summarized(
    where: RunningDeployment, tickets: Sequence[Ticket], lacks: Callable[[str], None]
) -> Iterator[tuple[Ticket, Summary]]:
    """Return tickets with what their objects hold, one after the other."""
    keys = (ticket.key for ticket in tickets if ticket.kind != UNREADABLE)
    read = summarize_all(archived_objects(where), keys)
    # They are asked for in the same order.
    found = (
        (ticket, Summary() if ticket.kind == UNREADABLE else next(read)[1]) for ticket in tickets
    )
    yield from with_causes(found, archived_objects(where), function_log(where, lacks))


def read_ticket(
    where: RunningDeployment, ticket: Ticket, lacks: Callable[[str], None]
) -> dict[str, Any]:
    """Return what an operator wants to know of one ticket."""
    if ticket.kind == UNREADABLE:
        return ticket_document(ticket, None)
    objects = archived_objects(where)
    summary = summarize(objects, ticket.key)
    if ticket.kind == ArchiveKind.FAILED:
        summary.cause = cause_of(objects, ticket.key, function_log(where, lacks))
    return ticket_document(ticket, summary)


def ticket_document(ticket: Ticket, summary: Summary | None) -> dict[str, Any]:
    """Return what an operator wants to know of a ticket."""
    found = summary or Summary()
    explanation = found.explanation
    if ticket.kind == UNREADABLE:
        explanation = "a message that is no notification of the archive; see it, and dismiss it"
    return {
        "id": ticket.id,
        "kind": ticket.kind,
        "key": ticket.key,
        "gone": found.gone,
        "sources": sorted(found.sources),
        "reasons": dict(sorted(found.reasons.items())),
        "count": found.events,
        "unreadable": found.faults,
        "notifications": len(ticket.messages),
        "since": iso(ticket.since),
        "age_seconds": max(int(time.time() - ticket.since), 0),
        "explanation": explanation,
        "cause": found.cause,
    }


def event_documents(where: RunningDeployment, ticket: Ticket, most: int | None) -> Iterator[Any]:
    """Return the events of a ticket's object, and what of it cannot be read.

    Parameters
    ----------
    most : int | None
        Characters of each body; all of them when None.
    """
    if ticket.kind == UNREADABLE:
        yield {"message": ticket.key if most is None else ticket.key[:most]}
        return
    for line, item in read_object(ticket.key, archived_objects(where).chunks(ticket.key)):
        if isinstance(item, Unreadable):
            yield {"line": line, "fault": item.explanation}
        else:
            yield event_document(item, line, most)
