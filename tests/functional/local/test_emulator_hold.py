"""GetRecords that waits at the emulator: for who asks for it, and for nobody else."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local.emulator_hold import HELD_HEADER
from local.mapping.event_source import EventSourceMapping
from local.mapping.pace import get_records
from tests.functional.local.support import QUICK, Handler, mapping_settings, put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.emulator import Emulator

# A hold that is waited for to its end, and one that never is.
SHORT, LONG = 0.2, 600.0


class Reader:
    """Reads the shards of a stream of its own."""

    def __init__(self, emulator: Emulator, *, shards: int = 1) -> None:
        self.kinesis = emulator.client("kinesis")
        self.stream = f"stream-{uuid.uuid4()}"
        self.kinesis.create_stream(StreamName=self.stream, ShardCount=shards)
        listed = self.kinesis.list_shards(StreamName=self.stream)["Shards"]
        self.arn = f"arn:aws:kinesis:us-west-2:000000000000:stream/{self.stream}"
        self.iterators = [self._iterator(shard["ShardId"]) for shard in listed]

    def _iterator(self, shard: str) -> str:
        found = self.kinesis.get_shard_iterator(
            StreamName=self.stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )
        return str(found["ShardIterator"])

    def put(self, key: str, **options: Any) -> None:
        self.kinesis.put_record(
            StreamName=self.stream, Data=key.encode(), PartitionKey=key, **options
        )

    def call(self, hold: float, shard: int = 0) -> tuple[Any, float]:
        iterator = self.iterators[shard]
        return get_records(self.kinesis, hold, iterator=iterator, limit=10_000, stream_arn=self.arn)

    def read(self, hold: float, shard: int = 0) -> tuple[list[str], float]:
        found, held = self.call(hold, shard)
        self.iterators[shard] = found["NextShardIterator"]
        return [record["PartitionKey"] for record in found["Records"]], held


class Held(threading.Thread):
    """A read that waits in a thread of its own, until it has something or its hold is over."""

    def __init__(self, reader: Reader, hold: float, shard: int = 0) -> None:
        super().__init__(daemon=True)
        self.answer: tuple[list[str], float] | None = None
        self._read: Callable[[], tuple[list[str], float]] = lambda: reader.read(hold, shard)
        sent = threading.Event()
        # What follows is put while it is held, or before: either way it has to find it.
        reader.kinesis.meta.events.register(
            "before-send.kinesis.GetRecords", lambda **_: sent.set()
        )
        self.start()
        assert sent.wait(60)
        reader.kinesis.list_streams()

    def run(self) -> None:
        self.answer = self._read()

    def result(self) -> tuple[list[str], float]:
        self.join(60)
        assert self.answer is not None
        return self.answer


def test_a_read_that_is_held_ends_as_soon_as_a_record_is_put(shared_emulator: Emulator) -> None:
    reader = Reader(shared_emulator)
    held = Held(reader, LONG)
    reader.put("a")
    assert held.result()[0] == ["a"]


def test_a_batch_of_records_ends_it_too(shared_emulator: Emulator) -> None:
    reader = Reader(shared_emulator)
    held = Held(reader, LONG)
    entries = [{"Data": b"x", "PartitionKey": key} for key in "ab"]
    reader.kinesis.put_records(StreamName=reader.stream, Records=entries)
    assert held.result()[0] == ["a", "b"]


def test_a_read_that_finds_nothing_is_empty_when_its_hold_is_over(
    shared_emulator: Emulator,
) -> None:
    reader = Reader(shared_emulator)
    found, held = reader.read(SHORT)
    assert found == []
    assert held >= SHORT


def test_what_is_there_already_is_read_without_a_wait(shared_emulator: Emulator) -> None:
    reader = Reader(shared_emulator)
    reader.put("a")
    assert reader.read(LONG)[0] == ["a"]


def test_records_of_another_shard_or_stream_do_not_end_it(shared_emulator: Emulator) -> None:
    reader, other = Reader(shared_emulator, shards=2), Reader(shared_emulator)
    held = Held(reader, 1, shard=0)
    reader.put("a", ExplicitHashKey=str(2**128 - 1))
    other.put("b")
    found, seconds = held.result()
    assert found == []
    assert seconds >= 1
    assert reader.read(LONG, shard=1)[0] == ["a"]


def test_without_the_header_nothing_is_held(shared_emulator: Emulator) -> None:
    reader = Reader(shared_emulator)
    answer = reader.kinesis.get_records(ShardIterator=reader.iterators[0])
    assert answer["Records"] == []
    assert HELD_HEADER not in answer["ResponseMetadata"]["HTTPHeaders"]


def test_a_hold_that_makes_no_sense_is_none(shared_emulator: Emulator) -> None:
    for hold in (float("nan"), float("inf"), -1.0):
        reader = Reader(shared_emulator)
        answer, held = reader.call(hold)
        assert answer["Records"] == []
        assert held == 0


def test_an_iterator_that_is_not_known_is_refused_at_once(shared_emulator: Emulator) -> None:
    reader = Reader(shared_emulator)
    reader.iterators = ["none"]
    with pytest.raises(ClientError, match="ExpiredIterator") as caught:
        reader.read(LONG)
    assert HELD_HEADER in caught.value.response["ResponseMetadata"]["HTTPHeaders"]


def test_a_mapping_at_rest_asks_once_for_each_hold(
    shared_emulator: Emulator, tmp_path: Path
) -> None:
    """Each of its calls but the last is over when the next one comes, and was held to its end."""
    settings, handler, looks = mapping_settings(shared_emulator), Handler(), 5
    client = shared_emulator.client("kinesis")
    held: list[float] = []
    enough = threading.Event()

    def count(parsed: dict[str, Any], **_: Any) -> None:
        if not parsed["Records"]:
            held.append(float(parsed["ResponseMetadata"]["HTTPHeaders"][HELD_HEADER]))
        if len(held) == looks:
            enough.set()

    client.meta.events.register("after-call.kinesis.GetRecords", count)
    mapping = EventSourceMapping(
        settings, invoke=handler, clients=lambda _: client, checkpoints=tmp_path, backoff=QUICK
    )
    with mapping:
        assert enough.wait(60)
        put(shared_emulator, settings, ["a"])
        assert mapping.wait_until_idle(60)
    assert handler.seen == ["a"]
    assert all(seconds >= SHORT for seconds in held[:looks])
