"""A soak run in small, whose account adds up, and a stream as the soak's reader meets it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import orjson
from botocore.exceptions import ClientError

from loadtests.soak.books import Books, digest
from loadtests.soak.oracle import SoakVerdict, judge
from loadtests.soak.requests import RequestKind, SoakRequest
from loadtests.soak.senders import SendersJournal
from loadtests.soak.stream_reader import SoakStreamReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_kinesis import KinesisClient


def sent(kind: RequestKind, number: int) -> SoakRequest:
    token = f"soak-1-{number}"
    return SoakRequest(kind, token, "generic", {}, f'{{"n":"{token}"}}'.encode())


def batch(number: int, events: int) -> SoakRequest:
    token = f"soak-1-{number}"
    elements = [{"uuid": f"{token}.{element}"} for element in range(events)]
    body = orjson.dumps({"data": {"events": elements}})
    return SoakRequest(RequestKind.BATCH, token, "okta", {}, body, events)


def envelope(identifier: str, request: SoakRequest, more: str = "") -> bytes:
    """A record as the front door makes it."""
    return f"v=1&id={identifier}&ts=1&source={request.source}{more} \n".encode() + request.body


class ExpiredIteratorError(Exception):
    """As botocore makes one for each client."""


@dataclass
class FakeShard:
    """A closed one ends; of one that is open the last page is empty, or says what is behind it."""

    records: list[tuple[str, bytes]] = field(default_factory=list)
    closed: bool = False


class FakeStream:
    """Kinesis with one stream: two shards a list, one record a page, throttles now and then.

    Parameters
    ----------
    shards : dict[str, FakeShard]
        By id; a split adds to them while they are read.
    """

    exceptions = SimpleNamespace(ExpiredIteratorException=ExpiredIteratorError)

    def __init__(self, shards: dict[str, FakeShard]) -> None:
        self.shards = shards
        self.expire_once: set[str] = set()
        self.throttle_once: set[str] = set()
        self.given: list[str] = []  # sequence numbers
        self.on_end: Callable[[str], None] = lambda shard: None

    def list_shards(self, *, StreamName: str = "", NextToken: str = "0") -> dict[str, Any]:
        assert (StreamName == "stream") != (NextToken != "0")
        names, start = list(self.shards), int(NextToken)
        answer: dict[str, Any] = {"Shards": [{"ShardId": n} for n in names[start : start + 2]]}
        return {**answer, "NextToken": str(start + 2)} if start + 2 < len(names) else answer

    def get_shard_iterator(
        self,
        *,
        StreamName: str,
        ShardId: str,
        ShardIteratorType: str,
        StartingSequenceNumber: str = "",
    ) -> dict[str, str]:
        assert StreamName == "stream"
        numbers = [number for number, _ in self.shards[ShardId].records]
        if ShardIteratorType == "TRIM_HORIZON":
            assert not StartingSequenceNumber
            return {"ShardIterator": f"{ShardId}/0"}
        assert ShardIteratorType == "AFTER_SEQUENCE_NUMBER"
        return {"ShardIterator": f"{ShardId}/{numbers.index(StartingSequenceNumber) + 1}"}

    def get_records(self, *, ShardIterator: str, Limit: int) -> dict[str, Any]:
        assert 1 <= Limit <= 10_000
        if ShardIterator in self.expire_once:
            self.expire_once.remove(ShardIterator)
            raise ExpiredIteratorError
        if ShardIterator in self.throttle_once:
            self.throttle_once.remove(ShardIterator)
            raise throttled()
        name, _, at = ShardIterator.partition("/")
        # As AWS may: every second page is empty, though there is more behind it.
        empty, start = at.endswith("+"), int(at.rstrip("+"))
        shard = self.shards[name]
        found = [] if empty else shard.records[start : start + 1]
        self.given += [number for number, _ in found]
        end = start + len(found)
        left = len(shard.records) - end
        answer: dict[str, Any] = {
            "Records": [
                {
                    "SequenceNumber": number,
                    "Data": data,
                    "PartitionKey": "k",
                    "ApproximateArrivalTimestamp": 1.0,
                }
                for number, data in found
            ],
            "MillisBehindLatest": 1000 * left,
        }
        if shard.closed and not left:
            self.on_end(name)
            return answer
        return {**answer, "NextShardIterator": f"{name}/{end}{'' if empty else '+'}"}


def throttled() -> ClientError:
    return ClientError(
        {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "Rate exceeded"}},
        "GetRecords",
    )


def read_stream(stream: FakeStream, books: Books) -> SoakStreamReader:
    reader = SoakStreamReader(cast("KinesisClient", stream), "stream", books)
    reader.read()
    return reader


class AGoodRun:
    """One event of each outcome, a copy, a batch, and a request whose connection broke."""

    def __init__(self) -> None:
        requests = {
            "delivered": sent(RequestKind.GITHUB, 1),
            "copy": replace(sent(RequestKind.GITHUB, 1), kind=RequestKind.COPY),
            "forged": sent(RequestKind.FORGED, 2),
            "poison": sent(RequestKind.POISON, 3),
            "broken-off": sent(RequestKind.GENERIC, 4),
            "batch": batch(5, 2),
        }
        self.books = Books(Path(":memory:"))
        self.journal = SendersJournal(self.books)
        self.stream = FakeStream({"s": FakeShard()})
        for number, (identifier, request) in enumerate(requests.items(), 1):
            if identifier == "broken-off":
                self.journal.note_broken(request, ConnectionResetError())
            else:
                self.answer(request, identifier)
            self.on_stream(identifier, request, number)
        self.read()
        self.journal.flush()
        self.in_ledger("delivered", 1, "delivered")
        self.in_ledger("copy", 2, "duplicate")
        self.in_ledger("forged", 3, "rejected:bad_signature")
        self.in_ledger("broken-off", 5, "delivered")
        self.in_ledger("batch#0", 6, "delivered")
        self.in_ledger("batch#1", 6, "delivered")
        self.put("kept", "forged", "bad_signature", digest(requests["forged"].body))
        self.put("failed", "poison", "s:4", digest(requests["poison"].body))
        for number, token in enumerate(("1", "4", "5.0", "5.1")):
            self.on_queue(f"m-{number}", f"soak-1-{token}")
        self.put("work", "aws/lambda/m/s/poison")
        self.put("tickets", "aws/lambda/m/s/poison")

    def answer(self, request: SoakRequest, identifier: str) -> None:
        self.journal.note(request, 200, orjson.dumps({"id": identifier}))

    def on_stream(self, identifier: str, request: SoakRequest, number: int) -> None:
        """Put a request on the stream; the archiver sees it there."""
        data = envelope(identifier, request)
        self.stream.shards["s"].records.append((str(number), data))
        self.put("places", identifier, f"s:{number}")
        self.put("tokens", identifier, request.token)

    def read(self) -> None:
        read_stream(self.stream, self.books)

    def in_ledger(self, event: str, number: int, label: str, reason: str = "") -> None:
        self.put("ledger", event, f"s:{number}", label, event.partition("#")[0], reason)

    def on_queue(self, message: str, token: str | None) -> None:
        self.put("messages", message, token, token and token.partition(".")[0])

    def put(self, table: str, *row: Any) -> None:
        self.books.add(table, [row])

    def drop(self, table: str, value: str = "%", column: str = "id") -> None:
        self.books.change(f"DELETE FROM {table} WHERE {column} LIKE ?", (value,))

    def settle(self, identifier: str, label: str) -> None:
        """Have the ledger say something else of an event."""
        self.drop("ledger", identifier)
        self.in_ledger(identifier, 1 if identifier == "delivered" else 3, label)


def verdict_of(change: Callable[[AGoodRun], object], **faults: int) -> SoakVerdict:
    run = AGoodRun()
    change(run)
    with run.books:
        return judge(run.journal, run.books, faults)
