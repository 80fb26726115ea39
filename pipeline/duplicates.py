"""The deduplication table: what was delivered, and by which event.

Check, send, remember: a crash between send and remember delivers twice and loses nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.events import Event, Outcome, delivered, duplicate, unsettled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.retrying import Deadline

#: Limits of BatchGetItem and BatchWriteItem (Amazon DynamoDB API reference).
KEYS_PER_READ = 100
ITEMS_PER_WRITE = 25


class DeduplicationTable:
    """Knows which keys were delivered.

    Parameters
    ----------
    dynamodb : Any
        A boto3 DynamoDB client.
    table : str
        The table's name.
    clock : Callable[[], float]
        Epoch seconds.
    """

    def __init__(self, dynamodb: Any, table: str, clock: Callable[[], float] = time.time) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock

    def delivered_by(
        self, keys: Sequence[str], deadline: Deadline
    ) -> tuple[dict[str, str], set[str]]:
        """Find which keys were delivered.

        Parameters
        ----------
        keys : Sequence[str]
            Distinct deduplication keys.
        deadline : Deadline
            Bounds the retries.

        Returns
        -------
        tuple[dict[str, str], set[str]]
            Key to the id of the event that was delivered; and the keys that could not be read.
        """
        found: dict[str, str] = {}
        unread: set[str] = set()
        for chunk in _chunks(keys, KEYS_PER_READ):
            missing = self._read(chunk, found, deadline)
            unread |= missing
        return found, unread

    def _read(self, keys: Sequence[str], found: dict[str, str], deadline: Deadline) -> set[str]:
        now = self._clock()
        wanted = [{"pk": {"S": key}} for key in keys]
        for _ in deadline.attempts():
            try:
                answer = self._dynamodb.batch_get_item(
                    RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}}
                )
            except (BotoCoreError, ClientError):
                continue
            for item in answer["Responses"].get(self._table, []):
                # TTL deletes within days, not at once: an expired item is no longer there.
                if float(item["expires"]["N"]) > now:
                    found[item["pk"]["S"]] = item["id"]["S"]
            wanted = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            if not wanted:
                break
        return {key["pk"]["S"] for key in wanted}

    def remember(self, events: Sequence[Event], deadline: Deadline) -> set[str]:
        """Write down what was delivered.

        Parameters
        ----------
        events : Sequence[Event]
            Delivered events.
        deadline : Deadline
            Bounds the retries.

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
                "expires": {"N": str(int(now + event.known_source.deduplication_seconds))},
            }
            for event in events
        }
        unwritten: set[str] = set()
        for chunk in _chunks(list(items), ITEMS_PER_WRITE):
            unwritten |= self._write([items[key] for key in chunk], deadline)
        return unwritten

    def _write(self, items: Sequence[Any], deadline: Deadline) -> set[str]:
        wanted = [{"PutRequest": {"Item": item}} for item in items]
        for _ in deadline.attempts():
            try:
                answer = self._dynamodb.batch_write_item(RequestItems={self._table: wanted})
            except (BotoCoreError, ClientError):
                continue
            wanted = answer.get("UnprocessedItems", {}).get(self._table, [])
            if not wanted:
                break
        return {request["PutRequest"]["Item"]["pk"]["S"] for request in wanted}


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
    table : DeduplicationTable
        What was delivered.
    deadline : Deadline
        Bounds the retries.

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
        elif event.known_envelope.force:
            new.append(event)
        elif key in known:
            outcomes.append(duplicate(event, f"delivered before as {known[key]}"))
        elif key in first:
            copies.append((event, first[key]))
        else:
            first[key] = event
            new.append(event)
    return new, outcomes, copies
