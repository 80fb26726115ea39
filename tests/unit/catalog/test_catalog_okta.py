"""The source `okta`: one request, many events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from ingest_lambdas.authorizer import Authorizer
from pipeline.event.envelope import Envelope, encode_envelope
from pipeline.event.outcomes import OutcomeKind, Reason
from tests.support.bench import NOW_MS, PREVIOUS, SECRET, Bench, keys, record, tally

if TYPE_CHECKING:
    from settings.source.loader import LoadedSource

ALICE = {"id": "00u1", "type": "User", "alternateId": "alice@example.com"}


def event(uuid: str, kind: str = "user.session.end", **more: Any) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "published": "2026-11-23T09:00:01.120Z",
        "eventType": kind,
        "displayMessage": "Something happened",
        "severity": "INFO",
        "actor": ALICE,
        "client": {"ipAddress": "192.0.2.10"},
        "outcome": {"result": "SUCCESS", "reason": None},
        "target": [{"id": "00u2", "type": "User", "alternateId": "bob@example.com"}],
        **more,
    }


_requests = iter(range(10**6))


def hook(*events: Any, event_id: str = "e-1") -> dict[str, Any]:
    body = {"eventType": "com.okta.event_hook", "eventId": event_id, "data": {"events": events}}
    name = f"r-{next(_requests)}"
    raw = orjson.dumps(body)
    return record(encode_envelope(Envelope(name, NOW_MS, "okta", "192.0.2.1", raw, "", {})))


def test_each_event_has_its_own_key_and_message(bench: Bench) -> None:
    events = [event(f"u-{number}") for number in range(3)]
    outcomes = bench.run(hook(*events)).outcomes
    assert keys(outcomes) == ["okta#u-0", "okta#u-1", "okta#u-2"]
    assert len({o.event.id for o in outcomes}) == 3
    sent = [event["uuid"] for event in events]
    assert [message["details"]["okta"]["uuid"] for message in bench.sqs.bodies()] == sent


def test_a_retry_with_one_more_event_delivers_that_one(bench: Bench) -> None:
    """Okta may pack its second try anew; the frame's eventId tells nothing."""
    first = [event("u-1"), event("u-2")]
    bench.run(hook(*first, event_id="e-1"))
    outcomes = bench.run(hook(event("u-3"), *first, event_id="e-2")).outcomes
    assert tally(outcomes) == {"delivered": 1, "duplicate": 2}
    assert [message["details"]["okta"]["uuid"] for message in bench.sqs.bodies()] == [
        "u-1",
        "u-2",
        "u-3",
    ]


def test_the_same_event_twice_in_a_request(bench: Bench) -> None:
    outcomes = bench.run(hook(event("u-1"), event("u-1"))).outcomes
    assert tally(outcomes) == {"delivered": 1, "duplicate": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {key: value for key, value in event("u-2").items() if key != "uuid"},
        event("u-2", actor=None),
        event("u-2") | {"uuid": ["u-2"]},
        event("u-2", kind="user.session.start", outcome=None),
        event("u-2", target="bob@example.com"),
        "text",
        None,
        ["u-2"],
    ],
)
def test_a_wrong_event_does_not_take_its_neighbours_with_it(bench: Bench, wrong: Any) -> None:
    outcomes = bench.run(hook(event("u-1"), wrong, event("u-3"))).outcomes
    assert tally(outcomes) == {"delivered": 2, "schema_violation": 1}
    assert [message["details"]["okta"]["uuid"] for message in bench.sqs.bodies()] == ["u-1", "u-3"]


@pytest.mark.parametrize("data", [{}, {"events": []}, {"events": {"0": 1}}, [], None])
def test_a_request_without_events_is_one_rejection(bench: Bench, data: Any) -> None:
    raw = orjson.dumps({"eventId": "e-1", "data": data})
    sent = encode_envelope(Envelope("r", NOW_MS, "okta", "192.0.2.1", raw, "", {}))
    (outcome,) = bench.run(record(sent)).outcomes
    assert (outcome.kind, outcome.reason) == (OutcomeKind.REJECTED, Reason.SCHEMA_VIOLATION)
    assert outcome.explanation.startswith("data.events: ")


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        ("security.breached_credential.detected", "CRITICAL"),
        ("user.account.privilege.grant", "WARNING"),
        ("user.lifecycle.create", "NOTICE"),
        ("user.session.start", "INFO"),
        ("example.added.later", "INFO"),
    ],
)
def test_severity_goes_by_the_elements_type(bench: Bench, kind: str, severity: str) -> None:
    bench.run(hook(event("u-1", kind, severity="WARN")))
    (message,) = bench.sqs.bodies()
    assert message["severity"] == severity
    assert message["details"]["okta"]["severity"] == "WARN"
    assert message["utctimestamp"] == "2026-11-23T09:00:01.120+00:00"
    assert message["summary"] == (
        f"Okta {kind}: Something happened SUCCESS by alice@example.com from 192.0.2.10 "
        "to bob@example.com"
    )


@pytest.mark.parametrize(
    ("token", "allowed"),
    [
        (SECRET, True),
        (PREVIOUS, True),
        (f"Bearer {SECRET}", False),
        (f"{SECRET} ", False),
        (SECRET.lower(), False),
        ("", False),
    ],
)
def test_the_token_is_the_whole_header(bench: Bench, token: str, allowed: bool) -> None:
    request = {
        "resource": "/okta",
        "headers": {"Authorization": token},
        "requestContext": {"identity": {"sourceIp": "192.0.2.7"}},
    }
    assert Authorizer(bench.catalog, bench.fan_out.secrets).allows(request) is allowed


def test_the_verification_is_answered_from_its_header(sources: dict[str, LoadedSource]) -> None:
    settings = sources["okta"].settings
    assert settings.ingest == "direct"
    assert settings.mirror == ("X-Okta-Verification-Challenge", "verification")
    assert not settings.needs_receiver
