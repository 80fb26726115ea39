"""Handshakes as senders document them, and what nobody gets by asking.

What is expected is worked out here, as each sender's page says it; the pages are named.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import sys
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from ingest_lambdas.receiver import Receiver
from pipeline.receiving.learning import Learning
from pipeline.runtime.secret_store import SecretStore
from tests.support.doors import ASKING, compile_doors
from tests.support.fakes import FakeSsm, FakeStream

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog
    from pipeline.receiving.answers import Answer

NOW_MS = 1_795_464_503_000
SECRET, TOKEN = "signing-secret-0123456789", "auth-token-0123456789"
ADDRESS = "https://hooks.example.com"


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return compile_doors(tmp_path_factory.mktemp("asking"), "asking_catalog", sys.path, ASKING)


class Door:
    """A receiver with its services, and what a sender may ask of it."""

    def __init__(self, catalog: Catalog) -> None:
        names = [f"/P/{name}/dev" for name in ASKING]
        self.ssm = FakeSsm(
            {f"{name}/signing_secret": SECRET for name in names}
            | {f"{name}/auth_token": TOKEN for name in names}
        )
        self.time = 0.0
        self.stream = FakeStream()
        self.secrets = SecretStore(self.ssm, "P", "dev", lambda: self.time)
        learning = Learning(self.ssm, self.secrets, "P", "dev")
        self.receiver = Receiver(catalog, self.secrets, self.stream, "events", ADDRESS, learning)

    def ask(
        self,
        source: str,
        method: str = "POST",
        *,
        query: list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        path: str = "",
    ) -> Answer:
        several: dict[str, list[str]] = {}
        for name, value in query or []:
            several.setdefault(name, []).append(value)
        event: dict[str, Any] = {
            "resource": f"/{source}/{{token}}" if path else f"/{source}",
            "httpMethod": method,
            "headers": headers,
            "queryStringParameters": dict(query or []) or None,
            "multiValueQueryStringParameters": several or None,
            "pathParameters": {"token": path} if path else None,
            "requestContext": {
                "extendedRequestId": "r",
                "requestTimeEpoch": NOW_MS,
                "identity": {"sourceIp": "192.0.2.7"},
            },
            "body": base64.b64encode(body).decode() or None,
            "isBase64Encoded": bool(body),
        }
        return self.receiver.receive(event)[1]

    def signed(self, source: str, body: bytes, secret: str = SECRET, **headers: str) -> Answer:
        proof = hmac.new(secret.encode(), body, "sha256").hexdigest()
        return self.ask(source, headers={"X-Sig": proof, **headers}, body=body)


@pytest.fixture
def door(private: Catalog) -> Door:
    return Door(private)


def test_meta_has_its_challenge_back_for_the_verify_token(door: Door) -> None:
    """https://developers.facebook.com/docs/graph-api/webhooks/getting-started"""

    def ask(token: str, mode: str = "subscribe") -> Answer:
        query = [("hub.mode", mode), ("hub.challenge", "1158201444"), ("hub.verify_token", token)]
        return door.ask("meta", "GET", query=query)

    answer = ask(TOKEN)
    assert (answer.status, answer.body) == (200, "1158201444")
    assert answer.response()["headers"]["Content-Type"] == "text/plain"
    assert ask("wrong").status == ask(SECRET).status == 403
    assert ask(TOKEN, "unsubscribe").status == 404
    assert not door.stream.records


def test_x_has_the_hmac_of_its_token(door: Door) -> None:
    """https://docs.x.com/x-api/webhooks/introduction: `sha256=` and base64."""
    token = "OGQyOTRhYzYtMDAxMS00Nzg3LTgxMzItMGJhYTU2OWJmZGQ0"
    digest = hmac.new(SECRET.encode(), token.encode(), hashlib.sha256).digest()
    answer = door.ask("x", "GET", query=[("crc_token", token)])
    assert answer.body == {"response_token": f"sha256={base64.b64encode(digest).decode()}"}


def test_the_key_of_a_challenge_is_made_as_that_of_an_event(door: Door) -> None:
    key = hashlib.sha256(SECRET.encode()).digest()
    answer = door.ask("x-hashed", "GET", query=[("crc_token", "abc")])
    assert answer.body == {"response_token": hmac.new(key, b"abc", "sha256").hexdigest()}


def test_ebay_has_the_hash_of_challenge_token_and_address(door: Door) -> None:
    """https://developer.ebay.com/marketplace-account-deletion: in this order, as hex."""
    code = "71745723-d031-455c-bfa5-f90d11b4f20a"
    expected = hashlib.sha256(f"{code}{TOKEN}{ADDRESS}/ebay".encode()).hexdigest()
    answer = door.ask("ebay", "GET", query=[("challenge_code", code)], headers={"Host": "a.b"})
    assert answer.body == {"challengeResponse": expected}


