"""`mozdef-ef dead-letters`: the tickets for what was rejected or failed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.archive.keys import DISMISSED_PREFIX
from pipeline.archive.objects import Objects
from pipeline.archive.reading import Unreadable, read_object
from pipeline.replay.engine import REPLAY_LIMIT
from pipeline.replay.times import iso
from toolbox.cli.dead_letters_replay import replay_tickets
from toolbox.cli.replay_run import store
from toolbox.dead_letters.listing import PAGE, group_tickets, page_of
from toolbox.dead_letters.queue import UNREADABLE, DeadLetterError, DeadLetters, Ticket
from toolbox.dead_letters.summary import Summary, summarize, summarize_all
from toolbox.deployments import DEFAULT_STATE, RunningDeployment, Stack, State, find_deployment
from toolbox.terminal.archived import event_document
from toolbox.terminal.output import console, errors, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from toolbox.dead_letters.listing import TicketGroup

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Identifier = Annotated[str, typer.Argument(metavar="ID", help="The beginning is enough.")]
CUT = 500
_OF_SEVERAL_LINES = frozenset({"body", "record", "message"})


def _queue(
    where: RunningDeployment, on_progress: Callable[[int], None] = lambda _: None
) -> DeadLetters:
    sqs = where.client("sqs")
    return DeadLetters(sqs, where.dead_letter_queue, where.archive_bucket, on_progress)


def _objects(where: RunningDeployment) -> Objects:
    return Objects(where.client("s3"), where.archive_bucket)


def list_tickets(
    *,
    page: Annotated[int, typer.Option(min=1, help="Which page.")] = 1,
    size: Annotated[int, typer.Option(min=1, max=10_000, help="Tickets of a page.")] = PAGE,
    groups: Annotated[
        bool, typer.Option(help="Only how many there are by kind and source; reads no object.")
    ] = False,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """List the tickets on the dead-letter queue, the oldest first."""
    where = find_deployment(state, stack)
    with errors.status("taking the notifications") as status:

        def show(taken: int) -> None:
            status.update(f"taking the notifications: {taken:,}, and giving them back")

        with _queue(where, show) as queue:
            tickets = queue.tickets
    if groups:
        _print_groups(group_tickets(tickets), as_json=as_json)
        return
    shown = page_of(tickets, page, size)
    keys = [ticket.key for ticket in shown.tickets if ticket.kind != UNREADABLE]
    with errors.status("reading the objects"):
        found = dict(summarize_all(_objects(where), keys))
    documents = [_ticket_document(ticket, found.get(ticket.key)) for ticket in shown.tickets]
    where_it_is = f"page {shown.number} of {shown.pages:,}, {shown.total:,} tickets in all"
    if as_json:
        print_json(documents)
        if shown.pages > 1:
            errors.print(where_it_is)
        return
    if shown.pages > 1:
        _print_groups(group_tickets(tickets), as_json=False)
    _print_tickets(f"{len(documents)} tickets", documents)
    if shown.pages > 1:
        console.print(f"{where_it_is}; --page and --size show others")


def _print_groups(groups: Sequence[TicketGroup], *, as_json: bool) -> None:
    if as_json:
        times = [{"oldest": iso(one.oldest), "newest": iso(one.newest)} for one in groups]
        print_json([{**one._asdict(), **when} for one, when in zip(groups, times, strict=True)])
        return
    rows = [
        (one.kind, one.source or "-", one.tickets, iso(one.oldest), iso(one.newest))
        for one in groups
    ]
    total = sum(one.tickets for one in groups)
    print_table(f"{total:,} tickets", ("kind", "source", "tickets", "oldest", "newest"), rows)


def _print_tickets(title: str, documents: Sequence[dict[str, Any]]) -> None:
    rows = [
        (
            one["id"],
            one["kind"],
            " ".join(one["sources"]),
            " ".join(one["reasons"]),
            one["count"],
            _age(one["age_seconds"]),
            one["explanation"][:160],
        )
        for one in documents
    ]
    columns = ("id", "kind", "source", "reasons", "events", "age", "first explanation")
    print_table(title, columns, rows)


def show_ticket(
    identifier: Identifier,
    *,
    full: Annotated[bool, typer.Option(help="Bodies in full.")] = False,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Show the events of a ticket, each with the rule that it broke."""
    where = find_deployment(state, stack)
    with _queue(where) as queue:
        ticket = queue.find(identifier)
    most = None if full else CUT
    if as_json:
        summary = None if ticket.kind == UNREADABLE else summarize(_objects(where), ticket.key)
        events = list(_event_documents(where, ticket, most))
        print_json({**_ticket_document(ticket, summary), "events": events})
        return
    console.print(f"{ticket.id}: {ticket.kind}, {ticket.key}")
    for event in _event_documents(where, ticket, most):
        console.print()
        for name, value in event.items():
            if value not in {"", None} if isinstance(value, str) else True:
                text = ", ".join(value) if isinstance(value, list) else str(value)
                _print_field(name, text)


