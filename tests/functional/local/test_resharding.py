"""Shards that are split and merged while a mapping reads them: none is lost, each key in order."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.functional.local.support import Handler, mapping_of, mapping_settings, put

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import ShardTypeDef

    from local.emulator import Emulator
    from local.mapping.settings import MappingSettings

MIDDLE = str(2**127)


def shards(kinesis: KinesisClient, settings: MappingSettings) -> list[ShardTypeDef]:
    return kinesis.list_shards(StreamName=settings.stream)["Shards"]


def split(kinesis: KinesisClient, settings: MappingSettings) -> str:
    (parent,) = shards(kinesis, settings)
    kinesis.split_shard(
        StreamName=settings.stream, ShardToSplit=parent["ShardId"], NewStartingHashKey=MIDDLE
    )
    return parent["ShardId"]


def merge(kinesis: KinesisClient, settings: MappingSettings) -> None:
    one, other = (
        shard["ShardId"]
        for shard in shards(kinesis, settings)
        if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
    )
    kinesis.merge_shards(StreamName=settings.stream, ShardToMerge=one, AdjacentShardToMerge=other)


def test_children_are_read_after_their_parents_and_nothing_is_lost(
    shared_emulator: Emulator, tmp_path: Path
) -> None:
    kinesis = shared_emulator.client("kinesis")
    settings, handler = mapping_settings(shared_emulator, batch_size=7), Handler()
    keys = [f"key-{number}" for number in range(30)]
    put(shared_emulator, settings, keys)
    split(kinesis, settings)
    put(shared_emulator, settings, keys)
    with mapping_of(shared_emulator, settings, handler, tmp_path) as mapping:
        merge(kinesis, settings)
        put(shared_emulator, settings, keys)
        assert mapping.wait_until_idle(60)
    assert sorted(handler.seen) == sorted(keys * 3)
    # A restart goes on where this one was: past shards that have ended.
    put(shared_emulator, settings, ["last"])
    with mapping_of(shared_emulator, settings, handler, tmp_path) as mapping:
        assert mapping.wait_until_idle(60)
    assert handler.seen[90:] == ["last"]


def test_a_closed_shard_keeps_its_records_and_says_that_it_ends(
    shared_emulator: Emulator,
) -> None:
    kinesis = shared_emulator.client("kinesis")
    settings = mapping_settings(shared_emulator)
    put(shared_emulator, settings, [f"key-{number}" for number in range(3)])
    parent = split(kinesis, settings)
    put(shared_emulator, settings, [f"key-{number}" for number in range(20)])
    listed = {shard["ShardId"]: shard for shard in shards(kinesis, settings)}
    assert len(listed) == 3
    end = int(listed[parent]["SequenceNumberRange"]["EndingSequenceNumber"])
    iterator = kinesis.get_shard_iterator(
        StreamName=settings.stream, ShardId=parent, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    first = kinesis.get_records(ShardIterator=iterator, Limit=2)
    rest = kinesis.get_records(ShardIterator=first["NextShardIterator"])
    numbers = [int(each["SequenceNumber"]) for each in [*first["Records"], *rest["Records"]]]
    assert len(numbers) == 3
    assert max(numbers) < end
    assert "NextShardIterator" not in rest
    children = [one for one in listed.values() if one.get("ParentShardId") == parent]
    starts = [int(one["SequenceNumberRange"]["StartingSequenceNumber"]) for one in children]
    assert min(starts) > end
    assert {one["ShardId"] for one in rest["ChildShards"]} == {one["ShardId"] for one in children}
    with pytest.raises(ClientError, match="not all of them are open"):
        kinesis.split_shard(
            StreamName=settings.stream, ShardToSplit=parent, NewStartingHashKey=MIDDLE
        )


def test_the_order_of_each_key_holds_over_a_split(
    shared_emulator: Emulator, tmp_path: Path
) -> None:
    kinesis = shared_emulator.client("kinesis")
    settings, handler = mapping_settings(shared_emulator, batch_size=3), Handler()
    keys = [f"key-{number % 5}" for number in range(40)]
    with mapping_of(shared_emulator, settings, handler, tmp_path) as mapping:
        put(shared_emulator, settings, keys)
        split(kinesis, settings)
        put(shared_emulator, settings, keys)
        assert mapping.wait_until_idle(60)
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for event in handler.events:
        for record in event["Records"]:
            part = record["kinesis"]
            numbers[part["partitionKey"]].append(int(part["sequenceNumber"]))
    assert all(found == sorted(found) for found in numbers.values())
    assert sum(map(len, numbers.values())) == 80
