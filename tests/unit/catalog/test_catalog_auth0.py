"""The source `auth0`: a list of log events, and the formats that are not for it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from ingest_lambdas.authorizer import Authorizer
from pipeline.event.envelope import Envelope, encode_envelope
from tests.support.bench import NOW_MS, PREVIOUS, SECRET, Bench, keys, record, tally


def log(number: int, kind: str = "s", **data: Any) -> dict[str, Any]:
    return {
        "log_id": f"9002026{number:05}",
        "data": {
            "date": "2026-11-23T09:00:01.193Z",
            "type": kind,
            "description": None,
            "ip": "192.0.2.20",
            "user_name": "alice@example.com",
            **data,
        },
    }


_requests = iter(range(10**6))


def stream(body: bytes | Any) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    name = f"r-{next(_requests)}"
    return record(encode_envelope(Envelope(name, NOW_MS, "auth0", "192.0.2.1", raw, "", {})))


def test_each_log_event_has_its_own_key_and_message(bench: Bench) -> None:
    events = [log(1), log(2, "fp"), log(3, "limit_wc")]
    outcomes = bench.run(stream(events)).outcomes
    assert keys(outcomes) == ["auth0#900202600001", "auth0#900202600002", "auth0#900202600003"]
    messages = bench.sqs.bodies()
    assert [message["details"]["auth0"] for message in messages] == events
    assert [message["severity"] for message in messages] == ["INFO", "NOTICE", "WARNING"]


def test_a_later_try_in_another_batch_is_a_duplicate(bench: Bench) -> None:
    bench.run(stream([log(1), log(2)]))
    outcomes = bench.run(stream([log(2), log(3)])).outcomes
    assert tally(outcomes) == {"duplicate": 1, "delivered": 1}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\n".join(orjson.dumps(log(n)) for n in (1, 2)), "invalid_json"),
        (orjson.dumps(log(1)) + b"\n", "schema_violation"),
        (orjson.dumps({"logs": [log(1)]}), "schema_violation"),
        (b"[]", "schema_violation"),
        (b"null", "schema_violation"),
    ],
    ids=["JSON Lines", "one JSON line", "JSON Object", "empty", "null"],
)
def test_another_format_is_rejected_whole(bench: Bench, body: bytes, reason: str) -> None:
    assert tally(bench.run(stream(body)).outcomes) == {reason: 1}
    assert bench.sqs.bodies() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": log(2)["data"]},
        {"log_id": ["9002026"], "data": log(2)["data"]},
        {"log_id": "", "data": log(2)["data"]},
        {"log_id": "9", "data": None},
        {"log_id": "9", "data": {"type": "s"}},
        log(2, "limit_wc", ip=""),
        log(2, date={"ms": 1_795_464_000}),
        [log(2)],
    ],
)
def test_a_wrong_log_event_does_not_take_its_neighbours_with_it(bench: Bench, wrong: Any) -> None:
    outcomes = bench.run(stream([log(1), wrong, log(3)])).outcomes
    assert tally(outcomes) == {"delivered": 2, "schema_violation": 1}


@pytest.mark.parametrize(
    ("kind", "severity"),
    [("pwd_leak", "CRITICAL"), ("ferrt", "WARNING"), ("sapi", "NOTICE"), ("ssa", "DEBUG")],
)
def test_severity_summary_and_time(bench: Bench, kind: str, severity: str) -> None:
    bench.run(stream([log(1, kind, description="Something happened")]))
    (message,) = bench.sqs.bodies()
    assert message["severity"] == severity
    assert message["utctimestamp"] == "2026-11-23T09:00:01.193+00:00"
    name = message["details"].get("eventname", kind)
    assert message["summary"] == (
        f"Auth0 {name}: Something happened by alice@example.com from 192.0.2.20"
    )
    assert message["tags"] == ["auth0"]
    assert message["hostname"] == "auth0_host"


@pytest.mark.parametrize(
    ("token", "allowed"),
    [(SECRET, True), (PREVIOUS, True), (f"Bearer {SECRET}", False), ("", False)],
)
def test_the_token_is_the_whole_header(bench: Bench, token: str, allowed: bool) -> None:
    request = {
        "resource": "/auth0",
        "headers": {"authorization": token},
        "requestContext": {"identity": {"sourceIp": "192.0.2.7"}},
    }
    assert Authorizer(bench.catalog, bench.fan_out.secrets).allows(request) is allowed
