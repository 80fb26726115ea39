"""`mozdef-ef demo`: the whole way on this machine, with an account of every event."""

from __future__ import annotations

import asyncio
import gzip
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import typer

from pipeline.cli.demo_requests import Part, make_parts, real_payloads
from pipeline.cli.output import (
    DOES_NOT_HOLD,
    console,
    print_table,
    progress_bar,
)
from pipeline.cli.sender import Answer, send_all
from pipeline.cli.synth import REPOSITORY, synthesize
from pipeline.cli.tail import client
from pipeline.local.accounts import counters
from pipeline.local.supervisor import LocalRuntime
from pipeline.sources.loader import load_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.local.endpoints import Endpoints

EXAMPLES = REPOSITORY / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"
SETTLE_SECONDS = 60.0


@dataclass
class Holdings:
    """What the queues, the table and the archive hold at the end."""

    messages: int = 0
    remembered: int = 0
    archived: Counter[str] = field(default_factory=Counter)
    tickets: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)


def demo(
    stage: str = typer.Option(
        "dev", help="Settings: config/<stage>.yaml, with github and generic."
    ),
) -> None:
    """Start the pipeline, send 329 real GitHub webhooks and some bad ones, account for each.

    Exit status: 0 the accounts add up, 1 they do not.
    """
    assembly = REPOSITORY / "cdk.out"
    with console.status("synthesizing the stack"):
        synthesize(stage, assembly)
    with (
        tempfile.TemporaryDirectory(prefix="mozdef-ef-demo-") as state,
        LocalRuntime(assembly, state=Path(state), port=None) as runtime,
    ):
        where = runtime.endpoints
        console.print(f"The stack runs at {where.api}, on emulated AWS services.")
        parts = _parts(where)
        answers = _send(where, parts)
        accepted = sum(answer.accepted for answer in answers)
        counted = _wait_until_settled(Path(state) / "logs", accepted)
        holdings = look(where)
    faults = _report(parts, answers, counted, holdings)
    for fault in faults:
        console.print(f"does not add up: {fault}", style="red", markup=False)
    if faults:
        raise typer.Exit(DOES_NOT_HOLD)
    console.print("Every event is accounted for.", style="green")


def _parts(where: Endpoints) -> list[Part]:
    sources = load_sources(["github", "generic"])
    secrets = {
        name: next(iter(where.parameters[name].values())).splitlines()[0] for name in sources
    }
    examples = real_payloads(EXAMPLES)
    return make_parts(sources["github"], sources["generic"], secrets, examples, time.time)


def _send(where: Endpoints, parts: Sequence[Part]) -> list[Answer]:
    answers: list[Answer] = []
    total = sum(len(part.requests) for part in parts)
    start = time.monotonic()
    with progress_bar() as progress:
        task = progress.add_task("send webhooks", total=total, rate="")

        def on_answer(answer: Answer) -> None:
            answers.append(answer)
            done = len(answers) / (time.monotonic() - start)
            progress.update(task, advance=1, rate=f"{done:,.0f}/s")

        for part in parts:
            asyncio.run(send_all(where.api, part.requests, on_answer=on_answer))
    return answers


def _wait_until_settled(logs: Path, accepted: int) -> dict[str, Counter[str]]:
    """Wait until the processors have counted as many events as the door accepted."""
    end = time.monotonic() + SETTLE_SECONDS
    with console.status("waiting until every event has its outcome"):
        while True:
            counted = counters(logs)
            received = sum(counter["Received"] for counter in counted.values())
            if received >= accepted or time.monotonic() > end:
                return counted
            time.sleep(0.2)


def look(where: Endpoints) -> Holdings:
    """Count what MozDef would read, what the table remembers and what the archive keeps."""
    holdings = Holdings()
    sqs, s3, dynamodb = (client(service, where) for service in ("sqs", "s3", "dynamodb"))
    for url in sorted(set(where.queues.values())):
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            holdings.messages += len(messages)
            holdings.events += [orjson.loads(message["Body"]) for message in messages]
    for page in dynamodb.get_paginator("scan").paginate(
        TableName=where.dedupe_table, Select="COUNT"
    ):
        holdings.remembered += page["Count"]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=where.archive_bucket):
        for item in page.get("Contents", []):
            prefix = item["Key"].partition("/")[0]
            if prefix in {"rejected", "quarantine"}:
                body = s3.get_object(Bucket=where.archive_bucket, Key=item["Key"])["Body"].read()
                for line in gzip.decompress(body).splitlines():
                    holdings.archived[f"{prefix}/ {orjson.loads(line)['reason']}"] += 1
    attributes = sqs.get_queue_attributes(
        QueueUrl=where.dead_letter_queue, AttributeNames=["ApproximateNumberOfMessages"]
    )
    holdings.tickets = int(attributes["Attributes"]["ApproximateNumberOfMessages"])
    return holdings


