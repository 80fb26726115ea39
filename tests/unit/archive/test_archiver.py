"""The archiver keeps everything, byte for byte, once."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.archive.writer import ArchiveWriter
from pipeline.runtime.deadline import Deadline
from stream_processors import archiver as module
from stream_processors.archiver import Archiver
from tests.support.bench import aggregate, generic, github, record
from tests.support.fakes import FakeS3, out_of_reach

if TYPE_CHECKING:
    import pytest

    from pipeline.event.compiled_source import Catalog

DEADLINE = Deadline(lambda: 4.0)


class Context:
    aws_request_id = "1"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 4_000


def body_of(line: dict[str, Any]) -> bytes:
    if "body" in line:
        return str(line["body"]).encode()
    return base64.b64decode(line.get("body_base64") or line["record_base64"])


def test_what_the_fan_out_rejects_is_kept_too(catalog: Catalog) -> None:
    s3 = FakeS3()
    batch = [
        record(aggregate(github({"n": 1}, secret="forged"), generic(b"\xff{"))),
        record(b"malformed"),
        record(generic({}).replace(b"source=generic", b"source=..%2Fx")),
    ]
    assert Archiver(catalog, ArchiveWriter(s3, "b")).process(batch, DEADLINE)
    assert sorted(key.split("/")[1] for key in s3.objects) == [
        "source=_unknown",
        "source=generic",
        "source=github",
    ]
    assert sorted(body_of(line) for line in s3.lines("raw/")) == [
        b"malformed",
        b'{"n":1}',
        b"{}",
        b"\xff{",
    ]


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=10))
def test_bytes_are_kept(catalog: Catalog, bodies: list[bytes]) -> None:
    s3 = FakeS3()
    Archiver(catalog, ArchiveWriter(s3, "b")).process(
        [record(generic(b)) for b in bodies], DEADLINE
    )
    assert [body_of(line) for line in s3.lines("raw/")] == bodies


def test_a_part_that_fails_brings_the_whole_batch_back_to_the_same_keys(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = FakeS3()
    monkeypatch.setattr(module, "archiver", lambda: Archiver(catalog, ArchiveWriter(s3, "b")))
    batch = [record(generic({"n": 1})), record(github({"n": 2})), record(generic({"n": 3}))]
    s3.faults.append(out_of_reach())
    first = module.handler({"Records": batch}, Context)  # type: ignore[arg-type]
    assert first == {
        "batchItemFailures": [{"itemIdentifier": batch[0]["kinesis"]["sequenceNumber"]}]
    }
    again = module.handler({"Records": batch}, Context)  # type: ignore[arg-type]
    assert again == {"batchItemFailures": []}
    assert len(s3.lines("raw/")) == 3


def test_the_first_of_a_batch_is_the_least_number_and_not_the_least_text(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = FakeS3()
    s3.broken = out_of_reach()
    monkeypatch.setattr(module, "archiver", lambda: Archiver(catalog, ArchiveWriter(s3, "b")))
    batch = [record(generic({"n": n}), sequence=n) for n in range(6)]
    numbers = [one["kinesis"]["sequenceNumber"] for one in batch]
    assert {len(number) for number in numbers} == {55, 56}
    assert min(numbers) != numbers[0]
    answer = module.handler({"Records": batch}, Context)  # type: ignore[arg-type]
    assert answer == {"batchItemFailures": [{"itemIdentifier": numbers[0]}]}
