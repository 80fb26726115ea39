"""Samples that a sender's own library signed: taken as they were sent, and not when spoilt."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from stripe import WebhookSignature

from pipeline.event.outcomes import Reason
from settings.source.loader import SourceError, load_source
from toolbox.sources.checking import check_sources
from toolbox.sources.samples import load_samples
from toolbox.sources.verification import unverified, verification_of
from toolbox.traffic.requests import make_requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolbox.sources.checking import CheckedSample

SECRET = "whsec_the-test-secret"
BODY = b'{"id": "evt_1", "type": "charge.failed", "name": "\xc3\xbc"}\n'
AT = datetime(2026, 11, 24, 19, 28, 20, tzinfo=UTC)
SCHEME: dict[str, Any] = {
    "type": "hmac",
    "header": "Stripe-Signature",
    "prefix": "v1=",
    "separator": ",",
    "signed": "{timestamp}.{body}",
    "timestamp": {"header": "Stripe-Signature", "prefix": "t="},
}
SETTINGS: dict[str, Any] = {
    "version": 1,
    "title": "A sender",
    "authentication": SCHEME,
    "headers": {"keep": ["Stripe-Signature"]},
    "event_type": {"path": "type"},
    "delivery_id": {"path": "id"},
}


def as_sent(**changes: Any) -> dict[str, Any]:
    value = WebhookSignature.generate_signature_header(
        BODY.decode(), SECRET, timestamp=int(AT.timestamp())
    )
    return {
        "signed_by": "library stripe 16.1.0",
        "at": "2026-11-24T19:28:20Z",
        "secrets": [SECRET],
        "headers": [["content-type", "application/json"], ["STRIPE-signature", value]],
        **changes,
    }


def sample(sent: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "description": "signed by the sender's library",
        "body_base64": base64.b64encode(BODY).decode(),
        "as_sent": as_sent() if sent is None else sent,
        "expect": {"outcome": "delivered"},
        **changes,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sender" / "samples").mkdir(parents=True)
    return tmp_path / "sender"


@pytest.fixture
def check(folder: Path) -> Callable[..., CheckedSample]:
    def run(one: dict[str, Any], **settings: Any) -> CheckedSample:
        (folder / "source.yaml").write_text(yaml.safe_dump(SETTINGS | settings))
        (folder / "samples" / "sent.yaml").write_text(yaml.safe_dump(one))
        (checked,) = check_sources({"sender": load_source(folder)})
        return checked

    return run


def test_what_the_library_signed_is_taken_at_its_time_with_its_secret(
    check: Any, folder: Path
) -> None:
    assert check(sample()).fits
    source = load_source(folder)
    assert (verification_of(source), unverified(source)) == ("verified", [])


def test_a_source_that_only_we_sign_for_is_unverified(check: Any, folder: Path) -> None:
    ours = sample()
    del ours["as_sent"]
    assert check(ours).fits
    source = load_source(folder)
    assert verification_of(source) == "unverified"
    assert [one.key for one in unverified(source)] == ["authentication"]
    refused = sample(
        as_sent(secrets=["x"]), expect={"outcome": "rejected", "reason": "bad_signature"}
    )
    assert check(refused).fits
    assert verification_of(source) == "unverified"
    check(sample(), authentication={"type": "token"}, headers={})
    assert verification_of(load_source(folder)) == "unsigned"


def test_what_its_own_author_signed_does_not_verify_a_source(check: Any, folder: Path) -> None:
    assert check(sample(as_sent(signed_by="ourselves"))).fits
    assert verification_of(load_source(folder)) == "unverified"


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"secrets": ["whsec_another"]}, "bad_signature"),
        ({"at": "2026-11-24T19:35:20Z"}, "stale_signature"),
        ({"headers": [["Content-Type", "application/json"]]}, "bad_signature"),
    ],
)
def test_what_does_not_fit_is_a_mismatch(check: Any, sent: dict[str, Any], reason: str) -> None:
    assert check(sample(as_sent(**sent))).actual == reason


@pytest.mark.parametrize(
    "change",
    [{"algorithm": "sha1"}, {"signed": "{timestamp}{body}"}, {"prefix": "v0="}],
)
def test_a_wrong_scheme_no_longer_fits(check: Any, change: dict[str, Any]) -> None:
    checked = check(sample(), authentication=SCHEME | change)
    assert (checked.fits, checked.actual) == (False, "bad_signature")


def test_what_lets_anything_in_is_a_fault(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.event.signatures.find_fault", lambda *_: None)
    faults = check(sample()).faults
    size = len(BODY)
    assert [fault.partition(" it is not turned away")[0] for fault in faults] == [
        "with a wrong secret",
        *(f"with a bit of byte {n} of the body changed" for n in (0, size // 2, size - 1)),
    ]


def test_a_refusal_for_another_reason_proves_nothing(
    check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = (Reason.STALE_SIGNATURE, "too old")
    answers = iter([None, fault, fault, fault, fault])
    monkeypatch.setattr("pipeline.event.signatures.find_fault", lambda *_: next(answers))
    assert len(check(sample()).faults) == 4


def test_a_token_is_checked_with_a_wrong_one(check: Any) -> None:
    headers = [["Content-Type", "application/json"], ["X-Token", "the-token"]]
    sent = as_sent(secrets=["the-token"], headers=headers, signed_by="capture of a test")
    token = {"type": "token", "header": "X-Token"}
    assert check(sample(sent), authentication=token, headers={}).fits


def test_whoever_plays_the_sender_signs_anew(check: Any, folder: Path) -> None:
    check(sample())
    (made,) = make_requests(load_source(folder), [], secret="our-own")
    signatures = [n for n in made.request.headers if n.lower() == "stripe-signature"]
    assert signatures == ["Stripe-Signature"]
    assert made.request.headers["content-type"] == "application/json"


def test_the_request_keeps_order_and_spelling(check: Any, folder: Path) -> None:
    headers = [["b", "1"], ["A", "2"], ["B", "3"]]
    check(sample(as_sent(headers=headers), query="x=%20", url="https://hooks.example.com/s"))
    (loaded,) = load_samples(load_source(folder))
    request = loaded.as_sent()
    assert list(request.headers.items()) == [("B", "3"), ("A", "2")]
    assert (request.query, request.url) == ("x=%20", "https://hooks.example.com/s")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sign": "current"}, "sign: is not given beside 'as_sent'"),
        ({"headers": {"A": "b"}}, "headers: is not given beside 'as_sent'"),
        ({"as_sent": as_sent(signed_by="me")}, "as_sent.signed_by: expected text that matches"),
        ({"as_sent": as_sent(secrets=[])}, "as_sent.secrets: is missing"),
        ({"as_sent": as_sent(at="2026-11-24 19:28")}, "as_sent.at: expected a time with an offset"),
        ({"as_sent": as_sent(at="soon")}, "as_sent.at: expected a time, such as"),
        ({"as_sent": as_sent(headers=[["A b", "c"]])}, "as_sent.headers.0.0: expected text that"),
        ({"as_sent": as_sent(headers=[["A", "b\nC: d"]])}, "as_sent.headers.0.1: expected text"),
        ({"as_sent": as_sent(fetched={"http://a/": "f"})}, "'http://a/' is no https:// address"),
        ({"as_sent": as_sent(fetched={"https://a/": "../../f"})}, "as_sent.fetched: ../../f"),
        ({"as_sent": as_sent(fetched={"https://a/": "none.pem"})}, "as_sent.fetched: none.pem"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(check: Any, change: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError) as raised:
        check(sample(**change))
    assert said in str(raised.value)
