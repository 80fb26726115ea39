"""`mozdef-ef dead-letters`: the tickets for what was rejected or failed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.archive.keys import DISMISSED_PREFIX, ArchiveKind
from pipeline.archive.reading import Unreadable, read_object
from pipeline.replay.engine import REPLAY_LIMIT
from pipeline.replay.times import iso
from toolbox.cli.dead_letters_list import (
    Before,
    Json,
    OfKind,
    OfReason,
    OfSource,
    Since,
    all_quarantined,
    archived_objects,
    choice_of,
    choose,
    function_log,
    open_queue,
    ticket_document,
)
from toolbox.cli.dead_letters_replay import replay_tickets, report_tickets
from toolbox.cli.replay_run import store
from toolbox.cli.replay_wait import WAIT_SECONDS, Wait, WaitSeconds
from toolbox.dead_letters.function_log import cause_of
from toolbox.dead_letters.queue import UNREADABLE, DeadLetterError, Ticket, find_ticket
from toolbox.dead_letters.summary import summarize
from toolbox.deployments import DEFAULT_STATE, RunningDeployment, Stack, State, find_deployment
from toolbox.terminal.archived import event_document
from toolbox.terminal.output import console, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


Identifiers = Annotated[
    list[str], typer.Argument(metavar="ID...", help="Of each the beginning is enough.")
]
CUT = 500
_OF_SEVERAL_LINES = frozenset({"body", "record", "message"})


def show_ticket(
    identifiers: Identifiers,
    *,
    full: Annotated[bool, typer.Option(help="Bodies in full.")] = False,
    quarantine: Annotated[bool, typer.Option(help="Of what is in quarantine.")] = False,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Show the events of tickets, each with the rule that it broke."""
    where = find_deployment(state, stack)
    if quarantine:
        known = all_quarantined(where)
        tickets = _distinct(find_ticket(known, one) for one in identifiers)
    else:
        with open_queue(where) as queue:
            tickets = _distinct(map(queue.find, identifiers))
    most = None if full else CUT
    if as_json:
        documents = [
            {**_document(where, ticket), "events": list(_event_documents(where, ticket, most))}
            for ticket in tickets
        ]
        print_json(documents if len(identifiers) > 1 else documents[0])
        return
    for ticket in tickets:
        _print_ticket(where, ticket, most)


def _print_ticket(where: RunningDeployment, ticket: Ticket, most: int | None) -> None:
    console.print(f"{ticket.id}: {ticket.kind}, {ticket.key}")
    if cause := _cause(where, ticket):
        _print_field("the function said", cause)
    for event in _event_documents(where, ticket, most):
        console.print()
        for name, value in event.items():
            if value not in {"", None} if isinstance(value, str) else True:
                text = ", ".join(value) if isinstance(value, list) else str(value)
                _print_field(name, text)


def _document(where: RunningDeployment, ticket: Ticket) -> dict[str, Any]:
    if ticket.kind == UNREADABLE:
        return ticket_document(ticket, None)
    summary = summarize(archived_objects(where), ticket.key)
    summary.cause = _cause(where, ticket)
    return ticket_document(ticket, summary)


def _cause(where: RunningDeployment, ticket: Ticket) -> str:
    if ticket.kind != ArchiveKind.FAILED:
        return ""
    return cause_of(archived_objects(where), ticket.key, function_log(where))


def _distinct(tickets: Iterable[Ticket]) -> list[Ticket]:
    return list({ticket.id: ticket for ticket in tickets}.values())


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
    source: OfSource = None,
    reason: OfReason = None,
    kind: OfKind = None,
    start: Since = None,
    end: Before = None,
    everything: Annotated[bool, typer.Option("--all", help="Every ticket.")] = False,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Events a second.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100, help="Leave out what was replayed so often.")
    ] = REPLAY_LIMIT,
    force: Annotated[bool, typer.Option(help="Deliver again what was delivered.")] = False,
    wait: Wait = False,
    wait_seconds: WaitSeconds = WAIT_SECONDS,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Replay the objects of tickets. A ticket goes when all of its events are on the stream.

    An object is replayed as a whole: with --reason, also its events that have another one.

    Options that may be repeated: --source, --reason, --kind.

    Exit status: 0 every ticket is gone, 1 some remain, none is what was asked for, or, with
    --wait, something was not delivered, 130 stopped.
    """
    choice = choice_of(source, reason, kind, start, end)
    if [bool(identifiers), everything, choice.narrow].count(True) != 1:
        raise DeadLetterError("name the tickets by their ids, by --source and the like, or --all")
    where = find_deployment(state, stack)
    with open_queue(where) as queue:
        if identifiers:
            chosen = _distinct(map(queue.find, identifiers))
        else:
            chosen = list(choose(choice, queue.tickets, where))
        options: dict[str, Any] = {"rate": rate, "limit": limit, "force": force}
        job, results = replay_tickets(where, queue, chosen, options)
    # The queue has its other tickets back meanwhile.
    report_tickets(where, job, chosen, results, wait=wait_seconds if wait else 0, as_json=as_json)


def dismiss(
    identifiers: Identifiers,
    *,
    reason: Annotated[str, typer.Option(help="Why nothing needs to be done; is kept.")],
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Delete tickets without replaying them. Who did so, when and why is kept in the archive."""
    if not reason.strip():
        raise DeadLetterError("--reason: say why nothing needs to be done")
    where = find_deployment(state, stack)
    documents = []
    with open_queue(where) as queue:
        # All are looked for first: a wrong id dismisses nothing.
        for ticket in _distinct(map(queue.find, identifiers)):
            document = {
                "ticket": _document(where, ticket),
                "who": where.who(),
                "when": iso(time.time()),
                "reason": reason.strip(),
            }
            # Written first: a ticket must not go without a word about it.
            store(where).write(f"{DISMISSED_PREFIX}{ticket.id}.json", document)
            queue.delete(ticket)
            documents.append(document)
            if not as_json:
                place = f"{DISMISSED_PREFIX}{ticket.id}.json"
                console.print(f"{ticket.id}: dismissed; why is in {place}")
    if as_json:
        print_json(documents if len(identifiers) > 1 else documents[0])


def _event_documents(where: RunningDeployment, ticket: Ticket, most: int | None) -> Iterator[Any]:
    if ticket.kind == UNREADABLE:
        yield {"message": ticket.key if most is None else ticket.key[:most]}
        return
    for line, item in read_object(ticket.key, archived_objects(where).chunks(ticket.key)):
        if isinstance(item, Unreadable):
            yield {"line": line, "fault": item.explanation}
        else:
            yield event_document(item, line, most)
