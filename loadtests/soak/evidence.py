"""Gathers what the archive, the queues, the table and the log of calls say at the end of a run."""

from __future__ import annotations

import base64
import gzip
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

import orjson

from loadtests.soak.requests import TOKEN
from loadtests.soak.runtime import CALLS
from loadtests.soak.saboteur import FAN_OUT
from pipeline.envelope import decode_envelope
from pipeline.local.assembly import find_template
from pipeline.local.mapping.settings import read_mappings
from pipeline.records import read_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loadtests.soak.arena import Arena
    from pipeline.local.endpoints import Endpoints

_READING_SECONDS = 900
_MOST_RECEIVES = 100_000


class Entry(NamedTuple):
    """A line of the ledger; the place is that of the record on the stream."""

    outcome: str
    reason: str | None
    place: str


@dataclass
class Evidence:
    """What became of the events, by their ids or by the tokens in their bodies.

    Parameters
    ----------
    ledger : dict[str, list[Entry]]
        Id to what the ledger says.
    places : dict[str, set[str]]
        Id to where it is on the stream, from `raw/`.
    tokens : dict[str, str]
        Id to the token in its body, from `raw/`.
    kept : dict[str, tuple[str, bytes]]
        Id to reason and body, from `rejected/` and `quarantine/`.
    failed : dict[str, bytes]
        Id to body, from the failure records of the fan-out.
    remembered : set[str]
        Ids in the deduplication table.
    messages : Counter[str]
        Token to how many messages on the queues have it.
    strange : int
        Messages without a token, or with several.
    work : set[str]
        Keys of the archive that need a ticket.
    tickets : set[str]
        Keys that have one.
    retried : set[str]
        Places of records of a call that was cut off, or that reported a failure.
    faults : Counter[str]
        What struck handler processes.
    """

    ledger: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    places: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    tokens: dict[str, str] = field(default_factory=dict)
    kept: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    failed: dict[str, bytes] = field(default_factory=dict)
    remembered: set[str] = field(default_factory=set)
    messages: Counter[str] = field(default_factory=Counter)
    strange: int = 0
    work: set[str] = field(default_factory=set)
    tickets: set[str] = field(default_factory=set)
    retried: set[str] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)


def read_archive(evidence: Evidence, s3: Any, bucket: str, fan_out_mapping: str) -> None:
    """Read every object of the archive.

    Parameters
    ----------
    evidence : Evidence
        Is added to.
    s3 : Any
        A client of S3.
    bucket : str
        The archive.
    fan_out_mapping : str
        The id of the fan-out's event source mapping, which its failure records' keys begin with.
    """
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            key = item["Key"]
            content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            prefix = key.partition("/")[0]
            if prefix in {"rejected", "aws"}:
                evidence.work.add(key)
            if key.startswith(f"aws/lambda/{fan_out_mapping}/"):
                _take_failure(evidence, content)
            elif key.endswith(".jsonl.gz"):
                for line in gzip.decompress(content).splitlines():
                    _take_line(evidence, prefix, orjson.loads(line))


def _take_line(evidence: Evidence, prefix: str, line: dict[str, Any]) -> None:
    identifier = line["id"]
    place = f"{line['shard_id']}:{line['sequence_number']}"
    if prefix == "ledger":
        evidence.ledger[identifier].append(Entry(line["outcome"], line["reason"], place))
        return
    body = base64.b64decode(line["body_base64"]) if "body_base64" in line else line["body"].encode()
    if prefix == "raw":
        evidence.places[identifier].add(place)
        found = TOKEN.search(body)
        evidence.tokens[identifier] = found[0].decode() if found else ""
    elif prefix in {"rejected", "quarantine"}:
        evidence.kept[identifier] = (line["reason"], body)


def _take_failure(evidence: Evidence, content: bytes) -> None:
    for event in read_events(orjson.loads(orjson.loads(content)["payload"])["Records"]):
        envelope = decode_envelope(event.data)
        evidence.failed[envelope.id] = envelope.body


def read_queues(evidence: Evidence, sqs: Any, where: Endpoints) -> None:
    """Read the messages for MozDef, and the tickets."""
    for body in {
        message["MessageId"]: message["Body"]
        for url in sorted(set(where.queues.values()))
        for message in _messages(sqs, url)
    }.values():
        tokens = set(TOKEN.findall(body.encode()))
        if len(tokens) == 1:
            evidence.messages[tokens.pop().decode()] += 1
        else:
            evidence.strange += 1
    for message in _messages(sqs, where.dead_letter_queue):
        for record in orjson.loads(message["Body"]).get("Records", []):
            evidence.tickets.add(unquote_plus(record["s3"]["object"]["key"]))


def _messages(sqs: Any, url: str) -> Iterator[dict[str, Any]]:
    for _ in range(_MOST_RECEIVES):
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=_READING_SECONDS
        )
        if not answer.get("Messages"):
            return
        yield from answer["Messages"]


def read_table(evidence: Evidence, dynamodb: Any, table: str) -> None:
    """Read the ids of the events that the deduplication table remembers."""
    for page in dynamodb.get_paginator("scan").paginate(TableName=table):
        evidence.remembered |= {item["id"]["S"] for item in page["Items"]}


def read_calls(evidence: Evidence, log: Path) -> None:
    """Read the log of calls; a last line may be broken off where the runtime was killed."""
    calls: dict[str, list[str]] = {}
    for text in log.read_bytes().splitlines():
        try:
            line = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        if "fault" in line:
            evidence.faults[line["fault"]] += 1
        elif "call" in line:
            calls[line["call"]] = line["records"]
        elif line["error"] is None and not line["reported"]:
            del calls[line["end"]]
    evidence.retried |= {place for records in calls.values() for place in records}


def gather(arena: Arena, assembly: Path) -> Evidence:
    """Read everything, past the fault proxy."""
    evidence, where = Evidence(), arena.endpoints
    mapping = find_fan_out_mapping(assembly, where.region)
    read_archive(evidence, arena.client("s3"), where.archive_bucket, mapping)
    read_queues(evidence, arena.client("sqs"), where)
    read_table(evidence, arena.client("dynamodb"), where.dedupe_table)
    read_calls(evidence, arena.state / CALLS)
    return evidence


def find_fan_out_mapping(assembly: Path, region: str) -> str:
    """Give the id of the fan-out's event source mapping."""
    template = find_template(assembly, region=region)
    for mapping in read_mappings(template):
        if template.resource(mapping.function).properties["Handler"] == FAN_OUT:
            return mapping.uuid
    raise AssertionError("the stack has no fan-out")
