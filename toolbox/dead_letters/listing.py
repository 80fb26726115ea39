"""Many tickets at a glance: groups, told by the keys of their objects alone, and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.archive.keys import partition_of
from toolbox.dead_letters.queue import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolbox.dead_letters.queue import Ticket
    from toolbox.dead_letters.summary import Summary

PAGE = 100


class TicketGroup(NamedTuple):
    """Tickets of one kind and source.

    Parameters
    ----------
    source : str
        Empty where a key names none: that of a failure record, of whatever sources its batch has.
    oldest, newest : float
        When their first notifications were sent, in epoch seconds.
    """

    kind: str
    source: str
    tickets: int
    oldest: float
    newest: float


class TicketPage(NamedTuple):
    """Some of the tickets, and where they stand among all."""

    tickets: Sequence[Ticket]
    number: int
    pages: int
    total: int


def group_tickets(tickets: Iterable[Ticket]) -> list[TicketGroup]:
    """Group tickets without reading an object; the largest group first."""
    found: dict[tuple[str, str], TicketGroup] = {}
    for ticket in tickets:
        place = None if ticket.kind == UNREADABLE else partition_of(ticket.key)
        name = (ticket.kind, place.source if place else "")
        one = found.get(name, TicketGroup(*name, 0, ticket.since, ticket.since))
        found[name] = TicketGroup(
            *name,
            one.tickets + 1,
            min(one.oldest, ticket.since),
            max(one.newest, ticket.since),
        )
    return sorted(found.values(), key=lambda one: (-one.tickets, one.kind, one.source))


def page_of(tickets: Sequence[Ticket], number: int, size: int = PAGE) -> TicketPage:
    """Return a page, from 1; the last one where there are fewer."""
    pages = max(1, -(-len(tickets) // size))
    number = min(number, pages)
    return TicketPage(tickets[(number - 1) * size : number * size], number, pages, len(tickets))


class Cause(NamedTuple):
    """Why objects are there; one line for all that have the same."""

    kind: str
    sources: tuple[str, ...]
    reasons: tuple[str, ...]
    said: str = ""


class CauseGroup(NamedTuple):
    """Tickets of one cause.

    Parameters
    ----------
    events : int
        In their objects.
    first : str
        The id of the oldest one.
    explanation : str
        The oldest one's.
    """

    cause: Cause
    tickets: int
    events: int
    first: str
    explanation: str


#: Causes that are told apart; a group of all others comes last.
MOST_CAUSES = 200
_OTHERS = Cause("others", (), ())


def group_causes(found: Iterable[tuple[Ticket, Summary]]) -> list[CauseGroup]:
    """Group tickets, the oldest first, by what their objects say; the largest group first."""
    groups: dict[Cause, CauseGroup] = {}
    for ticket, summary in found:
        sources, reasons = tuple(sorted(summary.sources)), tuple(sorted(summary.reasons))
        cause = Cause(ticket.kind, sources, reasons, summary.cause)
        if cause not in groups and len(groups) >= MOST_CAUSES:
            cause = _OTHERS
        one = groups.get(cause, CauseGroup(cause, 0, 0, ticket.id, summary.why))
        groups[cause] = one._replace(tickets=one.tickets + 1, events=one.events + summary.events)
    return sorted(groups.values(), key=lambda one: (one.cause == _OTHERS, -one.tickets, one.cause))
