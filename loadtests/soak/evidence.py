"""Enters into the books what stream, archive, queues, table and log say at the end of a run."""

from __future__ import annotations

import base64
import gzip
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import orjson

from loadtests.soak.books import TOKEN, digest, token_in, token_of_request
from loadtests.soak.runtime import CALLS
from loadtests.soak.saboteur import FAN_OUT
from loadtests.soak.stream_reader import SoakStreamReader, read_envelope, take_apart
from local.assembly import find_template
from local.mapping.settings import read_mappings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef, MessageTypeDef

    from loadtests.soak.arena import PipelineUnderTest
    from loadtests.soak.books import Books
    from local.endpoints import Endpoints

    Rows = defaultdict[str, list[tuple[Any, ...]]]

_READING_SECONDS = 900
_PAGE_ITEMS = 5_000


def read_archive(books: Books, s3: S3Client, bucket: str, fan_out_mapping: str) -> None:
    """Read every object of the archive.

    Parameters
    ----------
    fan_out_mapping : str
        The id of the fan-out's event source mapping, which its failure records' keys begin with.
    """
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            key = item["Key"]
            content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            prefix = key.partition("/")[0]
            rows: Rows = defaultdict(list)
            if prefix in {"rejected", "aws"}:
                rows["work"].append((key,))
            if key.startswith(f"aws/lambda/{fan_out_mapping}/"):
                _take_failure(rows, content)
            elif key.endswith(".jsonl.gz"):
                for line in gzip.decompress(content).splitlines():
                    _take_line(rows, prefix, orjson.loads(line))
            for table, found in rows.items():
                books.add(table, found)


def _take_line(rows: Rows, prefix: str, line: dict[str, Any]) -> None:
    identifier = line["id"]
    place = f"{line['shard_id']}:{line['sequence_number']}"
    if prefix == "ledger":
        outcome, reason = line["outcome"], line["reason"] or ""
        # What is delivered or a duplicate can have a reason, and has one outcome all the same.
        label = f"{outcome}:{reason}" if outcome == "rejected" else outcome
        request = identifier.partition("#")[0]
        rows["ledger"].append((identifier, place, label, request, reason))
        return
    body = base64.b64decode(line["body_base64"]) if "body_base64" in line else line["body"].encode()
    if prefix == "raw":
        rows["places"].append((identifier, place))
        rows["tokens"].append((identifier, token_of_request(token_in(body))))
    elif prefix in {"rejected", "quarantine"}:
        rows["kept"].append((identifier, line["reason"], digest(body)))


def _take_failure(rows: Rows, content: bytes) -> None:
    for record in orjson.loads(orjson.loads(content)["payload"])["Records"]:
        kinesis, place = record["kinesis"], record["eventID"]
        for number, data in take_apart(
            [
                {
                    "SequenceNumber": kinesis["sequenceNumber"],
                    "PartitionKey": kinesis["partitionKey"],
                    "ApproximateArrivalTimestamp": kinesis["approximateArrivalTimestamp"],
                    "Data": base64.b64decode(kinesis["data"]),
                }
            ]
        ):
            envelope = read_envelope(data, place, number)
            rows["failed"].append((envelope.whole, place, digest(envelope.body)))


def read_queues(books: Books, sqs: SQSClient, where: Endpoints) -> None:
    """Take the messages for MozDef, and the tickets: once in the books, they are deleted."""
    read_all_queues(books, sqs, sorted(set(where.queues.values())), where.dead_letter_queue)


def read_all_queues(books: Books, sqs: SQSClient, queues: Iterable[str], dead_letters: str) -> None:
    """Take the messages of queues that are named."""
    for url in queues:
        for messages in _messages(sqs, url):
            books.add("messages", [_message_row(message) for message in messages])
    for messages in _messages(sqs, dead_letters):
        for message in messages:
            records = orjson.loads(message["Body"]).get("Records", [])
            keys = [unquote_plus(record["s3"]["object"]["key"]) for record in records]
            books.add("tickets", [(key,) for key in keys])


def _message_row(message: MessageTypeDef) -> tuple[Any, ...]:
    """Return its row: without a token where it has none, or those of several events."""
    tokens = set(TOKEN.findall(message["Body"].encode()))
    token = tokens.pop().decode() if len(tokens) == 1 else None
    return message["MessageId"], token, token and token_of_request(token)


def _messages(sqs: SQSClient, url: str) -> Iterator[list[MessageTypeDef]]:
    """Return what is on a queue, ten at a time; what was given is deleted afterwards."""
    while messages := sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=_READING_SECONDS,
        WaitTimeSeconds=0,
    ).get("Messages"):
        yield messages
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
        ]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)


def read_table(books: Books, dynamodb: DynamoDBClient, table: str) -> None:
    """Read the ids of the events that the deduplication table remembers."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        PaginationConfig={"PageSize": _PAGE_ITEMS},  # the emulator would give all of them in one
    )
    for page in pages:
        books.add("remembered", [(item["id"]["S"],) for item in page["Items"]])


def read_calls(books: Books, log: Path) -> Counter[str]:
    """Read the log of calls; a last line may be broken off where the runtime was killed.

    Returns
    -------
    Counter[str]
        What struck handler processes.
    """
    calls: dict[str, list[str]] = {}
    faults: Counter[str] = Counter()
    with log.open("rb") as lines:
        for text in lines:
            try:
                line = orjson.loads(text)
            except orjson.JSONDecodeError:
                continue
            if "fault" in line:
                faults[line["fault"]] += 1
            elif "call" in line:
                calls[line["call"]] = line["records"]
            elif "end" in line and line["error"] is None and not line["reported"]:
                del calls[line["end"]]
    books.add("retried", [(place,) for records in calls.values() for place in records])
    return faults


def gather(arena: PipelineUnderTest, assembly: Path, books: Books) -> Counter[str]:
    """Read everything, past the fault proxy; give what struck handler processes."""
    where = arena.endpoints
    mapping = find_fan_out_mapping(assembly, where.region)
    SoakStreamReader(arena.client("kinesis"), where.stream, books).read()
    read_archive(books, arena.client("s3"), where.archive_bucket, mapping)
    read_queues(books, arena.client("sqs"), where)
    read_table(books, arena.client("dynamodb"), where.dedupe_table)
    return read_calls(books, arena.state / CALLS)


def find_fan_out_mapping(assembly: Path, region: str) -> str:
    """Return the id of the fan-out's event source mapping."""
    template = find_template(assembly, region=region)
    for mapping in read_mappings(template):
        if template.resource(mapping.function).properties["Handler"] == FAN_OUT:
            return mapping.uuid
    raise AssertionError("the stack has no fan-out")
