"""What is in quarantine, as if it had tickets: nobody is told of it, and it expires by itself."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from pipeline.archive.keys import QUARANTINE_PREFIX, ArchiveKind
from toolbox.dead_letters.queue import Ticket, ticket_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.archive.listing import ArchiveListing

#: Objects that are listed; anybody can make some with forgeries.
MOST_LISTED = 100_000


def quarantine_tickets(
    listing: ArchiveListing, lacks: Callable[[str], None] = lambda _: None
) -> list[Ticket]:
    """Return the objects in quarantine as tickets without notifications, the oldest first.

    Parameters
    ----------
    lacks : Callable[[str], None]
        Is told when there are more of them than are listed.

    Raises
    ------
    ArchiveReadError
        When they cannot be listed.
    """
    found = [
        Ticket(
            ticket_id(ref.key), ref.key, ArchiveKind.QUARANTINE.value, when.timestamp(), ref.size
        )
        for ref, when in islice(listing.written(QUARANTINE_PREFIX), MOST_LISTED + 1)
    ]
    if len(found) > MOST_LISTED:
        lacks(f"more than {MOST_LISTED:,} objects are in quarantine; these are the first by key")
        found.pop()
    return sorted(found, key=lambda ticket: (ticket.since, ticket.id))
