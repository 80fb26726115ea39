"""Sending goes on until everything is on the stream, and gives way to live traffic."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pipeline.aws.limits import RECORD_BYTES
from pipeline.stream.pace import Pace
from pipeline.stream.sending import StreamWriter
from pipeline.stream.shards import ShardMap, StreamError, StreamUnreachableError, capacity
from tests.support.bench import generic
from tests.support.fakes import client_error, out_of_reach
from tests.support.replay import Clock, FakeKinesis

THROTTLED = "ProvisionedThroughputExceededException"


class Setup:
    def __init__(self, events: float = 1e9, size: float = math.inf) -> None:
        self.kinesis, self.clock = FakeKinesis(), Clock()
        self.pace = Pace(events, size, clock=self.clock, sleep=self.clock.sleep)
        self.shards = ShardMap(self.kinesis, "stream", self.clock)
        self.writer = StreamWriter(
            self.kinesis,
            "stream",
            self.shards,
            self.pace,
            largest_record=RECORD_BYTES,
            clock=self.clock,
        )

    def add(self, count: int, start: int = 0, size: int = 10) -> None:
        for number in range(start, start + count):
            data = generic(b"x" * size, request=f"r-{number}")
            assert self.writer.add(f"key-{number}", data)


def ids(count: int) -> list[str]:
    return sorted(f"r-{number}" for number in range(count))


def test_only_refused_records_are_sent_again() -> None:
    setup = Setup()
    sizes = []

    def refuse(call: int, entries: list[Any]) -> list[str | None]:
        sizes.append(len(entries))
        return [
            "InternalFailure" if (number + call) % 3 else None for number in range(len(entries))
        ]

    setup.kinesis.refuse = refuse
    setup.add(3000)
    setup.writer.flush()
    assert setup.kinesis.ids() == ids(3000)
    assert sizes[0] > sizes[-1]


def test_a_failed_call_is_made_again() -> None:
    setup = Setup()
    setup.kinesis.faults = [out_of_reach(), client_error("InternalFailure", "PutRecords", 500)]
    setup.add(10)
    setup.writer.flush()
    assert setup.kinesis.ids() == ids(10)
    assert setup.kinesis.calls == 3


def test_a_stream_that_takes_nothing_is_an_error_after_the_timeout() -> None:
    setup = Setup()
    setup.kinesis.faults = [out_of_reach()] * 10_000
    setup.add(10)
    with pytest.raises(StreamUnreachableError, match="could not be put"):
        setup.writer.flush()
    assert 120 < setup.clock.slept < 140


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_what_another_try_does_not_mend_ends_at_once(code: str) -> None:
    setup = Setup()
    setup.kinesis.faults = [client_error(code, "PutRecords")]
    setup.add(10)
    with pytest.raises(StreamError, match=code):
        setup.writer.flush()
    assert setup.kinesis.calls == 1


def test_throttling_lowers_the_rate_and_it_comes_back() -> None:
    setup = Setup(events=1000.0)
    setup.kinesis.refuse = lambda call, entries: [
        THROTTLED if 3 <= call <= 12 else None for _ in entries
    ]
    setup.add(1500)
    setup.writer.flush()
    assert setup.writer.throttles == 10
    lowest = setup.pace.factor
    assert lowest < 0.6
    setup.add(60_000, start=1500)
    setup.writer.flush()
    assert setup.pace.factor == 1.0
    assert setup.kinesis.ids() == ids(61_500)


def test_a_throttle_counts_from_what_was_really_sent() -> None:
    """Half of a rate that is never reached would change nothing."""
    setup = Setup(events=1_000_000.0)
    setup.clock.step = 0.05
    setup.add(5000)
    setup.writer.flush()
    setup.kinesis.refuse = lambda call, entries: [THROTTLED if call < 20 else None for _ in entries]
    setup.add(5000)
    setup.writer.flush()
    assert setup.pace.factor < 0.1


def test_the_rate_is_kept() -> None:
    setup = Setup(events=100.0)
    start = setup.clock.now
    setup.add(1000)
    setup.writer.flush()
    assert 9.5 < setup.clock.now - start < 10.5


def test_bytes_are_kept_as_well() -> None:
    setup = Setup(events=1e9, size=1_000_000.0)
    start = setup.clock.now
    setup.add(1000, size=10_000)
    setup.writer.flush()
    assert 9.0 < setup.clock.now - start < 11.5
    largest = max(len(one["Data"]) for part in setup.kinesis.records.values() for one in part)
    assert largest < 250_000, "one call must not use up a shard's second"


def test_a_low_rate_sends_one_by_one() -> None:
    setup = Setup(events=1.0)
    setup.add(5)
    assert setup.kinesis.calls == 5


def test_someone_who_wants_to_stop_does_not_wait_for_the_rate() -> None:
    setup = Setup(events=0.01)
    setup.add(2)
    start = setup.clock.now
    setup.pace.stop_requested = lambda: setup.clock.now - start > 1.0
    setup.add(1, start=2)
    setup.writer.flush()
    assert setup.clock.now - start < 2.0
    assert setup.kinesis.ids() == ids(3)


def test_calls_stay_below_the_limits() -> None:
    setup = Setup()
    setup.add(40, size=900_000)
    setup.add(3, start=40, size=1_040_000)
    setup.writer.flush()
    assert setup.kinesis.ids() == ids(43)


def test_an_event_that_no_record_can_hold() -> None:
    setup = Setup()
    data = generic(b"x" * 1_048_576, request="large")
    assert not setup.writer.add("key", data)
    setup.writer.flush()
    assert setup.kinesis.calls == 0


def test_resharding_is_noticed() -> None:
    setup = Setup()
    setup.add(300)
    setup.writer.flush()
    setup.kinesis.names = [f"shardId-{number:012d}" for number in range(3, 8)]
    setup.add(300, start=300)
    setup.writer.flush()
    listed = setup.kinesis.listed
    setup.add(300, start=600)
    setup.writer.flush()
    assert setup.kinesis.listed == listed + 1
    assert setup.kinesis.ids() == ids(900)
    for shard, entries in setup.kinesis.records.items():
        if any(entry in entries for entry in setup.kinesis.aggregates):
            assert shard in {shard.id for shard in setup.shards.shards} | {
                f"shardId-{number:012d}" for number in range(3)
            }


def test_the_map_is_read_again_after_a_minute_and_an_old_one_serves() -> None:
    setup = Setup()
    setup.shards.refresh()
    assert not setup.shards.refresh()
    assert setup.kinesis.listed == 1
    setup.clock.sleep(61)
    setup.shards.refresh()
    assert setup.kinesis.listed == 2
    setup.kinesis.list_shards = lambda **_: (_ for _ in ()).throw(out_of_reach())  # type: ignore[method-assign]
    setup.clock.sleep(61)
    assert not setup.shards.refresh()
    with pytest.raises(StreamError, match="cannot list"):
        ShardMap(setup.kinesis, "stream", setup.clock).refresh()


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (client_error("LimitExceededException", "ListShards"), True),
        (client_error("429", "ListShards", 429), True),
        (out_of_reach(), True),
        (client_error("ResourceNotFoundException", "ListShards"), False),
    ],
)
def test_a_throttle_of_the_very_first_call_is_one_that_the_workflow_tries_again(
    error: Exception, again: bool
) -> None:
    class Refusing:
        def list_shards(self, **_: Any) -> Any:
            raise error

    with pytest.raises(StreamError, match="cannot list") as caught:
        ShardMap(Refusing(), "stream").refresh()
    assert isinstance(caught.value, StreamUnreachableError) is again


def test_shards_of_several_pages_without_closed_ones() -> None:
    setup = Setup()
    (_closed, *shards) = setup.kinesis.list_shards()["Shards"]
    pages = {None: {"Shards": shards[2:], "NextToken": "t"}, "t": {"Shards": shards[:2]}}

    class Paged:
        def list_shards(self, **request: Any) -> Any:
            assert set(request) in ({"StreamName"}, {"NextToken"})
            return pages[request.get("NextToken")]

    paged = ShardMap(Paged(), "stream")
    paged.refresh()
    assert [shard.id for shard in paged.shards] == setup.kinesis.names
    found = paged.find("key")
    assert found is not None
    assert found.id == setup.kinesis.shard_of("key")


@pytest.mark.parametrize(
    ("answer", "records", "largest"),
    [
        ({"OpenShardCount": 2}, 2000, 1_048_576),
        ({"OpenShardCount": 1, "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}, 4000, 1_048_576),
        ({"OpenShardCount": 8, "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}, 8000, 1_048_576),
        ({"OpenShardCount": 1, "MaxRecordSizeInKiB": 4096}, 1000, 4_194_304),
    ],
)
def test_capacity(answer: dict[str, Any], records: int, largest: int) -> None:
    class Described:
        def describe_stream_summary(self, **_: Any) -> Any:
            return {"StreamDescriptionSummary": answer}

    found = capacity(Described(), "stream")
    assert (found.records, found.largest_record) == (records, largest)
    assert found.size == records * 1000


def test_a_stream_that_is_not_there() -> None:
    class Gone:
        def describe_stream_summary(self, **_: Any) -> Any:
            raise client_error("ResourceNotFoundException", "DescribeStreamSummary")

    with pytest.raises(StreamError, match="cannot be described"):
        capacity(Gone(), "stream")


@pytest.mark.parametrize(
    "error",
    [
        client_error("com.amazonaws.kinesis#ProvisionedThroughputExceededException", "PutRecords"),
        client_error("ThrottledException:http://x/", "PutRecords"),
        client_error("429", "PutRecords", 429),
        client_error("ServiceUnavailable", "PutRecords", 503),
    ],
)
def test_a_throttled_call_slows_down_in_every_spelling(error: Exception) -> None:
    setup = Setup()
    setup.kinesis.faults = [error]
    setup.add(10)
    setup.writer.flush()
    assert setup.kinesis.ids() == ids(10)
    assert (setup.writer.throttles, setup.pace.factor) == (1, 0.5)


@pytest.mark.parametrize("spelling", [f"com.amazon.coral.service#{THROTTLED}", f"{THROTTLED}:x"])
def test_a_throttled_record_slows_down_in_every_spelling(spelling: str) -> None:
    setup = Setup()
    setup.kinesis.refuse = lambda call, entries: [spelling if call == 1 else None] * len(entries)
    setup.add(10)
    setup.writer.flush()
    assert setup.kinesis.ids() == ids(10)
    assert setup.writer.throttles == 1


def test_a_lasting_error_is_one_in_every_spelling() -> None:
    setup = Setup()
    setup.kinesis.faults = [client_error("com.amazonaws.kinesis#ResourceNotFoundException", "P")]
    setup.add(10)
    with pytest.raises(StreamError, match="ResourceNotFoundException"):
        setup.writer.flush()
