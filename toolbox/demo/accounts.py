"""Adds up what became of the demo's events, and shows it."""

from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.archive.keys import ArchiveKind, kind_of
from toolbox.demo.api import COPIES, EVENTS
from toolbox.deployments import local_clients
from toolbox.terminal.output import console, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.endpoints import Endpoints
    from toolbox.demo.api import SystemLog
    from toolbox.demo.requests import Part
    from toolbox.traffic.sender import FrontDoorAnswer


@dataclass
class Holdings:
    """What the queues, the table and the archive hold."""

    messages: int = 0
    remembered: int = 0
    archived: Counter[str] = field(default_factory=Counter)
    raw: int = 0
    tickets: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)


def look(where: Endpoints) -> Holdings:
    """Count what MozDef would read, what the table remembers and what the archive keeps."""
    holdings = Holdings()
    client = local_clients(where)
    sqs, dynamodb = client("sqs"), client("dynamodb")
    for url in sorted(set(where.queues.values())):
        while messages := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages"):
            holdings.messages += len(messages)
            holdings.events += [orjson.loads(message["Body"]) for message in messages]
    remembered = set()
    # An event can have two items: one for its id, and one for its body.
    for page in dynamodb.get_paginator("scan").paginate(TableName=where.dedupe_table):
        remembered |= {item["id"]["S"] for item in page["Items"]}
    holdings.remembered = len(remembered)
    _look_into_archive(holdings, where)
    attributes = sqs.get_queue_attributes(
        QueueUrl=where.dead_letter_queue, AttributeNames=["ApproximateNumberOfMessages"]
    )
    holdings.tickets = int(attributes["Attributes"]["ApproximateNumberOfMessages"])
    return holdings


def _look_into_archive(holdings: Holdings, where: Endpoints) -> None:
    s3 = local_clients(where)("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=where.archive_bucket):
        for item in page.get("Contents", []):
            kind = kind_of(item["Key"])
            if kind in {None, ArchiveKind.FAILED}:
                continue
            body = s3.get_object(Bucket=where.archive_bucket, Key=item["Key"])["Body"].read()
            lines = gzip.decompress(body).splitlines()
            if kind is ArchiveKind.RAW:
                holdings.raw += len(lines)
                continue
            for line in lines:
                holdings.archived[f"{kind}/ {orjson.loads(line)['reason']}"] += 1


def report(
    parts: Sequence[Part],
    answers: Sequence[FrontDoorAnswer],
    counted: dict[str, Counter[str]],
    holdings: Holdings,
    api: SystemLog,
) -> list[str]:
    """Show what was sent and fetched and what became of it; give what does not add up."""
    expected = Counter({"delivered": EVENTS, "duplicate": COPIES})
    for part in parts:
        expected[part.outcome] += part.events
    actual = _actual(answers, counted)
    totals: Counter[str] = sum(counted.values(), Counter())
    refused = sum(number for name, number in expected.items() if name.startswith("refused"))
    names = sorted(set(expected) | set(actual), key=lambda name: -expected[name])
    print_table(
        "What was sent and fetched",
        ("events", "what", "must be"),
        [
            *((part.events, part.label, part.outcome) for part in parts),
            (EVENTS, "events fetched from Okta's System Log", "delivered"),
            (COPIES, "the same, which the API gave twice", "duplicate"),
        ],
    )
    asked = ", ".join(f"{what}: {number}" for what, number in sorted(api.answers.items()))
    console.print(f"The System Log was asked {api.answers.total()} times; {asked}.")
    print_table(
        "What became of it",
        ("outcome", "expected", "actual"),
        [
            ("received by the fan-out", sum(expected.values()) - refused, totals["Received"]),
            *((name, expected[name], actual[name]) for name in names),
        ],
    )
    _print_holdings(holdings)
    _print_events(holdings)
    faults = _faults(sum(part.extra for part in parts), answers, totals, holdings, api.served)
    faults += [
        f"{name}: expected {expected[name]:,}, got {actual[name]:,}"
        for name in names
        if expected[name] != actual[name]
    ]
    return faults


def _actual(answers: Sequence[FrontDoorAnswer], counted: dict[str, Counter[str]]) -> Counter[str]:
    actual: Counter[str] = Counter()
    for answer in answers:
        if not answer.accepted:
            actual[f"refused {answer.status}"] += 1
    for counter in counted.values():
        actual["delivered"] += counter["Delivered"]
        actual["duplicate"] += counter["Duplicate"]
        actual["ignored"] += counter["Ignored"]
        for name, number in counter.items():
            if name.startswith("rejected:"):
                actual[name.removeprefix("rejected:")] += number
    return actual


def _faults(
    extra: int,
    answers: Sequence[FrontDoorAnswer],
    totals: Counter[str],
    holdings: Holdings,
    fetched: int,
) -> list[str]:
    accepted = sum(answer.accepted for answer in answers)
    taken = accepted + fetched
    settled = sum(totals[name] for name in ("Delivered", "Duplicate", "Rejected", "Ignored"))
    archived = sum(holdings.archived.values())
    checks = [
        (EVENTS + COPIES, fetched, "events that the System Log has to give, fetched"),
        (taken + extra, totals["Received"], "accepted and fetched, received by the fan-out"),
        (taken, holdings.raw, "accepted by the front door and fetched, kept in raw/"),
        (totals["Received"], settled, "received, delivered + duplicate + rejected + ignored"),
        (totals["Delivered"], holdings.messages, "delivered, messages on the queues"),
        (totals["Delivered"], holdings.remembered, "delivered, remembered in the table"),
        (totals["Rejected"], archived, "rejected, kept in the archive"),
    ]
    return [f"{what}: {left:,} and {right:,}" for left, right, what in checks if left != right]


def _print_holdings(holdings: Holdings) -> None:
    rows = [
        ("messages on the queues that MozDef reads", holdings.messages),
        ("deliveries remembered in the deduplication table", holdings.remembered),
        ("lines in the archive: raw/", holdings.raw),
        *((f"lines in the archive: {name}", n) for name, n in sorted(holdings.archived.items())),
        ("tickets on the dead-letter queue", holdings.tickets),
    ]
    print_table("What is where now", ("what", "number"), rows)


def _print_events(holdings: Holdings) -> None:
    console.print("Three of the MozDef events (details cut):", style="bold")
    by_summary = {event["summary"]: event for event in holdings.events}
    for event in list(by_summary.values())[:: max(len(by_summary) // 3, 1)][:3]:
        details = orjson.dumps(event["details"]).decode()
        shown = {**event, "details": details[:120] + ("…" if len(details) > 120 else "")}
        print_json(shown)