def test_dropbox_has_its_challenge_as_text(door: Door) -> None:
    """https://www.dropbox.com/developers/reference/webhooks: text/plain, and nosniff."""
    answer = door.ask("dropbox", "GET", query=[("challenge", "AbC-_123")])
    headers = answer.response()["headers"]
    assert answer.body == "AbC-_123"
    assert headers == {
        "Content-Type": "text/plain",
        "X-Content-Type-Options": "nosniff",
        "X-Fixed": "yes",
    }


def test_twitch_is_answered_as_it_signs(door: Door) -> None:
    """https://dev.twitch.tv/docs/eventsub/handling-webhook-events: the raw challenge as text."""
    kind = {"Twitch-Eventsub-Message-Type": "webhook_callback_verification"}
    body = b'{"challenge": "pogchamp-kappa-360noscope-vohiyo"}'
    assert door.signed("twitch", body, **kind).body == "pogchamp-kappa-360noscope-vohiyo"
    assert door.signed("twitch", body, "wrong", **kind).status == 401
    assert door.signed("twitch", body).told["status"] == "accepted"


def test_others_have_what_their_pages_say(door: Door) -> None:
    """monday, RingCentral, Discord, Event Grid and CloudEvents, Microsoft Graph, Trello."""
    assert door.ask("monday", body=b'{"challenge":"3eZbrw1aBm2r"}').body == {
        "challenge": "3eZbrw1aBm2r"
    }
    ring = door.ask("ringcentral", headers={"validation-token": "1f7a-22"})
    assert (ring.status, ring.headers["Validation-Token"]) == (200, "1f7a-22")
    ping = door.signed("discord", b'{"version":1,"application_id":"1","type":0}')
    assert (ping.status, ping.body) == (204, "")
    assert door.ask("discord", body=b'{"type":0}').status == 401
    code = b'[{"data":{"validationCode":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}}]'
    grid = {"aeg-event-type": "SubscriptionValidation"}
    asked = door.ask("event-grid", query=[("key", TOKEN)], headers=grid, body=code)
    assert asked.body == {"validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}
    assert door.ask("event-grid", query=[("key", "no")], headers=grid, body=code).status == 403
    origin = {"WebHook-Request-Origin": "eventemitter.example.com"}
    allowed = door.ask("event-grid", "OPTIONS", headers=origin)
    assert allowed.headers["WebHook-Allowed-Origin"] == "eventemitter.example.com"
    token = "Validation: Testing client application reachability for subscription Request-Id: 1-a"
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    graph = door.ask("graph", query=[("validationToken", token)], headers=plain, path="x")
    assert (graph.body, graph.headers["Content-Type"]) == (token, "text/plain")
    assert door.ask("trello", "HEAD").status == 200
    assert door.ask("trello", "GET").status == door.ask("monday", "GET").status == 404
    assert not door.stream.records


def test_xero_has_no_body_whatever_it_is_answered(door: Door) -> None:
    """https://developer.xero.com/documentation/webhooks/configuring-your-server

    Its "intent to receive" is signed rightly and wrongly: 200 and 401, and no body in either.
    """
    body = b'{"events":[],"lastEventSequence":0,"firstEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}'
    answers = [door.signed("xero", body), door.signed("xero", body, "wrong")]
    assert [(one.status, one.response()["body"]) for one in answers] == [(200, ""), (401, "")]
    assert answers[1].reason == "bad_signature"


def test_a_header_is_given_back_in_each_answer(door: Door) -> None:
    """https://helpx.adobe.com/sign/developer/webhooks-api.html: in a header, or so in JSON."""
    name = "X-AdobeSign-ClientId"
    assert door.ask("adobe", "GET", headers={name: "CBJ-1"}).headers[name] == "CBJ-1"
    answer = door.ask("adobe", headers={name: TOKEN}, body=b"{}")
    assert answer.body == {"xAdobeSignClientId": TOKEN}
    assert len(door.stream.records) == 1


HOSTILE = [
    "<script>alert(1)</script>", "a\r\nSet-Cookie: a=b", "a\nb", "x" * 10_240, "", '"}', "\x00",
    "ü", "&lt;", "a'b", "\u2028",
]  # fmt: skip


@pytest.mark.parametrize("challenge", HOSTILE)
@pytest.mark.parametrize(
    ("source", "name"), [("dropbox", "challenge"), ("x", "crc_token"), ("ebay", "challenge_code")]
)
def test_no_stranger_has_more_than_a_word_back(
    door: Door, source: str, name: str, challenge: str
) -> None:
    answer = door.ask(source, "GET", query=[(name, challenge)])
    assert (answer.status, answer.told["error"]) == (400, "bad_challenge")


@pytest.mark.parametrize("challenge", [*HOSTILE, "two words", "a;b"])
def test_no_header_holds_what_ends_it(door: Door, challenge: str) -> None:
    for source, name in (("ringcentral", "Validation-Token"), ("adobe", "X-AdobeSign-ClientId")):
        method = "GET" if source == "adobe" else "POST"
        assert door.ask(source, method, headers={name: challenge}).status == 400


@pytest.mark.parametrize(
    "forged",
    ['{"id":1}', "[1]", '"text"', "12345678", "1e5", "-1", "true", "null", "payload=a", "v0:1:{}",
     "1700000000.{}", "a b", "a%7Bb", "<a/>", "a=b"],
)  # fmt: skip
def test_nobody_has_the_body_of_an_event_signed(door: Door, forged: str) -> None:
    assert door.ask("x", "GET", query=[("crc_token", forged)]).status == 400


def test_a_challenge_is_there_once_and_in_its_place(door: Door) -> None:
    twice = [("crc_token", "one"), ("crc_token", "two")]
    assert door.ask("x", "GET", query=twice).status == 400
    assert door.ask("x", "GET", query=[("CRC_TOKEN", "one")]).status == 400
    assert door.ask("x", "GET", headers={"crc_token": "one"}).status == 400
    known = [("hub.mode", "subscribe"), ("hub.challenge", "1")]
    two = [*known, ("hub.verify_token", "wrong"), ("hub.verify_token", TOKEN)]
    assert door.ask("meta", "GET", query=two).status == 403
    assert door.ask("meta", "GET", query=known, headers={"hub.verify_token": TOKEN}).status == 403


def test_an_unsigned_event_is_no_handshake(door: Door) -> None:
    assert door.ask("monday", body=b'{"event":1}').status == 401
    assert door.ask("notion", body=b'{"event":1}').status == 401
    assert door.ask("graph", body=b"{}", path="guessed").status == 403
    assert not door.stream.records


# Secrets that are said once


SAID = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"


def say(door: Door, source: str, secret: str) -> Answer:
    if source == "notion":
        return door.ask("notion", body=orjson.dumps({"verification_token": secret}))
    return door.ask("asana", headers={"X-Hook-Secret": secret})


def open_window(door: Door, source: str, seconds: int = 600) -> None:
    door.ssm.parameters[f"/P/{source}/dev/learn_until"] = str(NOW_MS // 1000 + seconds)


@pytest.mark.parametrize("source", ["notion", "asana"])
def test_a_secret_is_learned_within_the_window(door: Door, source: str) -> None:
    open_window(door, source)
    answer = say(door, source, SAID)
    assert answer.status == 200
    assert answer.headers.get("X-Hook-Secret") == (SAID if source == "asana" else None)
    name = f"/P/{source}/dev/signing_secret"
    assert door.ssm.parameters[name].splitlines() == [SAID, SECRET]
    assert say(door, source, SAID).status == 200
    assert door.ssm.parameters[name].splitlines() == [SAID, SECRET]
    assert door.signed(source, b'{"id":1}', SAID).status == 200
    assert SAID.encode() not in b"".join(one["Data"] for one in door.stream.records)


@pytest.mark.parametrize("source", ["notion", "asana"])
@pytest.mark.parametrize("seconds", [None, -1, 0, 3_601])
def test_nothing_is_learned_outside_of_the_window(
    door: Door, source: str, seconds: int | None
) -> None:
    if seconds is not None:
        open_window(door, source, seconds)
    answer = say(door, source, SAID)
    assert (answer.status, answer.told["error"]) == (403, "forbidden")
    assert "X-Hook-Secret" not in answer.headers
    assert door.ssm.parameters[f"/P/{source}/dev/signing_secret"] == SECRET


@pytest.mark.parametrize(
    "secret", ["short", "with a space in it ...", "x" * 201, "a\nb" * 9, "ü" * 20]
)
def test_what_can_be_no_secret_is_not_learned(door: Door, secret: str) -> None:
    open_window(door, "notion")
    assert say(door, "notion", secret).status == 400


def test_no_more_than_ten_are_learned(door: Door) -> None:
    open_window(door, "asana")
    for number in range(9):
        assert say(door, "asana", f"{number}" * 32).status == 200
    assert say(door, "asana", "x" * 32).status == 409
    assert len(door.ssm.parameters["/P/asana/dev/signing_secret"].splitlines()) == 10


@pytest.mark.parametrize("first", [True, False])
def test_of_two_at_once_both_are_learned(door: Door, first: bool) -> None:
    """The other one writes between this one's look and its write."""
    name, other = "/P/asana/dev/signing_secret", "other-" + "o" * 32
    open_window(door, "asana")
    if first:
        del door.ssm.parameters[name]
    put = door.ssm.put_parameter
    calls: list[dict[str, Any]] = []

    def interrupted(**call: Any) -> dict[str, Any]:
        if not calls:
            calls.append(call)
            assert say(door, "asana", other).status == 200
        return put(**call)

    door.ssm.put_parameter = interrupted  # type: ignore[method-assign]
    assert say(door, "asana", SAID).status == 200
    assert set(door.ssm.parameters[name].splitlines()) == {
        SAID,
        other,
        *([] if first else [SECRET]),
    }
