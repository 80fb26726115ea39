"""The event source mapping on the emulator's stream: batches, checkpoints, order."""

from __future__ import annotations

import base64
import threading
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.changes import Changes
from local.function_host import PAYLOAD_BYTES
from local.invocation import Invocation
from tests.functional.local.support import (
    Handler,
    mapping_of,
    mapping_settings,
    put,
)

if TYPE_CHECKING:
    from local.emulator import Emulator
    from local.mapping.event_source import EventSourceMapping


def test_each_record_comes_once_in_full_batches(shared_emulator: Emulator, tmp_path: Path) -> None:
    settings, handler = (
        mapping_settings(shared_emulator, shards=2, batch_size=40, window=0.2),
        Handler(),
    )
    keys = [f"key-{number}" for number in range(300)]
    put(shared_emulator, settings, keys)

    with mapping_of(shared_emulator, settings, handler, tmp_path) as mapping:
        assert mapping.wait_until_idle(60)
        counters = mapping.progress().counters

    assert sorted(handler.seen) == sorted(keys)
    assert max(map(len, handler.batches)) == 40
    assert len(handler.batches) <= 10
    assert counters["records_read"] == counters["records_settled"] == 300
    assert counters["invocations"] == counters["batches"] == len(handler.batches)


def test_the_window_gathers_records(shared_emulator: Emulator, tmp_path: Path) -> None:
    """Each is read before the next one is put; the window is over when the batch is full."""
    settings, handler = mapping_settings(shared_emulator, window=300, batch_size=6), Handler()
    changes = Changes()

    with mapping_of(shared_emulator, settings, handler, tmp_path, changes=changes) as mapping:
        for number in range(6):
            put(shared_emulator, settings, [f"key-{number}"])
            assert changes.wait_for(lambda: _read(mapping) > number, 60)  # noqa: B023
        assert mapping.wait_until_idle(60)

    assert [len(batch) for batch in handler.batches] == [6]


def _read(mapping: EventSourceMapping) -> int:
    return mapping.progress().counters["records_read"]


def test_a_batch_fits_into_an_invocation(shared_emulator: Emulator, tmp_path: Path) -> None:
    """Documented: a batch ends before 6 MB, base64 included."""
    settings, handler = mapping_settings(shared_emulator, window=0.5), Handler()
    kinesis = shared_emulator.client("kinesis")
    for number in range(8):
        kinesis.put_record(
            StreamName=settings.stream, Data=bytes(1_000_000), PartitionKey=str(number)
        )

    with mapping_of(shared_emulator, settings, handler, tmp_path) as mapping:
        assert mapping.wait_until_idle(60)

    assert [len(batch) for batch in handler.batches] == [4, 4]


def test_a_partial_response_delivers_from_the_lowest_number_on(
    shared_emulator: Emulator, tmp_path: Path
) -> None:
    settings = mapping_settings(shared_emulator, window=0.3, partial_responses=True, bisect=True)
    keys = [f"key-{number}" for number in range(10)]
    numbers = dict(zip(keys, put(shared_emulator, settings, keys), strict=True))
    failing = ["key-7", "key-4"]

    def answer(batch: list[str]) -> Invocation:
        named = [key for key in failing if key in batch]
        failing.clear()
        items = [{"itemIdentifier": numbers[key]} for key in named]
        return Invocation({"batchItemFailures": items})

    handler = Handler(answer)
    with mapping_of(shared_emulator, settings, handler, tmp_path) as mapping:
        assert mapping.wait_until_idle(60)

    assert handler.batches == [keys, keys[4:]]


def test_lanes_run_side_by_side_and_keep_the_order_of_each_key(
    shared_emulator: Emulator, tmp_path: Path
) -> None:
    settings = mapping_settings(shared_emulator, batch_size=10, lanes=3)
    keys = [f"key-{number % 20}" for number in range(400)]
    kinesis = shared_emulator.client("kinesis")
    entries = [
        {"Data": str(number).encode(), "PartitionKey": key} for number, key in enumerate(keys)
    ]
    kinesis.put_records(StreamName=settings.stream, Records=entries)
    order: dict[str, list[int]] = defaultdict(list)
    running = most = 0
    lock, all_run = threading.Lock(), threading.Barrier(3)
    met: set[int] = set()

    def invoke(event: Any, *, request_id: str | None = None) -> Invocation:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if threading.get_ident() not in met:
            all_run.wait(60)  # the first call of each lane ends when all three are in flight
            met.add(threading.get_ident())
        with lock:
            running -= 1
            for record in event["Records"]:
                kinesis_part = record["kinesis"]
                order[kinesis_part["partitionKey"]].append(int(kinesis_part["sequenceNumber"]))
        return Invocation(None)

    with mapping_of(shared_emulator, settings, invoke, tmp_path) as mapping:
        assert mapping.wait_until_idle(60)

    assert most == 3
    assert sum(map(len, order.values())) == 400
    assert all(numbers == sorted(numbers) for numbers in order.values())


def test_what_is_read_ahead_of_a_shard_is_an_invocations_worth(
    shared_emulator: Emulator, tmp_path: Path
) -> None:
    settings, goes_on = mapping_settings(shared_emulator, batch_size=1), threading.Event()
    kinesis, changes = shared_emulator.client("kinesis"), Changes()
    data, seen = b"x" * 200_000, [0]

    def answer(_: list[str]) -> Invocation:
        goes_on.wait(60)
        seen.append(mapping.progress().in_flight)
        return Invocation(None)

    handler = Handler(answer)
    mapping = mapping_of(shared_emulator, settings, handler, tmp_path, changes=changes)
    with mapping:
        kinesis.put_record(StreamName=settings.stream, Data=data, PartitionKey="first")
        assert changes.wait_for(lambda: _read(mapping) == 1, 60)
        for start in range(0, 105, 15):
            records = [{"Data": data, "PartitionKey": str(start + n)} for n in range(15)]
            kinesis.put_records(StreamName=settings.stream, Records=records)
        assert changes.wait_for(lambda: mapping.progress().in_flight > 20, 60)
        goes_on.set()
        assert mapping.wait_until_idle(60)
    assert len(handler.seen) == 106
    assert max(seen) <= 2 * PAYLOAD_BYTES // len(base64.b64encode(data)) + 1
