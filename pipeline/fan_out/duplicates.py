"""The deduplication table: what was delivered, and by which event.

Check, send, remember: a crash between send and remember delivers twice and loses nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pipeline.aws.limits import ITEMS_PER_WRITE, KEYS_PER_READ
from pipeline.event.events import Event, Outcome, delivered, duplicate, unsettled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.aws.seams import Table
    from pipeline.runtime.deadline import Deadline


class DeduplicationTable:
    """Knows which keys were delivered.

    Parameters
    ----------
    clock : Callable[[], float]
        Epoch seconds.
    """

    def __init__(self, dynamodb: Table, table: str, clock: Callable[[], float] = time.time) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock

    def delivered_by(
        self, keys: Sequence[str], deadline: Deadline
    ) -> tuple[dict[str, str], set[str]]:
        """Find which keys were delivered.

        Returns
        -------
        tuple[dict[str, str], set[str]]
            Key to the id of the event that was delivered; and the keys that could not be read.
        """
        now, found = self._clock(), dict[str, str]()
        waiting = [[{"pk": {"S": key}} for key in chunk] for chunk in _chunks(keys, KEYS_PER_READ)]
        for _ in deadline.attempts():
            calls = [
                {"RequestItems": {self._table: {"Keys": wanted, "ConsistentRead": True}}}
                for wanted in waiting
            ]
            answers = self._dynamodb.batch_get_items(calls) if calls else []
            again = []
            for wanted, answer in zip(waiting, answers, strict=True):
                if isinstance(answer, Exception):
                    again.append(wanted)
                    continue
                for item in answer["Responses"].get(self._table, []):
                    # TTL deletes within days, not at once: an expired item is no longer there.
                    if float(item["expires"]["N"]) > now:
                        found[item["pk"]["S"]] = item["id"]["S"]
                again.append(answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", []))
            waiting = [wanted for wanted in again if wanted]
            if not waiting:
                break
        return found, {key["pk"]["S"] for wanted in waiting for key in wanted}

    def remember(self, events: Sequence[Event], deadline: Deadline) -> set[str]:
        """Write down what was delivered.

        Returns
        -------
        set[str]
            The keys that could not be written.
        """
        now = self._clock()
        # One call may not hold a key twice (a forced replay can): the last one stands.
        items = {
            event.deduplication_key: {
                "pk": {"S": event.deduplication_key},
                "id": {"S": event.id},
                "expires": {"N": str(int(now + event.source.deduplication_seconds))},
            }
            for event in events
        }
        waiting = [
            [{"PutRequest": {"Item": items[key]}} for key in chunk]
            for chunk in _chunks(list(items), ITEMS_PER_WRITE)
        ]
        for _ in deadline.attempts():
            calls = [{"RequestItems": {self._table: wanted}} for wanted in waiting]
            answers = self._dynamodb.batch_write_items(calls) if calls else []
            left = [
                wanted
                if isinstance(answer, Exception)
                else answer.get("UnprocessedItems", {}).get(self._table, [])
                for wanted, answer in zip(waiting, answers, strict=True)
            ]
            waiting = [wanted for wanted in left if wanted]
            if not waiting:
                break
        return {put["PutRequest"]["Item"]["pk"]["S"] for wanted in waiting for put in wanted}


def _chunks(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def drop_duplicates(
    events: Sequence[Event],
    table: DeduplicationTable,
    deadline: Deadline,
) -> tuple[list[Event], list[Outcome], list[tuple[Event, Event]]]:
    """Part events that are new from those that were delivered.

    Parameters
    ----------
    events : Sequence[Event]
        In the order of the stream.

    Returns
    -------
    tuple[list[Event], list[Outcome], list[tuple[Event, Event]]]
        The new events, the outcomes of the others, and the copies within the batch: each with
        the event that it copies, and whose fate it will share.
    """
    keys = list({event.deduplication_key: None for event in events})
    known, unread = table.delivered_by(keys, deadline)
    new: list[Event] = []
    outcomes: list[Outcome] = []
    copies: list[tuple[Event, Event]] = []
    first: dict[str, Event] = {}
    for event in events:
        key = event.deduplication_key
        if key in unread:
            outcomes.append(unsettled(event, "the deduplication table could not be read"))
        elif known.get(key) == event.id:
            # Sent by an earlier try of this batch, which another record made fail.
            outcomes.append(delivered(event))
        elif event.envelope.force:
            new.append(event)
        elif key in known:
            outcomes.append(duplicate(event, f"delivered before as {known[key]}"))
        elif key in first:
            copies.append((event, first[key]))
        else:
            first[key] = event
            new.append(event)
    return new, outcomes, copies
