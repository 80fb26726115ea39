"""The messages of a standard queue, for the emulator: no call walks through all of them.

The emulator keeps a queue's messages in a list and goes through it at each ReceiveMessage,
DeleteMessage and ChangeMessageVisibility, so that reading n messages takes n² steps. Here a message
is found by its receipt handle, the visible ones come from a heap in the order in which they were
sent, and the others wait in a heap ordered by when they become visible. See `emulator_patches`.
"""

from __future__ import annotations

import copy
import heapq
import threading
import time
import uuid
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    # As the emulator keeps it. `visible_at` is in seconds since the epoch.
    Message = dict[str, Any]

# A heap may hold this many outdated entries before it is made anew, and as many as there are
# messages: then making it anew costs less than what filled it.
_SLACK = 1_000


class Place(Enum):
    """Where a message is: the words of a queue's three approximate numbers."""

    VISIBLE = "visible"
    DELAYED = "delayed"
    IN_FLIGHT = "in flight"


class Messages:
    """The messages of one queue. Threads may share it, as S3's notifications do.

    It stands where the emulator has a list, so `append`, `remove`, `clear` and iteration are there;
    a deep copy is a list, which is what the emulator writes to disk.

    Parameters
    ----------
    messages : Iterable[Message]
        In the order in which they were sent.
    complete : Callable[[Message], None]
        Sets what a message lacks: some of the emulator's services leave fields out.
    clock : Callable[[], float]
        Seconds since the epoch.

    Attributes
    ----------
    visits : int
        How many entries were looked at so far: what the calls cost.
    """

    def __init__(
        self,
        messages: Iterable[Message] = (),
        *,
        complete: Callable[[Message], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._complete = complete
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 0
        self._empty()
        self.visits = 0
        for message in messages:
            self.append(message)

    def append(self, message: Message) -> None:
        """Add a message behind all others."""
        self._complete(message)
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._messages[number] = message
            if message["receipt_handle"] is not None:
                self._handles[message["receipt_handle"]] = number
            self._place(number, message["visible_at"])

    def remove(self, message: Message) -> None:
        """Drop a message that was received; ValueError where it is not here."""
        if not self.delete(message["receipt_handle"]):
            raise ValueError(f"no message has the receipt handle {message['receipt_handle']}")

    def clear(self) -> None:
        """Drop all messages."""
        with self._lock:
            self._empty()

    def delete(self, handle: str) -> bool:
        """Drop the message that has this receipt handle; False where none has it."""
        with self._lock:
            if (number := self._handles.get(handle)) is None:
                return False
            self._drop(number)
            return True

    def change_visibility(self, handle: str, seconds: float) -> bool:
        """Have the message of a receipt handle become visible in so many seconds."""
        with self._lock:
            if (number := self._handles.get(handle)) is None:
                return False
            self._place(number, self._clock() + seconds)
            return True

    def receive(self, most: int, timeout: float) -> list[Message]:
        """Take the first visible messages, for `timeout` seconds, each with a new handle."""
        with self._lock:
            now = self._clock()
            self._ripen(now)
            chosen: list[int] = []
            while len(chosen) < most and (number := self._first_visible()) is not None:
                self._move(number, Place.IN_FLIGHT)
                chosen.append(number)
            # Once all are chosen: with a timeout of 0 they are visible again at once.
            return [self._hand_out(number, now, timeout) for number in chosen]

    def take_exhausted(self, limit: int | None) -> list[Message]:
        """Drop and give the messages that are visible again after `limit` receives or more.

        Only those that became visible since the last call are looked at, and the first visible one,
        because the limit may be newer than they are. None: the queue has no limit.
        """
        taken: list[Message] = []
        with self._lock:
            self._ripen(self._clock())
            returned = list(self._returned)
            self._returned.clear()
            if limit is None:
                return taken
            for number in returned:
                self.visits += 1
                if self._exhausted(number, limit):
                    taken.append(self._drop(number))
            while (first := self._first_visible(keep=True)) is not None:
                if not self._exhausted(first, limit):
                    break
                taken.append(self._drop(first))
        return taken

    def look(self, after: int, most: int) -> list[tuple[int, Message, Place]]:
        """Return messages with their numbers and places, and take none.

        Parameters
        ----------
        after : int
            Only those with a greater number: the order is that in which they were sent, from 0.
        """
        with self._lock:
            self._ripen(self._clock())
            # Whichever is shorter: what was sent since, or what is here.
            sent = range(after + 1, self._next)
            numbers = sent if len(sent) <= len(self._messages) else self._messages
            here = (one for one in numbers if one > after and one in self._messages)
            return [(one, self._messages[one], self._places[one]) for one in islice(here, most)]

    def counts(self) -> dict[Place, int]:
        """Return how many messages are where."""
        with self._lock:
            self._ripen(self._clock())
            return dict(self._counts)

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        with self._lock:
            return iter(list(self._messages.values()))

    def __getitem__(self, index: int) -> Message:
        return list(self)[index]

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Message]:
        return copy.deepcopy(list(self), memo)

    def _empty(self) -> None:
        self._messages: dict[int, Message] = {}
        self._handles: dict[str, int] = {}
        self._places: dict[int, Place] = {}
        self._counts = dict.fromkeys(Place, 0)
        # Heaps. An entry is outdated when the message is elsewhere by now; it is then passed over.
        self._visible: list[int] = []
        self._waiting: list[tuple[float, int]] = []
        self._returned: list[int] = []

    def _place(self, number: int, visible_at: float) -> None:
        message = self._messages[number]
        message["visible_at"] = visible_at
        if visible_at <= self._clock():
            self._show(number)
            return
        self._move(number, Place.IN_FLIGHT if message["receive_count"] else Place.DELAYED)
        heapq.heappush(self._waiting, (visible_at, number))
        if len(self._waiting) > 2 * len(self._messages) + _SLACK:
            self.visits += len(self._waiting)
            self._waiting = [entry for entry in set(self._waiting) if self._waits(entry)]
            heapq.heapify(self._waiting)

    def _show(self, number: int) -> None:
        self._move(number, Place.VISIBLE)
        heapq.heappush(self._visible, number)
        if self._messages[number]["receive_count"]:
            self._returned.append(number)
        if len(self._visible) > 2 * len(self._messages) + _SLACK:
            self.visits += len(self._visible)
            self._visible = [each for each in set(self._visible) if self._is_visible(each)]
            heapq.heapify(self._visible)

    def _move(self, number: int, place: Place | None) -> None:
        before = self._places.pop(number, None)
        if before:
            self._counts[before] -= 1
        if place:
            self._places[number] = place
            self._counts[place] += 1

    def _drop(self, number: int) -> Message:
        self._move(number, None)
        message = self._messages.pop(number)
        self._handles.pop(message["receipt_handle"], None)
        return message

    def _hand_out(self, number: int, now: float, timeout: float) -> Message:
        message = self._messages[number]
        self._handles.pop(message["receipt_handle"], None)  # only the newest one is good
        message["receipt_handle"] = str(uuid.uuid4())
        self._handles[message["receipt_handle"]] = number
        message["receive_count"] += 1
        if message["first_receive_at"] is None:
            message["first_receive_at"] = now
        self._place(number, now + timeout)
        return message

    def _ripen(self, now: float) -> None:
        """Show what has become visible."""
        while self._waiting and self._waiting[0][0] <= now:
            self.visits += 1
            entry = heapq.heappop(self._waiting)
            if self._waits(entry):
                self._show(entry[1])

    def _first_visible(self, *, keep: bool = False) -> int | None:
        while self._visible:
            self.visits += 1
            number = self._visible[0]
            if not keep or not self._is_visible(number):
                heapq.heappop(self._visible)
            if self._is_visible(number):
                return number
        return None

    def _is_visible(self, number: int) -> bool:
        return self._places.get(number) is Place.VISIBLE

    def _waits(self, entry: tuple[float, int]) -> bool:
        place = self._places.get(entry[1])
        waits = place is not None and place is not Place.VISIBLE
        return waits and self._messages[entry[1]]["visible_at"] == entry[0]

    def _exhausted(self, number: int, limit: int) -> bool:
        return self._is_visible(number) and self._messages[number]["receive_count"] >= limit
