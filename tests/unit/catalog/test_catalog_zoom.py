"""The source `zoom`: its signature and challenge by hand, its keys, and MozDef's plugin."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.event.envelope import Envelope, encode_envelope
from pipeline.event.identity import find_identity
from pipeline.event.outcomes import Reason
from pipeline.event.signatures import find_fault
from pipeline.receiving.handshake import answer_handshake
from pipeline.receiving.request import Request
from tests.support.bench import NOW_MS, PREVIOUS, SECRET, Bench, record, tally
from toolbox.mozdef.worker import handled
from toolbox.sources.samples import authenticate, load_samples

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog, CompiledSource
    from settings.source.loader import LoadedSource

#: Bodies of the forms that MozDef's own tests of its Zoom plugin have (mozilla/MozDef,
#: tests/mq/plugins/test_zoom_fixup.py), with other values: numbers as texts, no event_ts.
MEETING: dict[str, Any] = {"id": "810", "type": "2", "uuid": "EXAMPLE=="}
ACCOUNT: dict[str, Any] = {"account_id": "EXAMPLE"}
PLUGIN_TAKES: list[tuple[str, dict[str, Any]]] = [
    ("meeting.ended", {"object": {**MEETING, **ACCOUNT, "type": "4", "topic": "room"}}),
    (
        "meeting.sharing_ended",
        {
            "object": {
                **MEETING,
                **ACCOUNT,
                "topic": "room",
                "participant": {"user_id": "1203", "user_name": "Bob Example"},
            }
        },
    ),
    (
        "meeting.created",
        {**ACCOUNT, "operator": "a@example.com", "operator_id": "o-1", "object": MEETING},
    ),
    ("meeting.created", {**ACCOUNT, "object": {**MEETING, **ACCOUNT}}),
    ("meeting.created", {**ACCOUNT, "object": {**MEETING, "account_id": "OTHER"}}),
    ("meeting.created", {**ACCOUNT, "object": {**MEETING, "account_id": "OTHER", "type": "3"}}),
    (
        "meeting.created",
        {
            **ACCOUNT,
            "object": {**MEETING, "start_time": ""},
            "old_object": {"start_time": "2020-02-11T20:25:30Z", "duration": "60"},
        },
    ),
    (
        "meeting.updated",
        {
            **ACCOUNT,
            "object": {**MEETING, "start_time": ""},
            "old_object": {"id": "810", "type": "2", "start_time": "", "duration": "60"},
        },
    ),
    (
        "recording.paused",
        {
            **ACCOUNT,
            "object": {**MEETING, "recording_file": {"recording_end": ""}},
            "old_object": {"start_time": "2020-02-11T20:25:30Z", "duration": "60"},
        },
    ),
    (
        "meeting.updated",
        {**ACCOUNT, "object": MEETING, "old_object": {"topic": "a topic", "duration": "60"}},
    ),
]
BODY = (
    b'{"event":"meeting.started","event_ts":1795464000123,'
    b'"payload":{"account_id":"EXAMPLE","object":{"id":"81000000001"}}}'
)
#: openssl dgst -sha256 -hmac CurrentSecretKey over "v0:1795464000:" and the body.
SIGNATURE = "v0=4a65afb8edebdbdf47d66db9d312c45df34ecacc3a85d23472151b32ba8ddd3e"
PLAIN = "qgg8vlvZRS6UYooatFL8Aw"
#: openssl dgst -sha256 -hmac <secret> over the plain token.
ENCRYPTED = {
    SECRET: "1f2fad21918f3bd524a651daa388bda4470c49638a1a7bec5833170e35ec363a",
    PREVIOUS: "efa3d1fa6e8b184c1bfca141309c55fecf8da92d8dd6f3aa6a132578733c1987",
}


@pytest.fixture
def zoom(sources: dict[str, LoadedSource]) -> LoadedSource:
    return sources["zoom"]


def fault(bench: Bench, headers: dict[str, str], body: bytes = BODY, at: int = 0) -> Reason | None:
    source = bench.catalog.sources["zoom"]
    found = find_fault(source, bench.fan_out.secrets.of, headers, body, at or 1_795_464_000_000)
    return found[0] if found else None


def signed(signature: str = SIGNATURE, time: str = "1795464000") -> dict[str, str]:
    return {"x-zm-signature": signature, "x-zm-request-timestamp": time}


def envelope(zoom: LoadedSource, event: dict[str, Any], request: str) -> bytes:
    body = orjson.dumps(event)
    headers = authenticate(zoom, SECRET, body, now=NOW_MS / 1000)
    return encode_envelope(Envelope(request, NOW_MS, "zoom", "192.0.2.1", body, "", headers))


def test_the_documented_string_is_what_is_signed(bench: Bench, zoom: LoadedSource) -> None:
    string = b"v0:1795464000:" + BODY
    by_hand = "v0=" + hmac.new(SECRET.encode(), string, hashlib.sha256).hexdigest()
    assert by_hand == SIGNATURE
    assert authenticate(zoom, SECRET, BODY, now=1_795_464_000.9) == signed()
    assert fault(bench, signed()) is None


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (signed(time="1795464001"), BODY),
        (signed(), BODY + b"\n"),
        (signed(SIGNATURE.upper()), BODY),
        (signed(SIGNATURE[3:]), BODY),
        (signed(SIGNATURE[:-1]), BODY),
        (signed(SIGNATURE.replace("v0=", "v1=")), BODY),
        (signed(f"{SIGNATURE},{SIGNATURE}"), BODY),
        (signed(""), BODY),
        ({"x-zm-signature": SIGNATURE}, BODY),
    ],
)
def test_a_signature_that_does_not_fit(bench: Bench, headers: dict[str, str], body: bytes) -> None:
    assert fault(bench, headers, body) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("later_ms", "expected"),
    [
        (5_400_000, None),
        (-5_400_000, None),
        (5_400_001, Reason.STALE_SIGNATURE),
        (-5_400_001, Reason.STALE_SIGNATURE),
    ],
)
def test_the_span_of_all_tries_is_allowed(
    bench: Bench, later_ms: int, expected: Reason | None
) -> None:
    assert fault(bench, signed(), at=1_795_464_000_000 + later_ms) is expected


@pytest.mark.parametrize("secret", [SECRET, PREVIOUS])
def test_the_challenge_is_answered_with_the_secret_that_signed_it(
    bench: Bench, zoom: LoadedSource, secret: str
) -> None:
    event = {"event": "endpoint.url_validation", "payload": {"plainToken": PLAIN}}
    body = orjson.dumps(event)
    headers = authenticate(zoom, secret, body, now=NOW_MS / 1000)
    source = bench.catalog.sources["zoom"]
    request = Request(source, "r", NOW_MS, "192.0.2.1", headers, body)
    answer = answer_handshake(request, bench.fan_out.secrets)
    assert answer is not None
    assert answer.status == 200
    assert answer.body == {"plainToken": PLAIN, "encryptedToken": ENCRYPTED[secret]}


def event(kind: str, ts: int = 1_795_464_000_123, **payload: Any) -> dict[str, Any]:
    return {"event": kind, "event_ts": ts, "payload": {"account_id": "A", **payload}}


def joined(**participant: str) -> dict[str, Any]:
    meeting = {"uuid": "M==", "id": "81000000001", "participant": participant}
    return event("meeting.participant_joined", object=meeting)


APART = [
    (joined(user_id="1", user_name="Guest"), joined(user_id="2", user_name="Guest")),
    (joined(participant_uuid="1", id=""), joined(participant_uuid="2", id="")),
    (joined(user_name="Guest 1"), joined(user_name="Guest 2")),
    (
        event("user.signed_in", object={"id": "U1", "date_time": "2026-11-23T09:00:00Z"}),
        event("user.signed_in", object={"id": "U2", "date_time": "2026-11-23T09:00:00Z"}),
    ),
    (
        event("user.presence_status_updated", object={"id": "U", "presence_status": "Away"}),
        event("user.presence_status_updated", object={"id": "U", "presence_status": "Available"}),
    ),
    (
        event("recording.deleted", object={"uuid": "M==", "recording_files": [{"id": "1"}]}),
        event("recording.deleted", object={"uuid": "M==", "recording_files": [{"id": "2"}]}),
    ),
    (
        event("meeting.registration_created", object={"uuid": "M", "registrant": {"id": "1"}}),
        event("meeting.registration_created", object={"uuid": "M", "registrant": {"id": "2"}}),
    ),
    (
        event("meeting.chat_message_sent", object={"uuid": "M", "chat_message": {"message_id": 1}}),
        event("meeting.chat_message_sent", object={"uuid": "M", "chat_message": {"message_id": 2}}),
    ),
    (
        event("group.member_added", object={"id": "G", "members": [{"email": "a@example.com"}]}),
        event("group.member_added", object={"id": "G", "members": [{"email": "b@example.com"}]}),
    ),
    (
        event("meeting.deleted", object={"id": 8, "occurrences": [{"occurrence_id": "1"}]}),
        event("meeting.deleted", object={"id": 8, "occurrences": [{"occurrence_id": "2"}]}),
    ),
    (
        event("user.updated", operation="change_password", object={"id": "U"}),
        event("user.updated", operation="change_role", object={"id": "U"}),
    ),
    (
        {"event": "app_deauthorized", "payload": {"account_id": "A", "user_id": "U1"}},
        {"event": "app_deauthorized", "payload": {"account_id": "A", "user_id": "U2"}},
    ),
    (event("meeting.started", object={"uuid": "1"}), event("meeting.ended", object={"uuid": "1"})),
    (event("user.updated", ts=1, object={"id": "U"}), event("user.updated", ts=2)),
]


@pytest.mark.parametrize(("one", "other"), APART, ids=lambda pair: pair["event"])
def test_two_events_of_one_moment_have_two_keys(
    bench: Bench, zoom: LoadedSource, one: dict[str, Any], other: dict[str, Any]
) -> None:
    source = bench.catalog.sources["zoom"]
    keys = [identity(source, body) for body in (one, other)]
    assert keys[0] != keys[1]
    assert all(keys)


def identity(source: CompiledSource, body: object) -> str:
    return find_identity(source, {}, body, orjson.dumps(body)).key


def nested(path: str, value: str) -> Any:
    """A body that has a value at one path, and nothing else."""
    head, _, rest = path.partition(".")
    inner = nested(rest, value) if rest else value
    return [inner] if head == "0" else {head: inner}


def test_each_path_tells_events_apart(catalog: Catalog, zoom: LoadedSource) -> None:
    settings = zoom.settings.delivery_id
    assert settings is not None
    source = catalog.sources["zoom"]
    keys = [
        identity(source, nested(path, value))
        for path in settings.all_paths
        for value in ("one", "two")
    ]
    assert len(set(keys)) == 2 * len(settings.all_paths)


def test_a_retry_is_a_duplicate_and_a_second_guest_is_not(bench: Bench, zoom: LoadedSource) -> None:
    first, second = joined(user_id="1"), joined(user_id="2")
    events = enumerate((first, second, first))
    batch = [record(envelope(zoom, one, f"r-{number}")) for number, one in events]
    assert tally(bench.run(*batch).outcomes) == {"delivered": 2, "duplicate": 1}
    assert [message["details"] for message in bench.sqs.bodies()] == [first, second]


def test_mozdefs_plugin_finds_what_it_selects_by(bench: Bench, zoom: LoadedSource) -> None:
    good = [s for s in load_samples(zoom) if s.settings.expect.outcome == "delivered"]
    assert len(good) >= 8
    for sample in good:
        headers = {
            name.lower(): value
            for name, value in sample.request((SECRET, PREVIOUS), NOW_MS / 1000).headers.items()
        }
        sent = Envelope(f"r-{sample.name}", NOW_MS, "zoom", "192.0.2.1", sample.body, "", headers)
        bench.run(record(encode_envelope(sent)))
        message = bench.sqs.bodies()[-1]
        assert message["hostname"] == "zoom_host"
        assert "zoom" in message["tags"]
        assert message["source"] == "api_aws_lambda"
        assert message["details"] == orjson.loads(sample.body)
    assert len(bench.sqs.bodies()) == len(good)


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        ("account.settings_updated", "WARNING"),
        ("user.updated", "NOTICE"),
        ("user.presence_status_updated", "DEBUG"),
        ("example.added_later", "INFO"),
    ],
)
def test_severity_and_time(bench: Bench, zoom: LoadedSource, kind: str, severity: str) -> None:
    bench.run(record(envelope(zoom, event(kind, object={"id": "U"}), "r-1")))
    (message,) = bench.sqs.bodies()
    assert message["severity"] == severity
    assert message["utctimestamp"] == "2026-11-23T20:00:00.123+00:00"


def test_what_mozdefs_own_tests_hand_to_its_plugin_is_delivered_and_kept(
    sources: dict[str, LoadedSource], bench: Bench
) -> None:
    assert len(PLUGIN_TAKES) == 10
    for number, (kind, payload) in enumerate(PLUGIN_TAKES):
        outcomes = bench.run(_signed(sources, {"event": kind, "payload": payload}, number)).outcomes
        assert tally(outcomes) == {"delivered": 1}, payload
        found = handled(bench.sqs.bodies()[-1])
        assert found.rewritten_by == "zoom_fixup"
        assert found.document is not None
        assert found.document["details"]["event"] == kind


@pytest.mark.parametrize(
    "kind",
    [
        "meeting.created",
        "meeting.participant_joined",
        "recording.completed",
        "user.updated",
        "user.signed_in",
        "account.updated",
        "invented",
    ],
)
@pytest.mark.parametrize(
    "payload",
    [
        {"object": {"participant": 7}},
        {"object": {"recording_file": True}},
        {"object": {"recording_files": 7}},
        {"object": 7},
        {"object": {}, "old_object": 7},
    ],
)
def test_what_would_end_the_plugin_is_rejected(
    sources: dict[str, LoadedSource], bench: Bench, kind: str, payload: dict[str, Any]
) -> None:
    event = {"event": kind, "payload": payload}
    message = {"hostname": "zoom_host", "tags": ["zoom"], "details": event}
    assert "zoom_fixup fails" in handled(message).why
    outcomes = bench.run(_signed(sources, event, 0)).outcomes
    assert tally(outcomes) == {"schema_violation": 1}


def _signed(sources: dict[str, LoadedSource], event: dict[str, Any], number: int) -> dict[str, Any]:
    raw = orjson.dumps(event)
    sent = authenticate(sources["zoom"], SECRET, raw, now=NOW_MS / 1000)
    headers = {name.lower(): value for name, value in sent.items()}
    envelope = Envelope(f"plugin-{number}", NOW_MS, "zoom", "192.0.2.1", raw, "", headers)
    return record(encode_envelope(envelope))
