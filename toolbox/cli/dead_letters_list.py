"""`mozdef-ef dead-letters list`: the tickets, by page, by kind and source, or by cause."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.archive.keys import ArchiveKind
from pipeline.event.outcomes import Reason
from pipeline.replay.times import iso, parse_time
from toolbox.cli.source_filter import check_sources
from toolbox.dead_letters.choice import TicketChoice
from toolbox.dead_letters.listing import PAGE, group_causes, group_tickets, page_of
from toolbox.dead_letters.queue import UNREADABLE, DeadLetterError
from toolbox.dead_letters.reading import (
    archived_objects,
    open_queue,
    quarantined,
    summarized,
    ticket_document,
)
from toolbox.deployments import DEFAULT_STATE, RunningDeployment, Stack, State, find_deployment
from toolbox.project.next_steps import next_step
from toolbox.terminal.nearest import NotFoundError, unknown
from toolbox.terminal.output import errors, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolbox.dead_letters.listing import CauseGroup, TicketGroup
    from toolbox.dead_letters.queue import Ticket
    from toolbox.dead_letters.summary import Summary

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OfSource = Annotated[list[str] | None, typer.Option("--source", help="Only of this source.")]
OfReason = Annotated[
    list[str] | None, typer.Option("--reason", help="Only with an event that has this reason.")
]
OfKind = Annotated[list[str] | None, typer.Option("--kind", help="rejected or failed.")]
Since = Annotated[
    str | None, typer.Option("--from", help="Only those that came since: ISO 8601, or 2h ago.")
]
Before = Annotated[str | None, typer.Option("--to", help="Only those that came before.")]
_KINDS = (ArchiveKind.REJECTED.value, ArchiveKind.FAILED.value, UNREADABLE)


def choice_of(
    source: list[str] | None,
    reason: list[str] | None,
    kind: list[str] | None,
    start: str | None,
    end: str | None,
) -> TicketChoice:
    """Read what is asked for.

    Raises
    ------
    NotFoundError
        When there is no such reason or kind.
    TimeError
        When a time is none.
    """
    now = datetime.now(UTC)
    for what, given, known in (("reason", reason, list(Reason)), ("kind", kind, _KINDS)):
        for one in given or []:
            if one not in known:
                raise unknown(what, one, map(str, known))
    return TicketChoice(
        frozenset(source or ()),
        frozenset(reason or ()),
        frozenset(kind or ()),
        parse_time(start, now).timestamp() if start else None,
        parse_time(end, now).timestamp() if end else None,
    )


def choose(
    choice: TicketChoice, tickets: Sequence[Ticket], where: RunningDeployment
) -> Sequence[Ticket]:
    """Return the tickets that are asked for.

    Raises
    ------
    NotFoundError
        When there are none of those.
    """
    if not choice.narrow:
        return tickets
    check_sources(choice.sources, where)
    with errors.status("reading the objects"):
        found = choice.of(tickets, archived_objects(where))
    if found:
        return found
    raise NotFoundError(
        f"none of {len(tickets):,} tickets fits; "
        f"'{next_step('dead-letters list --causes')}' shows what there is"
    )


def list_tickets(
    *,
    source: OfSource = None,
    reason: OfReason = None,
    kind: OfKind = None,
    start: Since = None,
    end: Before = None,
    page: Annotated[int, typer.Option(min=1, help="Which page.")] = 1,
    size: Annotated[int, typer.Option(min=1, max=10_000, help="Tickets of a page.")] = PAGE,
    groups: Annotated[
        bool, typer.Option(help="Only how many there are by kind and source; reads no object.")
    ] = False,
    causes: Annotated[bool, typer.Option(help="One line for each cause.")] = False,
    quarantine: Annotated[
        bool, typer.Option(help="What is in quarantine, which has no tickets.")
    ] = False,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """List the tickets on the dead-letter queue, the oldest first.

    Options that may be repeated: --source, --reason, --kind.

    Exit status: 0, or 1 where none of the tickets is what was asked for.
    """
    if groups and causes:
        raise DeadLetterError("--groups and --causes: one of them")
    choice = choice_of(source, reason, kind, start, end)
    where = find_deployment(state, stack)
    tickets = choose(choice, _all(where, quarantine=quarantine), where)
    if groups:
        _print_groups(group_tickets(tickets), as_json=as_json)
        return
    if causes:
        _print_causes(group_causes(_summarized(where, tickets)), as_json=as_json)
        return
    shown = page_of(tickets, page, size)
    found = _summarized(where, shown.tickets)
    documents = [ticket_document(ticket, summary) for ticket, summary in found]
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
        errors.print(f"{where_it_is}; --page and --size show others")


def _all(where: RunningDeployment, *, quarantine: bool) -> list[Ticket]:
    if quarantine:
        return quarantined(where, errors.print)
    with errors.status("taking the notifications") as status:

        def show(taken: int) -> None:
            status.update(f"taking the notifications: {taken:,}, and giving them back")

        with open_queue(where, show) as queue:
            return queue.tickets


def _summarized(
    where: RunningDeployment, tickets: Sequence[Ticket]
) -> Iterator[tuple[Ticket, Summary]]:
    with errors.status("reading the objects"):
        yield from summarized(where, tickets, errors.print)


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
            age(one["age_seconds"]),
            ": ".join(filter(None, (one["explanation"], one["cause"])))[:240],
        )
        for one in documents
    ]
    columns = ("id", "kind", "source", "reasons", "events", "age", "first explanation")
    print_table(title, columns, rows)


def _print_causes(groups: Sequence[CauseGroup], *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "kind": one.cause.kind,
                    "sources": one.cause.sources,
                    "reasons": one.cause.reasons,
                    "tickets": one.tickets,
                    "events": one.events,
                    "first": one.first,
                    "explanation": one.explanation,
                }
                for one in groups
            ]
        )
        return
    rows = [
        (
            one.tickets,
            " ".join(one.cause.sources) or "-",
            one.first,
            " ".join(filter(None, (*one.cause.reasons, one.explanation[:160]))) or one.cause.kind,
        )
        for one in groups
    ]
    total = sum(one.tickets for one in groups)
    print_table(f"{total:,} tickets by cause", ("tickets", "source", "first id", "cause"), rows)


def age(seconds: int) -> str:
    """Say an age in its largest unit."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