def _print_field(name: str, text: str) -> None:
    if name in _OF_SEVERAL_LINES and "\n" in text.rstrip("\n"):
        console.print(f"  {name}:")
        # It could hold lines that look like the next fields.
        console.lines(text, prefix="  | ")
    else:
        console.print(f"  {name}: {text}")


def replay_some(
    identifiers: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every ticket.")] = False,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Events a second.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100, help="Leave out what was replayed so often.")
    ] = REPLAY_LIMIT,
    force: Annotated[bool, typer.Option(help="Deliver again what was delivered.")] = False,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Replay the objects of tickets. A ticket goes when all of its events are on the stream.

    Exit status: 0 every ticket is gone, 1 some remain, 130 stopped.
    """
    if bool(identifiers) == everything:
        raise DeadLetterError("name the tickets by their ids, or say --all")
    where = find_deployment(state, stack)
    with _queue(where) as queue:
        chosen = queue.tickets if everything else [queue.find(one) for one in identifiers or []]
        options: dict[str, Any] = {"rate": rate, "limit": limit, "force": force}
        distinct = list({ticket.id: ticket for ticket in chosen}.values())
        replay_tickets(where, queue, distinct, options, as_json=as_json)


def dismiss(
    identifier: Identifier,
    *,
    reason: Annotated[str, typer.Option(help="Why nothing needs to be done; is kept.")],
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Delete a ticket without replaying it. Who did so, when and why is kept in the archive."""
    if not reason.strip():
        raise DeadLetterError("--reason: say why nothing needs to be done")
    where = find_deployment(state, stack)
    with _queue(where) as queue:
        ticket = queue.find(identifier)
        summary = None if ticket.kind == UNREADABLE else summarize(_objects(where), ticket.key)
        document = {
            "ticket": _ticket_document(ticket, summary),
            "who": where.who(),
            "when": iso(time.time()),
            "reason": reason.strip(),
        }
        # Written first: a ticket must not go without a word about it.
        store(where).write(f"{DISMISSED_PREFIX}{ticket.id}.json", document)
        queue.delete(ticket)
    if as_json:
        print_json(document)
    else:
        console.print(f"{ticket.id}: dismissed; why is in {DISMISSED_PREFIX}{ticket.id}.json")


def _ticket_document(ticket: Ticket, summary: Summary | None) -> dict[str, Any]:
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
    }


def _event_documents(where: RunningDeployment, ticket: Ticket, most: int | None) -> Iterator[Any]:
    if ticket.kind == UNREADABLE:
        yield {"message": ticket.key if most is None else ticket.key[:most]}
        return
    for line, item in read_object(ticket.key, _objects(where).chunks(ticket.key)):
        if isinstance(item, Unreadable):
            yield {"line": line, "fault": item.explanation}
        else:
            yield event_document(item, line, most)


def _age(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
