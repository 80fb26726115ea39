"""The source `slack`, against Slack's own library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from slack_sdk.signature import Clock, SignatureVerifier

from pipeline.event.envelope import Envelope, encode_envelope
from pipeline.event.outcomes import Reason
from pipeline.event.signatures import find_fault
from tests.support.bench import NOW_MS, PREVIOUS, SECRET, Bench, keys, record, tally
from toolbox.sources.samples import authenticate

if TYPE_CHECKING:
    from settings.source.loader import LoadedSource

NOW = NOW_MS // 1000
BODIES = [
    b'{"type":"event_callback","event_id":"Ev1"}',
    b' { "type" : "event_callback" } \r\n',
    '{"text":"世界 🚀 \u2028 \ufffe"}'.encode(),
    b"payload=%7B%22a%22%3A1%7D",
    b"",
]


class At(Clock):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return self._seconds


@pytest.fixture
def slack(sources: dict[str, LoadedSource]) -> LoadedSource:
    return sources["slack"]


def verifier(secret: str = SECRET, at: float = NOW) -> SignatureVerifier:
    return SignatureVerifier(secret, At(at))


def made_by_slack(body: bytes, secret: str = SECRET, time: int = NOW) -> dict[str, str]:
    signature = verifier(secret).generate_signature(timestamp=str(time), body=body)
    assert signature is not None
    return {"x-slack-signature": signature, "x-slack-request-timestamp": str(time)}


def fault(
    bench: Bench, headers: dict[str, str], body: bytes, arrived_ms: int = NOW * 1000
) -> Reason | None:
    source = bench.catalog.sources["slack"]
    found = find_fault(source, bench.fan_out.secrets.of, headers, body, arrived_ms)
    return found[0] if found else None


@pytest.mark.parametrize("body", BODIES)
def test_slacks_library_accepts_what_this_project_signs(slack: LoadedSource, body: bytes) -> None:
    headers = authenticate(slack, SECRET, body, now=NOW)
    assert verifier().is_valid_request(body, headers)
    assert not verifier(PREVIOUS).is_valid_request(body, headers)
    assert not verifier().is_valid_request(body + b" ", headers)
    stale = authenticate(slack, SECRET, body, now=NOW, stale=True)
    assert not verifier().is_valid_request(body, stale)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("secret", [SECRET, PREVIOUS])
def test_this_project_accepts_what_slacks_library_signs(
    bench: Bench, body: bytes, secret: str
) -> None:
    headers = made_by_slack(body, secret)
    assert fault(bench, headers, body) is None
    assert fault(bench, headers, body + b" ") is Reason.BAD_SIGNATURE
    later = headers | {"x-slack-request-timestamp": str(NOW + 1)}
    assert fault(bench, later, body) is Reason.BAD_SIGNATURE
    assert fault(bench, made_by_slack(body, "neither"), body) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("age", [-301, -300, 0, 300, 301])
def test_both_allow_the_same_age(bench: Bench, age: int) -> None:
    body = BODIES[0]
    headers = made_by_slack(body, time=NOW - age)
    accepted = verifier().is_valid_request(body, headers)
    assert accepted is (abs(age) <= 300)
    expected = None if accepted else Reason.STALE_SIGNATURE
    assert fault(bench, headers, body) is expected


@pytest.mark.parametrize(
    "change",
    [str.upper, lambda text: text[:-1], lambda text: f"{text},{text}", lambda text: f" {text}"],
    ids=["upper case", "truncated", "two of them", "white space"],
)
def test_both_refuse_the_same_variants(bench: Bench, change: Any) -> None:
    body = BODIES[0]
    headers = made_by_slack(body)
    headers["x-slack-signature"] = change(headers["x-slack-signature"])
    assert not verifier().is_valid_request(body, headers)
    assert fault(bench, headers, body) is Reason.BAD_SIGNATURE


def callback(kind: str, number: int = 1, **event: Any) -> dict[str, Any]:
    return {
        "type": "event_callback",
        "team_id": "T0EXAMPLE1",
        "api_app_id": "A0EXAMPLE1",
        "event_id": f"Ev{number}",
        "event_time": 1_795_464_001,
        "event": {"type": kind, **event},
    }


def rate_limited(minute: int) -> dict[str, Any]:
    return {
        "type": "app_rate_limited",
        "team_id": "T0EXAMPLE1",
        "api_app_id": "A0EXAMPLE1",
        "minute_rate_limited": minute,
    }


_requests = iter(range(10**6))


def sent(body: dict[str, Any], **headers: str) -> dict[str, Any]:
    raw = orjson.dumps(body)
    kept = {**made_by_slack(raw), **headers}
    name = f"r-{next(_requests)}"
    return record(encode_envelope(Envelope(name, NOW_MS, "slack", "192.0.2.1", raw, "", kept)))


def test_a_retry_is_a_duplicate(bench: Bench) -> None:
    first = callback("team_join", user={"id": "U1"})
    again = sent(first, **{"x-slack-retry-num": "1", "x-slack-retry-reason": "http_timeout"})
    other = sent(callback("team_join", 2, user={"id": "U1"}))
    outcomes = bench.run(sent(first), again, other).outcomes
    assert tally(outcomes) == {"delivered": 2, "duplicate": 1}
    assert set(keys(outcomes)) == {"slack#Ev1", "slack#Ev2"}


def test_rate_limits_of_two_minutes_are_two_events(bench: Bench) -> None:
    events = [rate_limited(minute) for minute in (1_795_464_000, 1_795_464_060, 1_795_464_000)]
    outcomes = bench.run(*map(sent, events)).outcomes
    assert tally(outcomes) == {"delivered": 2, "duplicate": 1}
    messages = bench.sqs.bodies()
    assert [message["severity"] for message in messages] == ["WARNING", "WARNING"]
    assert [message["details"]["slack"] for message in messages] == events[:2]


@pytest.mark.parametrize(
    ("event", "severity", "summary"),
    [
        (
            callback("file_public", file_id="F1", user_id="U1"),
            "WARNING",
            "Slack file_public: F1 by U1, team T0EXAMPLE1",
        ),
        (
            callback("team_join", user={"id": "U1", "name": "bob-example"}),
            "NOTICE",
            "Slack team_join by bob-example, team T0EXAMPLE1",
        ),
        (
            callback("example_added_later", user="U1", channel="C1"),
            "INFO",
            "Slack example_added_later by U1 in C1, team T0EXAMPLE1",
        ),
        (
            callback("user_huddle_changed", user={"id": "U1"}),
            "DEBUG",
            "Slack user_huddle_changed, team T0EXAMPLE1",
        ),
    ],
)
def test_severity_summary_and_time(
    bench: Bench, event: dict[str, Any], severity: str, summary: str
) -> None:
    bench.run(sent(event))
    (message,) = bench.sqs.bodies()
    assert message["severity"] == severity
    assert message["summary"] == summary
    assert message["utctimestamp"] == "2026-11-23T20:00:01.000+00:00"
    assert message["details"]["slack"]["event_id"] == event["event_id"]
    assert message["tags"] == ["slack"]
