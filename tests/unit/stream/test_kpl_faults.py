"""An aggregate that is not what it says: nothing of it is dropped, and nothing passes for sound."""

from __future__ import annotations

import hashlib

import pytest

from pipeline.stream.kpl import MAGIC, AggregatedRecord, deaggregate
from pipeline.stream.records import read_records
from tests.support.bench import aggregate, generic, record


def sealed(message: bytes) -> bytes:
    return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()


def read(data: bytes) -> list[tuple[bytes, str]]:
    """What the processors see of a record."""
    return [(bytes(one.data), one.fault) for one in read_records([record(data)])]


def test_a_wrong_md5_is_the_fault_of_the_whole_aggregate() -> None:
    data = aggregate(b"one", b"two")
    assert read(data) == [(b"one", ""), (b"two", "")]
    for broken in (data[:-1] + bytes([data[-1] ^ 1]), data[:8] + b"?" + data[9:], data[:-1]):
        assert read(broken) == [(broken, "an aggregate whose MD5 does not fit")]


@pytest.mark.parametrize(("index", "sound"), [(0, True), (1, False), (7, False)])
def test_a_partition_key_index_beyond_the_table_is_that_records_fault(
    index: int, sound: bool
) -> None:
    message = AggregatedRecord()
    message.partition_key_table.append("k")
    message.records.add(partition_key_index=0, data=b"one")
    message.records.add(partition_key_index=index, data=b"two")
    fault = "" if sound else "a record whose partition key index is wrong"
    assert read(sealed(message.SerializeToString())) == [(b"one", ""), (b"two", fault)]


def test_what_is_no_message_or_holds_nothing_is_one_faulty_record() -> None:
    for message, fault in (
        (b"\xff\xff", "an aggregate that is no protobuf message"),
        (b"", "an aggregate without a record"),
    ):
        assert list(deaggregate(sealed(message))) == [(sealed(message), fault)]


def test_what_does_not_begin_with_the_magic_bytes_is_one_record() -> None:
    data = generic({"n": 1})
    assert read(data) == [(data, "")]
    assert read(MAGIC[:3]) == [(MAGIC[:3], "")]
