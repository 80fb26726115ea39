"""The collector rests while a batch is processed, and never longer."""

from __future__ import annotations

import gc

import pytest

from pipeline.runtime.collector import without_collection


def test_the_collector_goes_on_after_a_batch() -> None:
    @without_collection
    def handler(fail: bool) -> bool:
        if fail:
            raise ValueError("a fault")
        return gc.isenabled()

    assert gc.isenabled()
    assert handler(fail=False) is False
    assert gc.isenabled()
    with pytest.raises(ValueError, match="a fault"):
        handler(fail=True)
    assert gc.isenabled()


def test_cycles_of_a_batch_are_freed_after_it() -> None:
    class Node:
        alive = 0

        def __init__(self) -> None:
            Node.alive += 1
            self.itself = self

        def __del__(self) -> None:
            Node.alive -= 1

    @without_collection
    def handler() -> None:
        for _ in range(5_000):
            Node()

    handler()
    kept: list[list[int]] = [[] for _ in range(2_000)]  # what comes after it sets the collector off
    assert Node.alive < 5_000
    assert len(kept) == 2_000
