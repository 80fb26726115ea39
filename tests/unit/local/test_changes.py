"""Waiting for changes instead of looking again and again."""

from __future__ import annotations

import threading

from local.changes import Changes


def test_who_waits_is_woken_by_a_change() -> None:
    changes, asked, ready = Changes(), threading.Event(), False
    results: list[bool] = []

    def reached() -> bool:
        asked.set()
        return ready

    waiter = threading.Thread(target=lambda: results.append(changes.wait_for(reached, 600)))
    waiter.start()
    assert asked.wait(60)
    ready = True
    changes.notify()
    waiter.join(60)
    assert results == [True]


def test_it_is_asked_once_at_the_start_and_once_for_each_change() -> None:
    changes = Changes()
    looks = 0

    def reached() -> bool:
        nonlocal looks
        looks += 1
        if looks < 5:
            changes.notify()  # a change between look and wait is not missed
        return looks == 5

    assert changes.wait_for(reached, 600)
    assert looks == 5


def test_what_is_never_reached_is_given_up() -> None:
    changes = Changes()
    assert not changes.wait_for(lambda: False, 0)
    assert not changes.wait_for(lambda: False, 0.01)
    assert changes.wait_for(lambda: True, 0)


def test_a_change_that_was_not_seen_ends_a_wait_at_once() -> None:
    changes = Changes()
    seen = changes.count
    changes.notify()
    changes.wait(seen, 600)
    assert changes.count == seen + 1
