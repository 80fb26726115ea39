"""Which tickets somebody asks for: by kind and age, and by what their objects hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.archive.keys import partition_of
from toolbox.dead_letters.queue import UNREADABLE
from toolbox.dead_letters.summary import summarize_all

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pipeline.archive.objects import Objects
    from toolbox.dead_letters.queue import Ticket
    from toolbox.dead_letters.summary import Summary


class TicketChoice(NamedTuple):
    """What is asked for; what is empty asks for nothing.

    Parameters
    ----------
    sources, reasons, kinds : Collection[str]
        One of each has to fit. A ticket's object can have events of several reasons.
    start, end : float | None
        When the ticket came, in epoch seconds.
    """

    sources: Collection[str] = ()
    reasons: Collection[str] = ()
    kinds: Collection[str] = ()
    start: float | None = None
    end: float | None = None

    @property
    def narrow(self) -> bool:
        """Whether it asks for anything."""
        return any(self[:3]) or self.start is not None or self.end is not None

    def of(self, tickets: Iterable[Ticket], objects: Objects) -> list[Ticket]:
        """Return the tickets that fit, in their order.

        Objects are read only where keys do not tell, one after the other: none is kept.
        """
        found = [ticket for ticket in tickets if self.may_fit(ticket)]
        if not (self.reasons or self.sources):
            return found
        unread = [one.key for one in found if not self._told_by_key(one)]
        fitting = {key for key, summary in summarize_all(objects, unread) if self.fits(summary)}
        return [one for one in found if self._told_by_key(one) or one.key in fitting]

    def _told_by_key(self, ticket: Ticket) -> bool:
        return not self.reasons and partition_of(ticket.key) is not None

    def may_fit(self, ticket: Ticket) -> bool:
        """Tell by a ticket's key and time alone whether it can be one of them."""
        place = None if ticket.kind == UNREADABLE else partition_of(ticket.key)
        return (
            (not self.kinds or ticket.kind in self.kinds)
            and (self.start is None or ticket.since >= self.start)
            and (self.end is None or ticket.since < self.end)
            and not (self.sources and place and place.source not in self.sources)
            and not (ticket.kind == UNREADABLE and (self.sources or self.reasons))
        )

    def fits(self, summary: Summary) -> bool:
        """Tell by what its object holds whether a ticket that can be is one of them."""
        return (not self.sources or any(one in summary.sources for one in self.sources)) and (
            not self.reasons or any(one in summary.reasons for one in self.reasons)
        )