def _report(
    parts: Sequence[Part],
    answers: Sequence[Answer],
    counted: dict[str, Counter[str]],
    holdings: Holdings,
) -> list[str]:
    expected: Counter[str] = Counter()
    for part in parts:
        expected[part.outcome] += len(part.requests)
    actual = _actual(answers, counted)
    print_table(
        "What was sent",
        ("requests", "what", "must be"),
        [(len(part.requests), part.label, part.outcome) for part in parts],
    )
    refused = sum(number for name, number in expected.items() if name.startswith("refused"))
    rows = sorted(set(expected) | set(actual), key=lambda name: -expected[name])
    received = sum(counter["Received"] for counter in counted.values())
    print_table(
        "What became of it",
        ("outcome", "expected", "actual"),
        [
            ("received by the fan-out", sum(expected.values()) - refused, received),
            *((name, expected[name], actual[name]) for name in rows),
        ],
    )
    _print_holdings(holdings)
    _print_events(holdings)
    return _faults(answers, counted, holdings, expected, actual)


def _actual(answers: Sequence[Answer], counted: dict[str, Counter[str]]) -> Counter[str]:
    actual: Counter[str] = Counter()
    for answer in answers:
        if not answer.accepted:
            actual[f"refused {answer.status}"] += 1
    for counter in counted.values():
        actual["delivered"] += counter["Delivered"]
        actual["duplicate"] += counter["Duplicate"]
        for name, number in counter.items():
            if name.startswith("rejected:"):
                actual[name.removeprefix("rejected:")] += number
    return actual


def _faults(
    answers: Sequence[Answer],
    counted: dict[str, Counter[str]],
    holdings: Holdings,
    expected: Counter[str],
    actual: Counter[str],
) -> list[str]:
    totals: Counter[str] = sum(counted.values(), Counter())
    accepted = sum(answer.accepted for answer in answers)
    archived = sum(holdings.archived.values())
    settled = totals["Delivered"] + totals["Duplicate"] + totals["Rejected"]
    checks = [
        (accepted, totals["Received"], "accepted by the front door, received by the fan-out"),
        (totals["Received"], settled, "received, delivered + duplicate + rejected"),
        (totals["Delivered"], holdings.messages, "delivered, messages on the queues"),
        (totals["Delivered"], holdings.remembered, "delivered, remembered in the table"),
        (totals["Rejected"], archived, "rejected, kept in the archive"),
    ]
    faults = [f"{what}: {left:,} and {right:,}" for left, right, what in checks if left != right]
    faults += [
        f"{name}: expected {expected[name]:,}, got {actual[name]:,}"
        for name in sorted(set(expected) | set(actual))
        if expected[name] != actual[name]
    ]
    return faults


def _print_holdings(holdings: Holdings) -> None:
    rows = [
        ("messages on the queues that MozDef reads", holdings.messages),
        ("deliveries remembered in the deduplication table", holdings.remembered),
        *((f"lines in the archive: {name}", n) for name, n in sorted(holdings.archived.items())),
        ("tickets on the dead-letter queue", holdings.tickets),
    ]
    print_table("What is where now", ("what", "number"), rows)


def _print_events(holdings: Holdings) -> None:
    console.print("Three of the MozDef events (details cut):", style="bold")
    by_category = {event["summary"]: event for event in holdings.events}
    for event in list(by_category.values())[:: max(len(by_category) // 3, 1)][:3]:
        details = orjson.dumps(event["details"]).decode()
        shown = {**event, "details": details[:120] + ("…" if len(details) > 120 else "")}
        console.print_json(orjson.dumps(shown).decode())
