"""The deduplication table: what was delivered, by which event, and with which body.

Check, send, remember: a crash between send and remember delivers twice and loses nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.aws.limits import ITEMS_PER_WRITE, KEYS_PER_READ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pipeline.aws.seams import Table
    from pipeline.event.events import Event
    from pipeline.runtime.deadline import Deadline


#: However short its window is, an event is known until its batch cannot be tried again any more: a
#: record is seven days old then at most (the limit of `MaximumRecordAgeInSeconds`).
TRIES_SECONDS = 7 * 86_400


class Remembered(NamedTuple):
    """An item of the table.

    Parameters
    ----------
    key : str
        The one that it was found by.
    id : str
        The event that was delivered.
    place : str
        Where on the stream it was; empty in items of older versions.
    fingerprint : str
        Of its body; empty in items of older versions.
    until : float
        When its window ends, in epoch seconds: an equal event is no copy from then on.
    """

    key: str
    id: str
    place: str
    fingerprint: str
    until: float

    def is_try_of(self, event: Event) -> bool:
        """Tell whether this is the very event: an earlier try of its batch delivered it."""
        return self.id == event.id and self.place in {"", event.place}


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
        self.clock = clock

    def find(
        self, keys: Iterable[str], deadline: Deadline
    ) -> tuple[dict[str, Remembered], set[str]]:
        """Find which keys were delivered.

        Parameters
        ----------
        keys : Iterable[str]
            Each of them once.

        Returns
        -------
        tuple[dict[str, Remembered], set[str]]
            What is known, by key; and the keys that could not be read.
        """
        now, found = self.clock(), dict[str, Remembered]()
        wanted = [{"pk": {"S": key}} for key in keys]
        waiting = list(_chunks(wanted, KEYS_PER_READ))
        for _ in deadline.attempts():
            calls = [
                {"RequestItems": {self._table: {"Keys": some, "ConsistentRead": True}}}
                for some in waiting
            ]
            answers = self._dynamodb.batch_get_items(calls) if calls else []
            again = []
            for some, answer in zip(waiting, answers, strict=True):
                if isinstance(answer, Exception):
                    again.append(some)
                    continue
                for item in answer["Responses"].get(self._table, []):
                    # TTL deletes within days, not at once: an expired item is no longer there.
                    if float(item["expires"]["N"]) > now:
                        one = _read(item)
                        found[one.key] = one
                again.append(answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", []))
            waiting = [some for some in again if some]
            if not waiting:
                break
        return found, {key["pk"]["S"] for some in waiting for key in some}

    def remember(self, events: Sequence[Event], deadline: Deadline) -> set[str]:
        """Write down what was delivered.

        Returns
        -------
        set[str]
            The keys that could not be written.
        """
        now = self.clock()
        # One call may not hold a key twice (a forced replay can): the last one stands.
        items = dict[str, dict[str, Any]]()
        for event in events:
            window = event.remembered_seconds
            item = {
                "id": {"S": event.id},
                "at": {"S": event.place},
                "body": {"S": event.fingerprint},
                "expires": {"N": str(int(now) + max(window, TRIES_SECONDS))},
            }
            if window < TRIES_SECONDS:
                item["until"] = {"N": str(int(now) + window)}
            for key in event.keys:
                items[key] = {"pk": {"S": key}, **item}
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


def _read(item: Mapping[str, Any]) -> Remembered:
    nothing = {"S": ""}
    return Remembered(
        item["pk"]["S"],
        item["id"]["S"],
        item.get("at", nothing)["S"],
        item.get("body", nothing)["S"],
        float(item.get("until", item["expires"])["N"]),
    )


def _chunks(values: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(values), size):
        yield list(values[start : start + size])
