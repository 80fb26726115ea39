"""The counts of a job, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What each count means, in the order in which they are shown.
MEANINGS = {
    "read": "lines read",
    "matched": "events that the filter asks for",
    "sent": "put on the stream",
    "repeated": "lines of a request that was sent already",
    "sent_late": "of these: older than the deduplication table remembers",
    "sent_partly": "of these: requests of which a part was delivered before",
    "sent_again": "of these: delivered before, as the ledger says",
    "delivered": "left out: delivered before",
    "partly_delivered": "left out: partly delivered before, longer ago than the table remembers",
    "limit": "left out: replayed too often",
    "unreplayable": "left out: the record is no envelope",
    "too_large": "left out: too large for a record",
    "unreadable": "lines or objects that cannot be read",
}
LEFT_OUT = ("partly_delivered", "limit", "unreplayable", "too_large", "unreadable")


_BEFORE = {
    "delivered": "{} were delivered before, as the ledger says, and are left out; --force delivers "
    "them again",
    "partly_delivered": "{} are left out: a part of each request was delivered before, and the "
    "deduplication table may have forgotten that; --force delivers all of each request",
    "sent_again": "{} were delivered before, and --force delivers them again",
    "sent_partly": "{} are requests of which a part was delivered before; the deduplication table "
    "drops that part",
    "sent_late": "{} are older than the deduplication table remembers. The ledger knows no "
    "delivery of them; a copy that the sender sent in another request would not be seen",
}


def known_before(before: Mapping[str, int]) -> list[str]:
    """Say what is known of earlier deliveries, source by source.

    Parameters
    ----------
    before : Mapping[str, int]
        `<count>/<source>` to how many, as a job keeps it.
    """
    lines = []
    for name, text in _BEFORE.items():
        for place, number in sorted(before.items()):
            what, _, source = place.partition("/")
            if what == name:
                lines.append(f"{source}: {text.format(f'{number:,}')}")
    return lines


def left_out(counts: Mapping[str, int]) -> int:
    """Return how many events were asked for and could not be sent."""
    return sum(counts.get(name, 0) for name in LEFT_OUT)
