"""The events of the benchmarks: 325 real GitHub payloads, and small ones like Zoom's."""

from __future__ import annotations

import base64
import time
import uuid
from dataclasses import dataclass, replace
from itertools import count, cycle, islice
from typing import TYPE_CHECKING, Any

import orjson
from aws_kinesis_agg.aggregator import RecordAggregator

from loadtests.bench.stand_ins import SECRET
from pipeline.event.envelope import Envelope, encode_envelope
from toolbox.sources.samples import authenticate, make_distinct
from toolbox.traffic.examples import real_payloads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from settings.source.loader import LoadedSource

SMALL_BYTES = 1_024
_places = count()


@dataclass(frozen=True)
class Webhook:
    """One webhook: headers as sent, and the body's bytes."""

    source: str
    event_type: str
    headers: dict[str, str]
    body: bytes


def github_deliveries(source: LoadedSource, secret: str = SECRET) -> list[Webhook]:
    """Return the real payloads, signed; pings, which are not forwarded, are left out."""
    found = []
    for name, example in real_payloads():
        if name == "ping":
            continue
        body = orjson.dumps(example)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/0123456",
            "X-GitHub-Event": name,
            "X-GitHub-Delivery": "",
            "X-GitHub-Hook-ID": "292430182",
        }
        proof = authenticate(source, secret, body, now=time.time())
        found.append(Webhook("github", name, {**headers, **proof}, body))
    return found


def small_deliveries(
    source: LoadedSource, number: int = 325, size: int = SMALL_BYTES
) -> list[Webhook]:
    """Return Zoom's events of 1 KB, signed; no two are alike, nor are those of two calls.

    Parameters
    ----------
    number : int
        How many.
    size : int
        Bytes of a body; a larger one lists further participants.
    """
    found = []
    for place in islice(_places, number):
        body = _meeting(place, size)
        headers = {"Content-Type": "application/json"}
        proof = authenticate(source, SECRET, body, now=time.time())
        event_type = "meeting.participant_joined"
        found.append(Webhook("zoom", event_type, {**headers, **proof}, body))
    return found


def plain_deliveries(source: LoadedSource, secret: str, number: int = 325) -> list[Webhook]:
    """Return the same events to the source that takes any JSON and a token."""
    proof = authenticate(source, secret, b"", now=time.time())
    headers = {"Content-Type": "application/json", **proof}
    return [
        Webhook(source.name, "", headers, _meeting(place, SMALL_BYTES))
        for place in islice(_places, number)
    ]


def _meeting(place: int, size: int) -> bytes:
    document: dict[str, Any] = {
        "event": "meeting.participant_joined",
        "event_ts": int(time.time() * 1000) + place,
        "payload": {
            "account_id": "AAAAAABBBB",
            "object": {
                "id": f"{1_234_567_890 + place}",
                "uuid": f"4444AAAiAAAAAiAiAiiAii{place:04d}==",
                "host_id": "x1yCzABCDEfg23HiJKl4mN",
                "topic": "Weekly review",
                "type": 8,
                "start_time": "2026-11-23T10:08:23Z",
                "timezone": "America/Los_Angeles",
                "duration": 60,
                "participant": {
                    "user_id": f"{16_778_240 + place}",
                    "user_name": "Alice Example",
                    "id": "iFxeBPYun6SAiWUzBcEkX",
                    "participant_uuid": "55555AAAiAAAAAiAiAiiAii",
                    "date_time": "2026-11-23T10:09:03Z",
                    "email": "alice@example.com",
                    "note": "",
                },
            },
        },
    }
    meeting = document["payload"]["object"]
    room = size - len(orjson.dumps(document))
    others = max(room - SMALL_BYTES, 0) // (len(orjson.dumps(_OTHER)) + 1)
    if others:
        meeting["others"] = [_OTHER] * others
        room = size - len(orjson.dumps(document))
    meeting["participant"]["note"] = "n" * room
    return orjson.dumps(document)


_OTHER = {
    "user_id": "16778240",
    "user_name": "Bob Example",
    "email": "bob@example.com",
    "seconds": 61,
    "muted": False,
}


def kinds(sources: dict[str, LoadedSource]) -> dict[str, Callable[[int], list[Webhook]]]:
    """Return what makes the two kinds of events: real ones of 10 KB, and small ones of 1 KB."""
    real = github_deliveries(sources["github"])

    def real_ones(number: int) -> list[Webhook]:
        return [_anew(sources["github"], one) for one in islice(cycle(real), number)]

    def small_ones(number: int) -> list[Webhook]:
        return small_deliveries(sources["zoom"], number)

    return {"github_10kb": real_ones, "small_1kb": small_ones}


def _anew(source: LoadedSource, delivery: Webhook) -> Webhook:
    body = make_distinct(delivery.body)
    proof = authenticate(source, SECRET, body, now=time.time())
    return replace(delivery, headers={**delivery.headers, **proof}, body=body)


def envelopes(deliveries: Sequence[Webhook], sources: dict[str, LoadedSource]) -> list[bytes]:
    """Return envelopes as the front door makes them, each a delivery of its own."""
    return [_envelope(one, sources[one.source]) for one in deliveries]


def _envelope(delivery: Webhook, source: LoadedSource) -> bytes:
    keep = {name.lower() for name in source.settings.headers.keep}
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    key = ""
    locator = source.settings.delivery_id
    if locator is not None and locator.header is not None:
        key = headers[locator.header.lower()] = str(uuid.uuid4())
    return encode_envelope(
        Envelope(
            id=f"{uuid.uuid4().hex[:14]}=",
            arrived_ms=int(time.time() * 1000),
            source=delivery.source,
            ip="192.0.2.1",
            body=delivery.body,
            key=key,
            headers={name: value for name, value in headers.items() if name in keep},
        )
    )


def records(data: Sequence[bytes], *, start: int = 0) -> list[dict[str, Any]]:
    """Return records as an event source mapping hands them over."""
    return [
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": str(number),
                "sequenceNumber": str(49_590_338_271_490_256_608_559_692_538_361_571_095 + number),
                "data": base64.b64encode(one).decode(),
                "approximateArrivalTimestamp": time.time(),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"shardId-000000000000:{number}",
            "eventName": "aws:kinesis:record",
            "awsRegion": "us-west-2",
            "eventSourceARN": "arn:aws:kinesis:us-west-2:000000000000:stream/bench",
        }
        for number, one in enumerate(data, start)
    ]


def aggregated(data: Sequence[bytes], in_each: int = 20) -> list[bytes]:
    """Return KPL aggregates of the envelopes, as a poller or a replay makes them."""
    result = []
    for start in range(0, len(data), in_each):
        aggregator = RecordAggregator()
        for number, one in enumerate(data[start : start + in_each]):
            if aggregator.add_user_record(str(start + number), one) is not None:
                raise AssertionError("an aggregate of the benchmarks is too large")
        _, _, content = aggregator.clear_and_get().get_contents()
        result.append(bytes(content))
    return result
