"""The store of a queue's messages: what it costs, and that it agrees with a plain list."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from local.emulator_queues import Messages, Place


def message(number: int, visible_at: float = 0.0) -> dict[str, Any]:
    return {
        "id": str(number),
        "receipt_handle": None,
        "visible_at": visible_at,
        "receive_count": 0,
        "first_receive_at": None,
    }


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def ids(messages: list[dict[str, Any]]) -> list[int]:
    return [int(each["id"]) for each in messages]


def test_reading_100_000_messages_looks_at_each_a_few_times() -> None:
    count = 100_000
    store = Messages(message(number) for number in range(count))
    read = 0
    while True:
        assert store.take_exhausted(3) == []
        if not (found := store.receive(10, 30)):
            break
        read += sum(store.delete(each["receipt_handle"]) for each in found)
    assert read == count
    assert count <= store.visits <= 3 * count


def test_messages_that_come_back_again_and_again_are_looked_at_once_each_time() -> None:
    clock, count, rounds = Clock(), 1_000, 10
    store = Messages((message(number) for number in range(count)), clock=clock)
    for _ in range(rounds):
        while store.receive(10, 30):
            store.take_exhausted(rounds + 1)
        assert store.counts()[Place.IN_FLIGHT] == count
        clock.now += 30
    assert store.visits <= 6 * rounds * count


def test_changing_the_visibility_of_one_message_for_ever_keeps_no_trace() -> None:
    clock, count = Clock(), 20_000
    store = Messages([message(0)], clock=clock)
    (held,) = store.receive(1, 30)
    for _ in range(count):
        clock.now += 1
        assert store.change_visibility(held["receipt_handle"], 40_000)
        assert store.change_visibility(held["receipt_handle"], 0)
    assert len(store._waiting) + len(store._visible) < 3_000
    assert store.visits <= 4 * count
    assert ids(store.receive(10, 30)) == [0]


def test_a_copy_is_a_list_that_makes_the_same_store() -> None:
    clock = Clock()
    store = Messages([message(0), message(1), message(2, visible_at=clock.now + 5)], clock=clock)
    (held,) = store.receive(1, 30)
    copied = copy.deepcopy(store)
    assert isinstance(copied, list)
    again = Messages(copied, clock=clock)
    assert again.counts() == store.counts()
    assert again.delete(held["receipt_handle"])
    clock.now += 5
    assert ids(again.receive(10, 30)) == [1, 2]
    assert len(store) == 3


class Listed:
    """A queue as a list that is gone through at each call: the emulator's own way."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.messages: list[dict[str, Any]] = []

    def receive(self, most: int, timeout: float) -> list[dict[str, Any]]:
        found = [each for each in self.messages if each["visible_at"] <= self.clock.now][:most]
        for each in found:
            each["visible_at"] = self.clock.now + timeout
            each["receive_count"] += 1
        return found

    def take_exhausted(self, limit: int) -> list[dict[str, Any]]:
        taken = [
            each
            for each in self.messages
            if each["receive_count"] >= limit and each["visible_at"] <= self.clock.now
        ]
        self.messages = [each for each in self.messages if each not in taken]
        return taken

    def counts(self) -> dict[Place, int]:
        hidden = [each for each in self.messages if each["visible_at"] > self.clock.now]
        delayed = sum(not each["receive_count"] for each in hidden)
        return {
            Place.VISIBLE: len(self.messages) - len(hidden),
            Place.DELAYED: delayed,
            Place.IN_FLIGHT: len(hidden) - delayed,
        }


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from([0, 0, 0, 2])),
        st.tuples(st.just("receive"), st.sampled_from([0, 1, 3])),
        st.tuples(st.just("pass"), st.sampled_from([1, 2])),
        st.tuples(st.just("delete"), st.integers(0, 5)),
        st.tuples(st.just("show"), st.integers(0, 5)),
        st.tuples(st.just("hide"), st.integers(0, 5)),
    ),
    max_size=40,
)


@given(STEPS)
def test_it_does_what_a_list_does(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    store, listed = Messages(clock=clock), Listed(clock)
    handles: dict[int, str] = {}
    for sent, (step, value) in enumerate(steps):
        known = sorted(handles)[value] if value < len(handles) else None
        if step == "send":
            store.append(message(sent, clock.now + value))
            listed.messages.append(message(sent, clock.now + value))
        elif step == "pass":
            clock.now += value
        elif step == "receive":
            assert sorted(ids(store.take_exhausted(3))) == ids(listed.take_exhausted(3))
            found = store.receive(2, value)
            assert ids(found) == ids(listed.receive(2, value))
            handles |= {int(each["id"]): each["receipt_handle"] for each in found}
        elif known is not None:
            _touch(step, store, listed, known, handles[known])
        assert store.counts() == listed.counts()
        assert ids(list(store)) == ids(listed.messages)
        seen = store.look(-1, 100)
        assert [int(each["id"]) for _, each, _ in seen] == ids(listed.messages)
        assert store.counts() == Counter(
            {**dict.fromkeys(Place, 0), **Counter(p for *_, p in seen)}
        )
        for at, (number, *_) in enumerate(seen):
            assert store.look(number, 1) == seen[at + 1 : at + 2]


def _touch(step: str, store: Messages, listed: Listed, known: int, handle: str) -> None:
    same = [each for each in listed.messages if int(each["id"]) == known]
    if step == "delete":
        assert store.delete(handle) == bool(same)
        listed.messages = [each for each in listed.messages if each not in same]
        return
    seconds = 0 if step == "show" else 4
    assert store.change_visibility(handle, seconds) == bool(same)
    for each in same:
        each["visible_at"] = listed.clock.now + seconds
