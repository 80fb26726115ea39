"""Tells events that are new from copies of what was delivered, and copies from collisions.

A copy has a known id and the same body. The same id with another body is a collision: its source's
`same_id` decides. The same body under another id is looked for where the sender's signature covers
no id: `same_body` decides. Somebody may have sent a request again that he saw; but GitHub itself
writes one body for two events, when a member is removed, added, and removed again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.event.events import Event, Outcome, delivered, duplicate, rejected, unsettled
from pipeline.event.identity import reused_key
from pipeline.event.outcomes import Reason, Reuse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.fan_out.duplicates import DeduplicationTable, Remembered
    from pipeline.runtime.deadline import Deadline


_EXPLANATIONS = {
    Reason.ID_REUSED: "the delivery id of {}, whose body is another one",
    Reason.BODY_REUSED: "the body of {}, under another delivery id or type",
}


@dataclass(slots=True)
class Sorted:
    """The events of a batch, told apart.

    Parameters
    ----------
    new : list[Event]
        To be delivered.
    sent : list[Event]
        Delivered by an earlier try, which did not write down all of it.
    outcomes : list[Outcome]
        Of those that end here.
    copies : list[tuple[Event, Event]]
        Copies within the batch: each with the event that it copies, and whose fate it will share.
    """

    new: list[Event] = field(default_factory=list)
    sent: list[Event] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    copies: list[tuple[Event, Event]] = field(default_factory=list)


def sort_out(
    events: Sequence[Event],
    table: DeduplicationTable,
    deadline: Deadline,
    former_key_of: Callable[[Event], str] | None = None,
) -> Sorted:
    """Tell which events are new.

    Parameters
    ----------
    events : Sequence[Event]
        In the order of the stream.
    former_key_of : Callable[[Event], str] | None
        The key that an older version of this code gave an event; None where none is asked for.
    """
    work = _Sorting(table, former_key_of)
    # An event that has the id of another is looked up again, under a key with its body in it.
    while events:
        work.look_up(events, deadline)
        events = [event for event in events if work.meets_another(event)]
    return work.result


class _Sorting:
    def __init__(
        self, table: DeduplicationTable, former_key_of: Callable[[Event], str] | None
    ) -> None:
        self.result = Sorted()
        self._table = table
        self._former_key_of = former_key_of
        #: The former key of each event, by its place; empty where none is asked for.
        self._former: dict[str, str] = {}
        self._known: dict[str, Remembered] = {}
        self._unread: set[str] = set()
        self._now = 0.0
        #: The first event of the batch with a key.
        self._first: dict[str, Event] = {}

    def look_up(self, events: Sequence[Event], deadline: Deadline) -> None:
        keys = dict.fromkeys([key for event in events for key in event.keys])
        if self._former_key_of is not None:
            self._former = {event.place: self._former_key_of(event) for event in events}
            keys |= dict.fromkeys(self._former.values())
        self._now = self._table.clock()
        self._known, self._unread = self._table.find(keys, deadline)

    def meets_another(self, event: Event) -> bool:
        """Decide on an event; True where it is to be looked up again under another key."""
        if self._unread and not self._unread.isdisjoint(event.keys):
            explanation = "the deduplication table could not be read"
            self.result.outcomes.append(unsettled(event, explanation))
            return False
        items = self._items(event) if self._known else []
        if any(item.is_try_of(event) for item in items):
            self._take_try(event, items)
            return False
        items = [item for item in items if item.until > self._now]
        if event.envelope.force:
            self.result.new.append(event)
        elif items and items[0].key != event.body_key:
            return self._meets_id(event, items[0])
        elif items and self._ends(event, Reason.BODY_REUSED, items[0].id, event.source.same_body):
            pass
        else:
            return self._meets_in_batch(event)
        return False

    def _items(self, event: Event) -> list[Remembered]:
        """Return what is known of an event: by its id first, then by its body."""
        keys = event.keys
        if self._former and keys[0] not in self._known:
            keys = (self._former[event.place], *keys[1:])
        return [self._known[key] for key in keys if key in self._known]

    def _take_try(self, event: Event, items: Sequence[Remembered]) -> None:
        """Take what an earlier try of this batch sent, which another record made fail."""
        if len(items) == len(event.keys) or not items[0].place:
            self.result.outcomes.append(delivered(event))
        else:
            self.result.sent.append(event)

    def _meets_id(self, event: Event, item: Remembered) -> bool:
        if item.fingerprint in {"", event.fingerprint}:
            self.result.outcomes.append(duplicate(event, f"delivered before as {item.id}"))
            return False
        return self._collides(event, item.id)

    def _meets_in_batch(self, event: Event) -> bool:
        first = self._first.get(event.deduplication_key)
        if first is not None and first.fingerprint != event.fingerprint:
            return self._collides(event, first.id, first)
        if first is not None:
            self.result.copies.append((event, first))
            return False
        twin = self._first.get(event.body_key) if event.body_key else None
        policy = event.source.same_body
        if twin is not None and self._ends(event, Reason.BODY_REUSED, twin.id, policy, twin):
            return False
        for key in event.keys:
            self._first.setdefault(key, event)
        self.result.new.append(event)
        return False

    def _collides(self, event: Event, other: str, first: Event | None = None) -> bool:
        """Decide on an event that has the id of another, and not its body."""
        if self._ends(event, Reason.ID_REUSED, other, event.source.same_id, first):
            return False
        event.deduplication_key = reused_key(event)
        return True

    def _ends(
        self, event: Event, reason: Reason, other: str, policy: str, first: Event | None = None
    ) -> bool:
        """Take down what an event shares with another; tell whether it ends here.

        Parameters
        ----------
        first : Event | None
            The other one, where it is in this batch.
        """
        event.remark, event.remark_explanation = reason, _EXPLANATIONS[reason].format(other)
        if policy == Reuse.DELIVER:
            return False
        if policy == Reuse.REJECT:
            self.result.outcomes.append(rejected(event, reason, event.remark_explanation))
        elif first is None:
            self.result.outcomes.append(duplicate(event, event.remark_explanation, reason))
        else:
            self.result.copies.append((event, first))
        return True
