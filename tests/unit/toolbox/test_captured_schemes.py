"""Schemes that are found in caught requests, which senders' libraries and pages signed."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from settings.source.authentication import HmacAuthentication
from settings.source.model import Source
from tests.support.libraries import LIBRARIES
from tests.support.signing_senders import BODY, NOW, SENDERS
from toolbox.sources.captured import scheme
from toolbox.sources.captured.bodies import FORM
from toolbox.sources.captured.proposal import propose
from toolbox.sources.captured.reading import Captures
from toolbox.sources.captured.request import CapturedRequest, CaptureError

if TYPE_CHECKING:
    from toolbox.sources.captured.proposal import CapturedProposal

URL = "https://hooks.example.com/in"
#: In the settings by which a sender is known: what one of its requests cannot show.
_UNSEEN = {"tolerance_seconds", "further_headers", "timestamp"}
JSON = ("Content-Type", "application/json")


def caught(headers: dict[str, str], body: bytes = BODY, **changes: Any) -> CapturedRequest:
    listed = (JSON, *headers.items())
    made = {"method": "POST", "address": URL, "query": "", "headers": listed, "body": body}
    return CapturedRequest(**(made | {"at": None, "where": "one.http"} | changes))


def proposed(*requests: CapturedRequest, secret: str = "", keep: bool = False) -> CapturedProposal:
    return propose(Captures(requests, ()), [secret] if secret else [], keep_secret=keep)


def how(found: CapturedProposal) -> dict[str, Any]:
    settings = found.settings["authentication"]
    assert isinstance(settings, dict)
    return settings


def said(found: CapturedProposal) -> str:
    return " | ".join(f"{label}: {text}" for label, text in found.evidence)


@pytest.mark.parametrize("name", sorted(SENDERS))
def test_what_a_sender_signs_is_found_with_its_secret(name: str) -> None:
    sender = SENDERS[name]
    found = proposed(caught(sender.sign(sender.secret, BODY)), secret=sender.secret)
    assert "proved by the captured signature (1 of 1)" in said(found)
    ours = HmacAuthentication.model_validate(how(found))
    theirs = HmacAuthentication.model_validate({"type": "hmac", **sender.authentication})
    same = {"algorithm", "signed", "secret", "key", "encoding"}
    if theirs.secret.encoding == "base64":  # a text that is read alike
        same -= {"secret"}
    differing = {key for key in same if getattr(ours, key) != getattr(theirs, key)}
    assert differing <= {"signed"}
    assert ours.signed.lower() == theirs.signed.lower()
    assert ours.header in ours.all_headers


@pytest.mark.parametrize("name", sorted(SENDERS))
def test_another_secret_proves_nothing(name: str) -> None:
    sender = SENDERS[name]
    found = proposed(caught(sender.sign(sender.secret, BODY)), secret=sender.other)
    assert "proved" not in said(found)


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_what_a_library_signs_is_found(name: str) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    bodies = [json.dumps({"id": f"evt_{n}", "type": "x.y"}).encode() for n in range(2)]
    requests = [
        caught(LIBRARIES[name].sign(secret, body, NOW + n), body) for n, body in enumerate(bodies)
    ]
    found = proposed(*requests, secret=secret)
    assert "proved by the captured signature (2 of 2)" in said(found)
    assert f"that of the built-in source {name}" in said(found)


def test_without_a_secret_it_is_a_guess() -> None:
    sender = SENDERS["bugcrowd"]
    found = proposed(caught(sender.sign(sender.secret, BODY)))
    assert "a guess; --secret-file has schemes tried" in said(found)
    assert how(found)["header"] == sender.authentication["header"]


def test_group_j_is_proposed_where_it_shows() -> None:
    box = SENDERS["box"]
    found = proposed(caught(box.sign(box.secret, BODY)), secret=box.secret)
    names = {how(found)["header"], *how(found)["further_headers"]}
    assert names == {"BOX-SIGNATURE-PRIMARY", "BOX-SIGNATURE-SECONDARY"}
    linear = SENDERS["linear"]
    found = proposed(caught(linear.sign(linear.secret, BODY)), secret=linear.secret)
    assert how(found)["timestamp"]["path"] == "webhookTimestamp"
    assert how(found)["timestamp"]["unit"] == "milliseconds"


SAID = "b537207f20cbfa02357cf448134da559"
FIRST = {
    "a header": (caught({"X-New-Secret": SAID}, b"{}"), {"header": "X-New-Secret"}),
    "a body": (
        caught({}, json.dumps({"verification_token": SAID}).encode()),
        {"path": "verification_token"},
    ),
}


def signed_with(secret: str, body: bytes = BODY) -> CapturedRequest:
    return caught({"X-Signature": hmac.new(secret.encode(), body, "sha256").hexdigest()}, body)


@pytest.mark.parametrize("place", FIRST)
def test_a_secret_that_the_sender_says_is_learned(place: str) -> None:
    first, learn = FIRST[place]
    found = proposed(first, signed_with(SAID), signed_with(SAID, BODY + b" "))
    assert "proved by the captured signature (2 of 2)" in said(found)
    assert "says the secret that the captured signature is made with: it is learned" in said(found)
    (rule,) = found.settings["handshake"]
    assert (rule["learn"], rule["proof"], found.settings["ingest"]) == (learn, "none", "receiver")
    Source.model_validate({"version": 2, "title": "t"} | found.settings)
    assert len(found.given) == 2  # what says the secret is no event
    assert SAID not in repr((found.settings, found.evidence, found.notes, found.given))


@pytest.mark.parametrize("place", FIRST)
def test_what_signs_nothing_is_not_learned(place: str) -> None:
    first, _ = FIRST[place]
    found = proposed(first, signed_with("another-secret-of-its-own"))
    assert "handshake" not in found.settings
    assert "--secret-file has schemes tried" in said(found)
    assert "it is taken for no event" in " ".join(found.notes)


@pytest.mark.parametrize("name", ["X_New_Secret", f"X-{'New' * 20}-Secret"])
def test_a_header_that_no_setting_can_name_is_not_learned(name: str) -> None:
    found = proposed(caught({name: SAID}, b"{}"), signed_with(SAID))
    Source.model_validate({"version": 2, "title": "t"} | found.settings)
    assert "handshake" not in found.settings


@pytest.mark.parametrize("place", FIRST)
def test_what_events_have_as_well_is_not_learned(place: str) -> None:
    """Each event would be taken for a request that says the secret."""
    first, _ = FIRST[place]
    body, more = BODY, {"X-New-Secret": SAID}
    if place == "a body":
        body, more = b'{"verification_token": 1, "a": 2}', {}
    signature = hmac.new(SAID.encode(), body, "sha256").hexdigest()
    found = proposed(first, caught({"X-Signature": signature, **more}, body))
    assert "handshake" not in found.settings
    assert "events have it as well" in " ".join(found.notes)


@pytest.mark.parametrize(
    "more", [{"events": [{"a": 1}]}, {"is_test": True}, {"the user": "u"}, {"gone": None}]
)
def test_an_event_with_a_token_of_its_own_is_an_event(more: dict[str, Any]) -> None:
    event = json.dumps({"token": SAID} | more).encode()
    found = proposed(caught({}, event), signed_with("another-secret-of-its-own"))
    assert len(found.given) == 2
    assert not any(SAID.encode() in one.content for one in found.given)


def test_no_request_can_have_tries_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = itertools.count()
    monkeypatch.setattr(scheme, "_MOST_HASHED", 100_000_000)
    monkeypatch.setattr(scheme, "signed_bytes", lambda *_: b"" * next(tried))
    signed = {f"X-Sign-{number}": "0" * 64 for number in range(20)}
    times = {f"X-Time-{number}": str(NOW + number) for number in range(20)}
    found = scheme.find_scheme([caught(signed | times)], [SAID] * 10, [])
    assert found is not None
    assert (found.proved, next(tried) < 100_000) == (0, True)


def test_the_request_whose_body_has_secrets_in_plenty_is_named() -> None:
    body = json.dumps({f"{number}_token": f"secret-{number}" for number in range(200)}).encode()
    with pytest.raises(CaptureError, match=r"^two\.http: more than 100 values"):
        proposed(signed_with("x"), caught({}, body, where="two.http"))


def test_what_strangers_say_does_not_keep_a_secret_that_is_given_from_its_trial() -> None:
    told = [{f"X-{at}-{number}-Secret": f"{at:016}{number:016}" for number in range(100)}
            for at in range(100)]  # fmt: skip
    signature = hmac.new(b"given", b"e-1." + BODY, "sha256").hexdigest()
    event = caught({"X-Signature": signature, "X-Event-Id": "e-1"})
    found = proposed(*(caught(one, b"{}") for one in told), event, secret="given")
    assert "proved by the captured signature (1 of 1)" in said(found)


def test_asanas_secret_is_learned_and_given_back() -> None:
    """As its documentation has it, also where no event was caught that proves it."""
    found = proposed(caught({"X-Hook-Secret": SAID}, b""), signed_with("not-the-same-webhook"))
    (rule,) = found.settings["handshake"]
    assert rule["learn"] == rule["challenge"] == {"header": "X-Hook-Secret"}
    assert rule["answer"] == {"headers": {"X-Hook-Secret": "$challenge"}}


def test_a_token_is_proved_by_its_value_and_nowhere_shown() -> None:
    headers = {"X-Hook-Token": "the-very-token", "Cookie": "session=private", "X-Event": "ping"}
    for found in (proposed(caught(headers)), proposed(caught(headers), secret="the-very-token")):
        assert how(found) == {"type": "token", "header": "X-Hook-Token"}
        everything = repr((found.settings, found.evidence, found.notes, found.given))
        assert "the-very-token" not in everything
        assert "private" not in everything
        assert found.settings["event_type"] == {"header": "X-Event"}
        assert "header Cookie can hold a secret: its value is written nowhere" in found.notes


def test_secrets_are_kept_only_where_that_is_said() -> None:
    sender = SENDERS["bugcrowd"]
    request = caught({**sender.sign(sender.secret, BODY), "Authorization": "Bearer private"})
    assert sender.secret not in repr(proposed(request, secret=sender.secret))
    kept = proposed(request, secret=sender.secret, keep=True).given[0].as_sent
    assert kept is not None
    assert kept["secrets"] == [sender.secret]
    assert "private" not in repr(kept)


def test_a_secret_in_a_body_is_replaced() -> None:
    body = b'{"type": "a", "verification_token": "s3cr3t-value", "token": 7}'
    found = proposed(caught({}, body))
    assert found.given[0].content == (
        b'{"type": "a", "verification_token": "EXAMPLE-NOT-A-SECRET", "token": 7}'
    )
    assert "verification_token of a body can be a secret: it is replaced" in found.notes


def test_ids_and_types_in_headers_have_their_evidence() -> None:
    one = caught({"X-Acme-Event": "push", "X-Acme-Delivery": "d-1"})
    two = caught({"X-Acme-Event": "pull", "X-Acme-Delivery": "d-2"})
    assert "delivery_id" not in proposed(one).settings
    assert "to prove it, give two requests that differ in it" in said(proposed(one))
    found = proposed(one, two)
    assert found.settings["event_type"] == {"header": "X-Acme-Event"}
    assert found.settings["delivery_id"] == {"header": "X-Acme-Delivery"}
    assert {"X-Acme-Event", "X-Acme-Delivery"} <= set(found.settings["headers"]["keep"])


def of_sentry(*shapes: tuple[str, dict[str, Any]], secret: str = "s") -> list[CapturedRequest]:
    """Requests as docs.sentry.io, "Webhooks", has them: type and id are in headers alone."""
    made = []
    for number, (kind, data) in enumerate(shapes):
        body = json.dumps({"action": "created", "data": data, "actor": {"name": "Ada"}}).encode()
        headers = {
            "Request-ID": f"{number:032x}",
            "Sentry-Hook-Resource": kind,
            "Sentry-Hook-Signature": hmac.digest(secret.encode(), body, "sha256").hex(),
            "Sentry-Hook-Timestamp": str(NOW + number),
        }
        made.append(caught(headers, body))
    return made


SHAPES: list[tuple[str, dict[str, Any]]] = [
    ("issue", {"issue": {"id": "1", "title": "TypeError"}}),
    ("issue", {"issue": {"id": "1", "title": "TypeError", "level": "error"}}),
    ("comment", {"comment": "looking", "timestamp": "2026-11-23T19:30:00Z"}),
]


def test_a_resource_is_a_type_and_an_id_of_the_request_is_one() -> None:
    found = proposed(*of_sentry(*SHAPES), secret="s")
    assert found.settings["event_type"] == {"header": "Sentry-Hook-Resource"}
    assert found.settings["delivery_id"] == {"header": "Request-ID"}
    assert "see that a retry has the same" in said(found)
    assert how(found)["signed"] == "{body}"
    assert "timestamp" not in how(found)  # what is sent beside it is not signed
    assert [one.kind for one in found.given] == ["issue", "issue", "comment"]


@pytest.mark.parametrize(
    ("header", "values", "is_type"),
    [
        ("X-Acme-What", ("down", "down", "up"), True),  # one shape for each value
        ("X-Acme-What", ("down", "up", "down"), False),  # a shape has two values
        ("X-Acme-What", ("a", "b", "c"), False),  # each is another: an id would be as well
        ("User-Agent", ("a", "a", "b"), False),
        ("X-Acme-Token", ("a", "a", "b"), False),
        ("X-Acme-What", ("a b", "a b", "c"), False),
    ],
)
def test_a_header_of_any_name_is_a_type_where_it_parts_the_shapes(
    header: str, values: tuple[str, ...], is_type: bool
) -> None:
    bodies = (b'{"down":1,"at":"x"}', b'{"down":2,"at":"y"}', b'{"up":1}')
    found = proposed(
        *(caught({header: text}, body) for text, body in zip(values, bodies, strict=True))
    )
    assert found.settings.get("event_type") == ({"header": header} if is_type else None)


def test_of_two_headers_the_type_is_the_one_that_tells_more_apart() -> None:
    requests = [caught({"X-Event": "hook", "X-Topic": text}) for text in ("a/b", "a/c")]
    assert proposed(*requests).settings["event_type"] == {"header": "X-Topic"}


def test_an_event_that_was_sent_again_proves_nothing_against_its_id() -> None:
    one, two = (caught({"X-Delivery-Id": f"d-{n}"}, b'{"a":%d}' % n) for n in range(2))
    assert proposed(one, two, one).settings["delivery_id"] == {"header": "X-Delivery-Id"}


def test_what_a_proxy_calls_its_requests_is_no_delivery() -> None:
    one, two = (caught({"X-Request-Id": f"d-{n}"}, b'{"a":%d}' % n) for n in range(2))
    assert "delivery_id" not in proposed(one, two).settings


def test_a_header_is_required_only_where_a_proof_shows_that_it_always_comes() -> None:
    """A 400 keeps nothing of a request; what lacks a proof else lies in quarantine."""
    requests = of_sentry(*SHAPES)
    assert proposed(*requests, secret="s").settings["headers"]["require"] == [
        "Sentry-Hook-Signature"
    ]
    assert "require" not in proposed(*requests).settings["headers"]
    unsigned = caught({"Sentry-Hook-Resource": "issue"})
    assert "require" not in proposed(*requests, unsigned, secret="s").settings["headers"]
    asks = caught({}, b"", method="HEAD")  # a receiver answers 401 by itself
    assert "require" not in proposed(*requests, asks, secret="s").settings["headers"]


def test_a_built_in_senders_scheme_is_the_guess_where_no_secret_is_given() -> None:
    found = proposed(*of_sentry(*SHAPES))
    assert "that of the built-in source sentry" in said(found)
    assert how(found)["signed"] == "{body}"
    assert "a guess" in said(found)


def test_a_challenge_makes_a_handshake_and_a_receiver() -> None:
    asks = caught({}, b'{"type": "url_verification", "challenge": "abc"}')
    found = proposed(asks, caught({}))
    assert found.settings["ingest"] == "receiver"
    assert found.settings["handshake"] == [
        {
            "when": {"body": {"type": "url_verification"}},
            "challenge": {"path": "challenge"},
            "answer": {"json": {"challenge": "$challenge"}},
        }
    ]
    assert len(found.given) == 1


def test_a_question_in_the_query_makes_a_handshake() -> None:
    asks = caught({}, b"", method="GET", query="hub.mode=subscribe&hub.challenge=abc")
    found = proposed(asks, caught({}), caught({}, b"", method="HEAD"))
    assert found.settings["handshake"] == [
        {
            "when": {"method": "GET", "query": {"hub.challenge": True}},
            "challenge": {"query": "hub.challenge"},
            "answer": {"text": "$challenge"},
        },
        {"when": {"method": "HEAD"}},
    ]


def test_a_signature_over_address_and_form() -> None:
    """As Twilio signs: its documentation, "Validating requests"."""
    body = b"To=%2B18005551212&CallSid=CA1234567890ABCDE&Digits=1234"
    url = "https://example.com/myapp.php"
    text = f"{url}CallSidCA1234567890ABCDEDigits1234To+18005551212"
    signed = base64.b64encode(hmac.digest(b"12345", text.encode(), "sha1")).decode()
    listed = (("Content-Type", FORM), ("X-Twilio-Signature", signed))
    request = CapturedRequest("POST", url, "", listed, body, None, "one.http")
    found = proposed(request, secret="12345", keep=True)
    assert "over '{url}{form.sorted}': proved by the captured signature (1 of 1)" in said(found)
    assert found.settings["body"] == {"format": "form"}
    assert found.given[0].beside == {"url": url}


def test_tokens_elsewhere_than_in_a_header() -> None:
    found = proposed(caught({}, query="a=b&token=private"))
    assert how(found) == {"type": "token", "query": "token"}
    assert "private" not in repr((found.settings, found.evidence, found.given))
    assert how(proposed(caught({"Authorization": "Basic dTpw"}))) == {"type": "basic"}


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"x-amz-sns-message-type": "Notification"}, "write type: sns"),
        ({"Authorization": "Bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2ln"}, "see type: jwt"),
        ({}, "none found: neither a signature nor a token is in the headers"),
    ],
)
def test_what_settings_cannot_be_made_of_is_named(headers: dict[str, str], text: str) -> None:
    assert text in said(proposed(caught(headers)))
