"""Reads the stream beside the product, and notes each user record that is on it.

One side of the account: nothing of what the product reads the stream with is used here. Records are
fetched with boto3, past the fault proxy; AWS's own library (aws-kinesis-agg) takes aggregates
apart; the envelope's line is read with `urllib`, and the elements of a request with `json`.
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from aws_kinesis_agg.deaggregator import iter_deaggregate_records
from botocore.exceptions import ClientError

from loadtests.soak.books import digest, token_in, token_of_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import GetRecordsOutputTypeDef

    from loadtests.soak.books import Books

#: Where a source's request has its list of events (developer.okta.com, "Event hooks").
SPLITS = {"okta": ("data", "events")}
#: What tells the events of one request apart, at Okta and at Cloudflare.
IDENTITIES = ("uuid", "RayID")
#: Sources whose request has an event on each line.
LINES = ("cloudflare-logpush",)
#: Of GetRecords; it gives up to 10,000 and 10 MiB at once, and here memory is to be small.
_PAGE_RECORDS = 500
#: AWS lets a shard be read five times a second.
_PAUSE_SECONDS = 0.2
_MOST_THROTTLES = 100
_THROTTLED = {"ProvisionedThroughputExceededException", "LimitExceededException"}


class ReadEnvelope(NamedTuple):
    """The metadata of a user record, as far as the account needs it. `whole` is the request's id.

    Without an envelope its id is the place on the shard.
    """

    id: str
    source: str
    job: str
    body: bytes

    @property
    def whole(self) -> str:
        """The id of the request, with the replay job that put it on the stream."""
        job = f"@{_escape(self.job)}" if self.job else ""
        return f"{_escape(self.id)}{job}"


def take_apart(records: Iterable[dict[str, Any]]) -> Iterator[tuple[int, bytes]]:
    """Return the user records in records of GetRecords, each with its number in its record.

    aws-kinesis-agg leaves alone what is no aggregate, or has a wrong MD5.
    """
    for user_record in iter_deaggregate_records(records, data_format="Boto3"):
        kinesis = user_record["kinesis"]
        data = kinesis["data"]
        if kinesis.get("aggregated"):
            yield kinesis["subSequenceNumber"], base64.b64decode(data)
        else:
            yield 0, data


def read_envelope(data: bytes, place: str, number: int) -> ReadEnvelope:
    """Read the line of metadata by its documented form: docs/architecture.md, "Envelope"."""
    line, _, body = data.partition(b"\n")
    try:
        text = line.decode("ascii").rstrip(" ")
        fields = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True))
        return ReadEnvelope(fields["id"], fields["source"], fields.get("replay", ""), body)
    except (ValueError, KeyError):  # no line of metadata, so no envelope
        return ReadEnvelope(f"{place}.{number}", "", "", data)


def find_elements(source: str, body: bytes) -> list[Any] | None:
    """Return the events that a request carries; None where it is one event as a whole."""
    if source in LINES:
        try:
            return [json.loads(line) for line in body.splitlines() if line.strip()] or None
        except (ValueError, RecursionError):
            return None
    if source not in SPLITS:
        return None
    try:
        found = json.loads(body)
        for name in SPLITS[source]:
            found = found[name]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return found if isinstance(found, list) and found else None


class SoakStreamReader:
    """Reads a stream from its beginning to its end, shard by shard, into the books.

    Parameters
    ----------
    client : KinesisClient
        Of the stream's own service, and not of the fault proxy.
    """

    def __init__(self, client: KinesisClient, stream: str, books: Books) -> None:
        self._client = client
        self._stream = stream
        self._books = books
        self._last: dict[str, str] = {}  # by shard: the sequence number read last
        self._ended: set[str] = set()

    def read(self) -> None:
        """Read on to the end, from where the last call of this has ended.

        A shard that was split or merged is closed. It is read to its end, as its children are:
        they are in the list, or are there when the list is asked for again.
        """
        seen = set(self._ended)
        while new := [name for name in self._shards() if name not in seen]:
            for shard in new:
                self._read_shard(shard)
            seen.update(new)

    def _shards(self) -> Iterator[str]:
        answer = self._client.list_shards(StreamName=self._stream)
        while True:
            yield from (shard["ShardId"] for shard in answer["Shards"])
            if not (token := answer.get("NextToken")):
                return
            answer = self._client.list_shards(NextToken=token)

    def _read_shard(self, shard: str) -> None:
        iterator: str | None = self._iterator(shard)
        while iterator:
            try:
                found = self._get(iterator)
            except self._client.exceptions.ExpiredIteratorException:
                iterator = self._iterator(shard)
                continue
            self._note(shard, found)
            iterator = found.get("NextShardIterator")
            # An empty page alone is no end: AWS gives such where there is more behind it.
            if iterator and not found["Records"] and not found["MillisBehindLatest"]:
                return
        self._ended.add(shard)

    def _iterator(self, shard: str) -> str:
        if last := self._last.get(shard):
            answer = self._client.get_shard_iterator(
                StreamName=self._stream,
                ShardId=shard,
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                StartingSequenceNumber=last,
            )
        else:
            answer = self._client.get_shard_iterator(
                StreamName=self._stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
            )
        return answer["ShardIterator"]

    def _get(self, iterator: str) -> GetRecordsOutputTypeDef:
        for _ in range(_MOST_THROTTLES):
            try:
                return self._client.get_records(ShardIterator=iterator, Limit=_PAGE_RECORDS)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _THROTTLED:
                    raise
                time.sleep(_PAUSE_SECONDS)
        return self._client.get_records(ShardIterator=iterator, Limit=_PAGE_RECORDS)

    def _note(self, shard: str, found: GetRecordsOutputTypeDef) -> None:
        records: list[tuple[Any, ...]] = []
        events: list[tuple[Any, ...]] = []
        for record in found["Records"]:
            place = f"{shard}:{record['SequenceNumber']}"
            for number, data in take_apart([dict(record)]):
                envelope = read_envelope(data, place, number)
                records.append(_record_row(place, number, envelope))
                events.extend(_event_rows(place, number, envelope))
        self._books.add("stream", records)
        self._books.add("expected", events)
        if found["Records"]:
            self._last[shard] = found["Records"][-1]["SequenceNumber"]


def _record_row(place: str, number: int, envelope: ReadEnvelope) -> tuple[Any, ...]:
    identifier, source, job, body = envelope
    token = token_of_request(token_in(body))
    return place, number, identifier, envelope.whole, source, job, digest(body), token


def _event_rows(place: str, number: int, envelope: ReadEnvelope) -> Iterator[tuple[Any, ...]]:
    whole = envelope.whole
    elements = find_elements(envelope.source, envelope.body)
    if elements is None:
        yield place, whole, number, whole, token_in(envelope.body)
        return
    for element, value in enumerate(elements):
        yield place, f"{whole}#{element}", number, whole, token_in(_identity(value))


def _identity(element: Any) -> bytes:
    """Return the part of an event in which its token is; all of it where that part is missing."""
    if isinstance(element, dict):
        for name in IDENTITIES:
            if isinstance(found := element.get(name), str):
                return found.encode()
    return json.dumps(element).encode()


def _escape(text: str) -> str:
    """Escape what has a meaning in an event's id: docs/architecture.md, "Event ids"."""
    return text.replace("%", "%25").replace("@", "%40").replace("#", "%23")
