"""The soak's reader against the emulator: aggregates, many pages, shards split and merged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aws_kinesis_agg.aggregator import RecordAggregator

from loadtests.soak.books import Books
from loadtests.soak.stream_reader import SoakStreamReader
from local.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_kinesis import KinesisClient

STREAM = "soak"
MIDDLE = str(2**127)


@pytest.fixture(scope="module")
def kinesis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KinesisClient]:
    with Emulator(tmp_path_factory.mktemp("emulator"), region="us-west-2") as emulator:
        client: KinesisClient = emulator.client("kinesis")
        client.create_stream(StreamName=STREAM, ShardCount=1)
        yield client


def data_of(number: int) -> bytes:
    return f'v=1&id=e-{number}&ts=1&source=generic \n{{"n": "soak-1-{number}"}}'.encode()


def put(client: KinesisClient, numbers: range) -> None:
    for start in range(0, len(numbers), 500):
        entries = [
            {"Data": data_of(number), "PartitionKey": f"key-{number}"}
            for number in numbers[start : start + 500]
        ]
        assert client.put_records(StreamName=STREAM, Records=entries)["FailedRecordCount"] == 0  # type: ignore[arg-type]


def put_aggregate(client: KinesisClient, numbers: range) -> None:
    aggregator = RecordAggregator()
    for number in numbers:
        aggregator.add_user_record("key", data_of(number))
    data = aggregator.clear_and_get().get_contents()[2]
    client.put_record(StreamName=STREAM, Data=data, PartitionKey="key")


def open_shards(client: KinesisClient) -> list[str]:
    return [
        shard["ShardId"]
        for shard in client.list_shards(StreamName=STREAM)["Shards"]
        if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
    ]


def test_each_user_record_is_noted_once_over_a_split_and_a_merge(kinesis: KinesisClient) -> None:
    with Books(Path(":memory:")) as books:
        reader = SoakStreamReader(kinesis, STREAM, books)
        put(kinesis, range(1_200))
        put_aggregate(kinesis, range(1_200, 1_300))
        (parent,) = open_shards(kinesis)
        kinesis.split_shard(StreamName=STREAM, ShardToSplit=parent, NewStartingHashKey=MIDDLE)
        put(kinesis, range(1_300, 1_400))
        reader.read()
        one, other = open_shards(kinesis)
        kinesis.merge_shards(StreamName=STREAM, ShardToMerge=one, AdjacentShardToMerge=other)
        put_aggregate(kinesis, range(1_400, 1_450))
        reader.read()
        (merged,) = open_shards(kinesis)
        found = sorted(int(name[2:]) for (name,) in books.rows("SELECT id FROM stream"))
        assert found == list(range(1_450))
        shards = {place.partition(":")[0] for (place,) in books.rows("SELECT place FROM stream")}
        assert shards == {parent, one, other, merged}
        assert books.number("SELECT COUNT(*) FROM expected") == 1_450
        numbers = books.number(f"SELECT COUNT(*) FROM stream WHERE place LIKE '{merged}:%'")
        assert numbers == 50
