"""No sequence of hostile records makes the processor raise or lose count."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stream.kpl import AggregatedRecord
from pipeline.stream.records import read_records
from tests.support.bench import SECRET, Bench, aggregate, generic, github, record, tally
from tests.support.fakes import out_of_reach

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers(-(2**63), 2**64 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(
        st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
BODIES = st.binary(max_size=60) | JSON.map(orjson.dumps) | st.just(b"[" * 2000)
ENVELOPES = st.one_of(
    BODIES.map(generic),
    st.builds(
        github,
        BODIES,
        event=st.sampled_from(["push", "fork", "new_type", "", "issues"]),
        delivery=st.sampled_from(["d-1", "d-2", "x" * 300, ""]),
        secret=st.sampled_from([SECRET, "forged"]),
        content_type=st.sampled_from(
            ["application/json", "application/x-www-form-urlencoded", "text/plain", ""]
        ),
        force=st.booleans(),
    ),
    st.builds(lambda e, cut: e[:cut], BODIES.map(generic), st.integers(0, 80)),
    st.binary(max_size=80),
)


def forged_aggregate(data: list[bytes], index: int, broken: bool) -> bytes:
    """An aggregate whose MD5 is right, and whose key index may be wrong."""
    message = AggregatedRecord()
    message.partition_key_table.append("k")
    for one in data:
        message.records.add(partition_key_index=index, data=one)
    content: bytes = message.SerializeToString()
    digest = hashlib.md5(content, usedforsecurity=False).digest()
    return b"\xf3\x89\x9a\xc2" + content + (b"0" * 16 if broken else digest)


RECORDS = st.one_of(
    ENVELOPES.map(lambda data: [data]),
    st.lists(ENVELOPES, min_size=1, max_size=4).map(lambda data: [aggregate(*data)]),
    st.builds(
        forged_aggregate, st.lists(ENVELOPES, max_size=3), st.integers(0, 2), st.booleans()
    ).map(lambda data: [data]),
)


@given(batches=st.lists(RECORDS, max_size=8))
@settings(max_examples=150)
def test_every_event_has_one_outcome(catalog: Catalog, batches: list[list[bytes]]) -> None:
    bench = Bench(catalog)
    records = [record(data) for batch in batches for data in batch]
    received = len(list(read_records(records)))
    settlement = bench.run(*records)
    assert len(settlement.outcomes) == received
    counts = tally(settlement.outcomes)
    assert counts.get("unsettled", 0) == 0
    assert counts.get("delivered", 0) == len(bench.sqs.bodies())
    archived = len(bench.s3.lines("rejected/")) + len(bench.s3.lines("quarantine/"))
    assert archived == received - counts.get("delivered", 0) - counts.get("duplicate", 0)


@given(
    data=st.lists(ENVELOPES, min_size=1, max_size=8),
    faults=st.lists(st.sampled_from(["sqs", "dynamodb", "s3", "ssm"]), max_size=12),
)
@settings(max_examples=100)
def test_counts_add_up_over_retries(catalog: Catalog, data: list[bytes], faults: list[str]) -> None:
    bench = Bench(catalog)
    for service in faults:
        fake = getattr(bench, service)
        fake.faults.append(out_of_reach())
    bench.time_left = 5.01
    records = [record(one) for one in data]
    first = bench.run(*records)
    settled = list(first.settled)
    if first.checkpoint is not None:
        start = int(first.checkpoint)
        rest = [r for r in records if int(r["kinesis"]["sequenceNumber"]) >= start]
        # SSM answers are remembered as failures for a second.
        bench.now += 2
        settled += bench.run_until_settled(*rest)
    assert len(settled) == len(records)
    assert tally(settled).get("delivered", 0) == len(bench.sqs.bodies()), "sent once each"
    ledger = [(line["id"], line["outcome"]) for line in bench.s3.lines("ledger/")]
    assert sorted(ledger) == sorted((one.event.id, str(one.kind)) for one in settled)


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=20))
def test_aggregating_keeps_events(data: list[bytes]) -> None:
    found = list(read_records([record(aggregate(*data))]))
    assert [one.data for one in found] == data
    assert not any(one.fault for one in found)
