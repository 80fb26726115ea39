"""Signatures over more than headers and the body as it is, and signatures within it.

Those that say so were made by the senders' own libraries, with the key `key`; the others by a line
of the sender's documentation, written here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from pipeline.event.outcomes import Reason
from pipeline.event.secrets import only
from pipeline.event.signatures import find_fault
from settings.source.authentication import HmacAuthentication
from settings.source.compiler import body_form_of, signature_of
from settings.source.filling import compiled_as
from settings.source.model import Source
from settings.source.public_key import PublicKeyAuthentication

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog, CompiledSource

NOW = 1_795_464_503
URL = "https://hooks.example.com/"
FORM = {"body": {"format": "form", "lists": []}}
XML = {"body": {"format": "xml"}}


def mac(*signed: str, key: bytes = b"key", algorithm: str = "sha256") -> bytes:
    return hmac.new(key, "".join(signed).encode(), algorithm).digest()


def based(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


@dataclass(frozen=True)
class Case:
    """One request: what the source says of it, and what came; `changed` is what must not fit."""

    authentication: dict[str, Any]
    headers: dict[str, str]
    body: bytes
    changed: bytes
    more: dict[str, Any] = field(default_factory=dict)
    secret: bytes = b"key"


def adyen_item(reference: str, signature: str) -> dict[str, Any]:
    return {
        "NotificationRequestItem": {
            "additionalData": {"hmacSignature": signature},
            "pspReference": "7914073381342284",
            "merchantAccountCode": "Shop",
            "merchantReference": reference,
            "amount": {"value": 1130, "currency": "EUR"},
            "eventCode": "AUTHORISATION",
            "success": "true",
        }
    }


def adyen(*items: dict[str, Any]) -> bytes:
    return json.dumps({"live": "false", "notificationItems": items}).encode()


# Adyen 16.0.0, generate_notification_sig
FIRST = adyen_item("ref-1", "77L2oViH5Bg1lNhLBEN1yfRZQGKk9eeP6XjzR1++Mr8=")
SECOND = adyen_item("ref:2", "kBeiymeD1t7guIhtzn6zKcJmBS57qYCQIIQLDSu75T4=")
SMS = {
    "MessageSid": "SM1",
    "From": "+15550100",
    "Body": "Grüße & 1=1",
    "NumMedia": "0",
    "ToCity": "",
}
CALL = {
    "Digits": "1234",
    "To": "+18005551212",
    "From": "+14158675309",
    "Caller": "+14158675309",
    "CallSid": "CA1234567890ABCDE",
}
TWILIO = {
    "header": "X-Twilio-Signature",
    "algorithm": "sha1",
    "encoding": "base64",
    "signed": "{url}{form.sorted}",
}
MAILGUN = {"signature": {"timestamp": str(NOW), "token": "t1"}, "event-data": {"id": "e1"}}
LEVER = '{"id":"e1","triggeredAt":%d,"token":"t1","signature":"%s"}'
# braintree 4.44.0, webhook_testing.sample_notification
BRAINTREE = urlencode(
    {
        "bt_signature": "another|00&public|d9ce14d62ba36694616e97fb2bb3a7804e70ce10",
        "bt_payload": """\
CiAgICAgICAgICAgIDxub3RpZmljYXRpb24+CiAgICAgICAgICAgICAgICA8dGltZXN0YW1wIHR5
cGU9ImRhdGV0aW1lIj4yMDI2LTExLTI2VDE0OjI2OjMwWjwvdGltZXN0YW1wPgogICAgICAgICAg
ICAgICAgPGtpbmQ+Y2hlY2s8L2tpbmQ+CiAgICAgICAgICAgICAgICAKICAgICAgICAgICAgICAg
IDxzdWJqZWN0PgogICAgICAgICAgICA8Y2hlY2sgdHlwZT0iYm9vbGVhbiI+CiAgICAgICAgICAg
ICAgdHJ1ZQogICAgICAgICAgICA8L2NoZWNrPgogICAgICAgIDwvc3ViamVjdD4KICAgICAgICAg
ICAgPC9ub3RpZmljYXRpb24+CiAgICAgICAg
""",
    }
).encode()


def multipart(event: dict[str, Any]) -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="json"\r\n\r\n%s\r\n--x--\r\n'
    return part % json.dumps({"event": event}).encode()


def dropbox_sign(kind: str = "signature_request_sent") -> bytes:
    # dropbox-sign: EventCallbackHelper.is_valid takes it for signature_request_sent
    hashed = "914268ef98d11bd4855b61c0ca199f7e6c7cac5d317e73bffbc093054da0a245"
    return multipart({"event_time": str(NOW), "event_type": kind, "event_hash": hashed})


def lever(time: int) -> bytes:
    return (LEVER % (time, mac("t1", f"{NOW}001").hex())).encode()


def mailgun(token: str) -> bytes:
    signature = {**MAILGUN["signature"], "token": token}
    signature["signature"] = mac(str(NOW), "t1").hex()
    return json.dumps({**MAILGUN, "signature": signature}).encode()


CASES = {
    # twilio 9.13.0, RequestValidator.compute_signature
    "twilio": Case(
        TWILIO,
        {
            "x-twilio-signature": "gDeZF5RZcZK29H1PIr+fD3RD+Bs=",
            ":url": URL + "twilio",
        },
        urlencode(SMS).encode(),
        urlencode({**SMS, "Body": "no"}).encode(),
        FORM,
    ),
    # The example of www.twilio.com/docs/usage/webhooks/webhooks-security as its libraries test it
    "twilio-documented": Case(
        {**TWILIO, "signed": "{url}?foo=1&bar=2{form.sorted}"},
        {
            "x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            ":url": "https://mycompany.com/myapp.php",
        },
        urlencode(CALL).encode(),
        urlencode({**CALL, "Digits": "1235"}).encode(),
        FORM,
        b"12345",
    ),
    # Its libraries' tests: each value of a field once, in order
    "twilio-repeated": Case(
        {**TWILIO, "signed": "{url}?foo=1&bar=2{form.sorted}"},
        {
            "x-twilio-signature": "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
            ":url": "https://mycompany.com/myapp.php",
        },
        b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
        b"Sid=CA123&SidAccount=AC123&Digits=5678",
        FORM,
        b"12345",
    ),
    # twilio 9.13.0: validate takes it, with the hash in the address
    "twilio-json": Case(
        {**TWILIO, "signed": "{url}?bodySHA256={sha256(body)}"},
        {"x-twilio-signature": "BlPQ/HEcnYGyAFJDDzSVjIjiWaA=", ":url": URL + "twilio"},
        '{"a": "ü"}'.encode(),
        b'{"a": "u"}',
    ),
    # plivo: validate_v3_signature takes it
    "plivo": Case(
        {
            "header": "X-Plivo-Signature-V3",
            "separator": ",",
            "encoding": "base64",
            "signed": "{url}?{form.sorted}.{header.X-Plivo-Signature-V3-Nonce}",
        },
        {
            "x-plivo-signature-v3": "AAAA,FAqFTxn5f7T2oJ+nGmRQA7G3wuR9fPW9Wk+uyJzNUws=",
            "x-plivo-signature-v3-nonce": "n-1",
            ":url": URL + "plivo",
        },
        urlencode({"MessageUUID": "m-1", "From": "15550100", "Text": "größe"}).encode(),
        urlencode({"MessageUUID": "m-2", "From": "15550100", "Text": "größe"}).encode(),
        FORM,
    ),
    # hubspot-api-client: Signature.get_signature, v3
    "hubspot": Case(
        {
            "header": "X-HubSpot-Signature-v3",
            "encoding": "base64",
            "signed": "{method}{url}{body}{timestamp}",
            "timestamp": {"header": "X-HubSpot-Request-Timestamp", "unit": "milliseconds"},
        },
        {
            "x-hubspot-signature-v3": "BIkDy+nwMp48uJM5/4R3EwgCGhbylO+kMHUOKvFdUYY=",
            "x-hubspot-request-timestamp": f"{NOW}000",
            ":method": "POST",
            ":url": URL + "hubspot",
        },
        '[{"eventId":1,"n":"ü"}]'.encode(),
        b'[{"eventId":1,"n":"u"}]',
    ),
    # squareup: verify_signature takes it
    "square": Case(
        {
            "header": "X-Square-HmacSha256-Signature",
            "encoding": "base64",
            "signed": "{url}{body}",
        },
        {
            "x-square-hmacsha256-signature": "/8IdD06YGl4qMSrkIjIKdRAMmICMnaf8a8T1G7d8juA=",
            ":url": URL + "square",
        },
        b'{"event_id":"e1"}',
        b'{"event_id":"e2"}',
    ),
    "adyen": Case(
        {
            "path": "NotificationRequestItem.additionalData.hmacSignature",
            "each": "notificationItems",
            "encoding": "base64",
            "secret": {"encoding": "hex"},
            "signed": ":".join(
                f"{{body.NotificationRequestItem.{name}}}"
                for name in (
                    "pspReference",
                    "originalReference",
                    "merchantAccountCode",
                    "merchantReference",
                    "amount.value",
                    "amount.currency",
                    "eventCode",
                    "success",
                )
            ),
        },
        {},
        adyen(FIRST, SECOND),
        adyen(
            FIRST, {**FIRST, **adyen_item("ref:2", "77L2oViH5Bg1lNhLBEN1yfRZQGKk9eeP6XjzR1++Mr8=")}
        ),
        {"split": {"path": "notificationItems"}},
        b"058bfb6a3d8cfdc4da7c3be5901b16ae11da982b46a25fb2cd7016e97a140a1c",
    ),
    "dropbox-sign": Case(
        {
            "path": "event.event_hash",
            "signed": "{body.event.event_time}{body.event.event_type}",
        },
        {},
        dropbox_sign(),
        dropbox_sign("signature_request_signed"),
        {"body": {"format": "multipart", "unwrap": [{"path": "json"}], "event": "json"}},
    ),
    "braintree": Case(
        {
            "form": "bt_signature",
            "sets": "&",
            "separator": "|",
            "position": 2,
            "algorithm": "sha1",
            "signed": "{form.bt_payload}",
            "secret": {"digest": "sha1"},
        },
        {},
        BRAINTREE,
        BRAINTREE.replace(b"CiAg", b"ciAg", 1),
        FORM,
    ),
    # documentation.mailgun.com, "Securing webhooks"
    "mailgun": Case(
        {
            "path": "signature.signature",
            "signed": "{body.signature.timestamp}{body.signature.token}",
            "timestamp": {"path": "signature.timestamp"},
        },
        {},
        mailgun("t1"),
        mailgun("t2"),
    ),
    # hire.lever.co/developer/documentation#webhooks
    "lever": Case(
        {
            "path": "signature",
            "signed": "{body.token}{body.triggeredAt}",
            "timestamp": {"path": "triggeredAt", "unit": "milliseconds"},
        },
        {},
        lever(NOW * 1000 + 1),
        lever(NOW * 1000 + 2),
    ),
    # developers.pandadoc.com/docs/webhook-verification
    "pandadoc": Case(
        {"query": "signature"},
        {":query.signature": mac('[{"event":"e"}]').hex()},
        b'[{"event":"e"}]',
        b'[{"event":"f"}]',
    ),
    # developer.atlassian.com/cloud/trello/guides/rest-api/webhooks
    "trello": Case(
        {
            "header": "X-Trello-Webhook",
            "algorithm": "sha1",
            "encoding": "base64",
            "signed": "{body}{url}",
        },
        {
            "x-trello-webhook": based(mac('{"a":1}', URL, "trello", algorithm="sha1")),
            ":url": URL + "trello",
        },
        b'{"a":1}',
        b'{"a":2}',
    ),
    # mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks
    "mandrill": Case(
        {**TWILIO, "header": "X-Mandrill-Signature"},
        {
            "x-mandrill-signature": based(
                mac(URL, "mandrill", "mandrill_events", '[{"_id":"ü"}]', algorithm="sha1")
            ),
            ":url": URL + "mandrill",
        },
        urlencode({"mandrill_events": '[{"_id":"ü"}]'}).encode(),
        urlencode({"mandrill_events": '[{"_id":"u"}]'}).encode(),
        {"body": {"format": "form", "unwrap": [{"path": "mandrill_events"}]}},
    ),
    # developer.detectify.com: method, path, time and body
    "detectify": Case(
        {
            "header": "Detectify-Signature",
            "encoding": "base64",
            "signed": "{method};{path};{timestamp};{body}",
            "timestamp": {"header": "Detectify-Timestamp"},
        },
        {
            "detectify-signature": based(mac("POST;/v1/detectify;", str(NOW), ';{"a":1}')),
            "detectify-timestamp": str(NOW),
            ":method": "POST",
            ":url": "https://hooks.example.com/v1/detectify",
        },
        b'{"a":1}',
        b'{"a":2}',
    ),
    "query": Case(
        {"header": "X-Sig", "signed": "{query.t.1}:{body}"},
        {"x-sig": mac("a b:{}").hex(), ":query.t.1": "a b"},
        b"{}",
        b"{ }",
    ),
    "digests": Case(
        {"header": "X-Sig", "signed": "{crc32(body)}|{sha1(body)}|{md5(body)}"},
        {
            "x-sig": mac(
                f"{zlib.crc32(b'{}')}|{hashlib.sha1(b'{}').hexdigest()}"
                f"|{hashlib.md5(b'{}').hexdigest()}"
            ).hex()
        },
        b"{}",
        b"{ }",
    ),
    # docs.withpersona.com/docs/webhooks-best-practices: two sets while a secret rotates
    "persona": Case(
        {
            "header": "Persona-Signature",
            "prefix": "v1=",
            "separator": ",",
            "sets": " ",
            "signed": "{timestamp}.{body}",
            "timestamp": {"header": "Persona-Signature", "prefix": "t="},
        },
        {
            "persona-signature": f"t={NOW - 9},v1={mac(f'{NOW - 9}.', '{}', key=b'new').hex()} "
            f"t={NOW},v1={mac(f'{NOW}.', '{}').hex()}"
        },
        b"{}",
        b"{ }",
    ),
}


@pytest.fixture
def signing(catalog: Catalog) -> dict[str, CompiledSource]:
    return {name: source_of(catalog, case) for name, case in CASES.items()}


def settings_of(case: Case) -> Source:
    named = [name for name in case.headers if not name.startswith(":")]
    document = {
        "version": 1,
        "title": "t",
        "authentication": {"type": "hmac", **case.authentication},
        "headers": {"keep": named},
        **case.more,
    }
    return Source.model_validate(document)


def source_of(catalog: Catalog, case: Case) -> CompiledSource:
    settings = settings_of(case)
    signature = signature_of(settings.authentication)
    form = body_form_of(settings)
    return replace(catalog.sources["github"], signature=signature, form_field=None, body_form=form)


def fault(
    source: CompiledSource,
    headers: dict[str, str],
    body: bytes,
    secret: bytes = b"key",
    now: int = NOW,
) -> tuple[Reason, str] | None:
    return find_fault(source, only(secret), headers, body, now * 1000)


@pytest.mark.parametrize("name", CASES)
def test_a_request_is_taken_as_its_sender_made_it(
    signing: dict[str, CompiledSource], name: str
) -> None:
    case = CASES[name]
    assert fault(signing[name], case.headers, case.body, case.secret) is None


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_with_another_secret_or_content(
    signing: dict[str, CompiledSource], name: str
) -> None:
    case, source = CASES[name], signing[name]
    wrong = bytes(reversed(case.secret))
    for found in (
        fault(source, case.headers, case.body, wrong),
        fault(source, case.headers, case.changed, case.secret),
        fault(source, {}, case.body, case.secret) if case.headers else fault(source, {}, b"{}"),
        fault(source, case.headers, b"", case.secret),
    ):
        assert found is not None
        assert found[0] is Reason.BAD_SIGNATURE
    for beside in case.headers:
        if beside.startswith(":"):
            other = {**case.headers, beside: case.headers[beside] + "x"}
            assert fault(source, other, case.body, case.secret) is not None


@pytest.mark.parametrize("name", CASES)
def test_what_travels_beside_the_headers_is_what_it_needs(name: str) -> None:
    case = CASES[name]
    beside = {one for one in case.headers if one.startswith(":")}
    assert set(settings_of(case).pseudo_headers) == beside


def test_an_old_time_in_the_body_is_stale(signing: dict[str, CompiledSource]) -> None:
    for name in ("mailgun", "lever", "persona", "hubspot"):
        case = CASES[name]
        found = fault(signing[name], case.headers, case.body, now=NOW + 400)
        assert found is not None
        assert found[0] is Reason.STALE_SIGNATURE


def test_a_set_with_a_good_time_and_a_wrong_secret_saves_no_old_one(
    signing: dict[str, CompiledSource],
) -> None:
    old = f"t={NOW - 900},v1={mac(f'{NOW - 900}.', '{}').hex()}"
    forged = f"t={NOW},v1={mac(f'{NOW}.', '{}', key=b'other').hex()}"
    mixed = f"t={NOW},v1={mac(f'{NOW - 900}.', '{}').hex()}"
    for value in (f"{forged} {old}", f"{old} {forged}", old):
        found = fault(signing["persona"], {"persona-signature": value}, b"{}")
        assert found is not None
        assert found[0] is Reason.STALE_SIGNATURE
    assert fault(signing["persona"], {"persona-signature": f"{mixed} {mixed}"}, b"{}") is not None


def test_each_element_of_a_list_has_to_be_signed(signing: dict[str, CompiledSource]) -> None:
    adyen_source, secret = signing["adyen"], CASES["adyen"].secret
    unsigned = adyen_item("ref-1", "")
    for body in (
        adyen(FIRST, unsigned),
        adyen(unsigned, FIRST),
        adyen(),
        b'{"notificationItems": {}}',
        b'{"live": "false"}',
        b"[1",
        json.dumps({"notificationItems": ["text"]}).encode(),
    ):
        found = fault(adyen_source, {}, body, secret)
        assert found is not None
        assert found[0] is Reason.BAD_SIGNATURE
    dense = b'{"notificationItems": [' + b"1," * 3_000_000 + b"1]}"
    began = time.process_time()
    assert fault(adyen_source, {}, dense, secret) is not None
    assert time.process_time() - began < 2
    many = fault(replace(adyen_source, split_most=1), {}, adyen(FIRST, SECOND), secret)
    assert many is not None
    assert "more than 1" in many[1]


@pytest.mark.parametrize("split", [None, {"path": "others"}])
def test_no_element_is_an_event_that_is_not_signed(split: dict[str, str] | None) -> None:
    with pytest.raises(ValidationError, match="what is signed each is an event each"):
        settings_of(replace(CASES["adyen"], more={"split": split}))


def test_a_number_is_signed_as_it_is_written(catalog: Catalog) -> None:
    case = Case({"path": "s", "signed": "{body.n}"}, {}, b"", b"")
    source = source_of(catalog, case)
    for number in ("1.50", "1e2", "12345678901234567890123"):
        body = f'{{"n": {number}, "s": "{mac(number).hex()}"}}'.encode()
        assert fault(source, {}, body) is None


def test_a_signed_field_that_comes_twice_is_refused(signing: dict[str, CompiledSource]) -> None:
    found = fault(signing["braintree"], {}, BRAINTREE + b"&bt_payload=CiAg")
    assert found == (Reason.BAD_SIGNATURE, "form: field 'bt_payload' comes twice")


def test_what_travels_beside_cannot_be_brought_as_a_part(catalog: Catalog) -> None:
    """A part is made of the body, whatever is under its name beside the headers."""
    case = Case({"path": "s", "signed": "{body.n}"}, {}, b"", b"")
    source = source_of(catalog, case)
    headers = {":body.s": mac("1").hex(), ":body.n": "1"}
    assert fault(source, headers, b'{"n": 2, "s": "00"}') is not None


def test_a_public_key_verifies_the_same_parts(catalog: Catalog) -> None:
    """As Travis CI signs a form's field (docs.travis-ci.com, "Verifying webhook requests")."""
    key = Ed25519PrivateKey.generate()
    settings = PublicKeyAuthentication.model_validate(
        {
            "type": "public_key",
            "header": "Signature",
            "encoding": "base64",
            "algorithm": "ed25519",
            "signed": "{form.payload}{url}{sha256(body)}",
        }
    )
    proof = compiled_as(settings.compiled_kind, settings)
    read_as_form = Case({"header": "A"}, {"A": ""}, b"", b"", FORM)
    source = replace(source_of(catalog, read_as_form), signature=None, proof_of_body=proof)
    body = urlencode({"payload": '{"a": "ü"}'}).encode()
    signed = f'{{"a": "ü"}}{URL}travis{hashlib.sha256(body).hexdigest()}'.encode()
    headers = {"signature": based(key.sign(signed)), ":url": f"{URL}travis"}
    public = key.public_key().public_bytes_raw().hex().encode()
    assert fault(source, headers, body, public) is None
    for other in (body + b"&a=1", body + b"&payload=1", b"payload=1", b"payload=%ff", b""):
        found = fault(source, headers, other, public)
        assert found is not None
        assert found[0] is Reason.BAD_SIGNATURE
    assert settings.pseudo_headers == (":url",)


def test_five_sets_count_and_a_forger_has_no_more_hashed(catalog: Catalog) -> None:
    case = Case(
        {
            "header": "A",
            "prefix": "v=",
            "separator": ",",
            "sets": " ",
            "signed": "{timestamp}.{body}",
            "timestamp": {"header": "A", "prefix": "t="},
        },
        {"A": ""},
        b"",
        b"",
    )
    source = source_of(catalog, case)
    right, wrong = f"t={NOW},v={mac(f'{NOW}.', 'b').hex()}", f"t={NOW},v={'0' * 64}"
    assert fault(source, {"a": " ".join([wrong] * 4 + [right])}, b"b") is None
    assert fault(source, {"a": " ".join([wrong] * 5 + [right])}, b"b") is not None


def test_a_signed_field_is_one_of_the_form_that_is_the_event(catalog: Catalog) -> None:
    """JSON can hold what reads as the field of a form: who has its signature sends any JSON."""
    case = Case({"header": "A", "signed": "{form.payload}"}, {"A": ""}, b"", b"", FORM)
    body = b'{"evil": 1, "x": "=1&payload=%7B%7D&y="}'
    headers = {"a": mac("{}").hex()}
    source = source_of(catalog, case)
    assert fault(source, headers, b"payload=%7B%7D") is None
    for form in (None, body_form_of(settings_of(Case({"header": "A"}, {"A": ""}, b"", b"", XML)))):
        assert fault(replace(source, body_form=form), headers, body) is not None
    either = {
        "form_field": "payload",
        "content_types": ["application/json", "application/x-www-form-urlencoded"],
    }
    for more in ({}, {"body": {"format": "xml"}}, either):
        with pytest.raises(ValidationError, match=r"body\.format: is form or multipart"):
            settings_of(replace(case, headers={"A": "", "Content-Type": ""}, more=more))


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({}, "give one of"),
        ({"header": "A", "query": "b"}, "give one of"),
        ({"header": "A", "signed": "{url}"}, "must contain {body}"),
        ({"header": "A", "signed": "{path}"}, "must contain {body}"),
        (
            {"header": "A", "signed": "{body.id}", "timestamp": {"path": "at"}},
            "is not signed; sign {body.at}",
        ),
        (
            {"path": "s", "each": "e", "signed": "{body.at}", "timestamp": {"path": "at"}},
            "is beside the elements",
        ),
        ({"header": "A", "signed": "{body}{body}"}, "must contain {body}"),
        ({"header": "A", "signed": "{body}{host}"}, "{host} is unknown"),
        ({"header": "A", "signed": "{sha3(body)}"}, "{sha3(body)} is unknown"),
        ({"header": "A", "signed": "{body}{query.a b}"}, "{query.a b} is unknown"),
        ({"header": "A", "key": "{secret}{url}"}, "{url} is unknown"),
        ({"query": "a", "signed": "{body}{query.a}"}, "cannot be over itself"),
        ({"path": "a", "signed": "{body.a}"}, "cannot be over itself"),
        ({"query": "a", "further_headers": ["B"]}, "are beside a header"),
        ({"header": "A", "each": "items", "signed": "{body.a}"}, "in an element"),
        ({"header": "A", "sets": " "}, "another text than"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError) as caught:
        HmacAuthentication.model_validate({"type": "hmac", **settings})
    assert wrong in str(caught.value)


def test_a_plain_signature_is_compiled_as_before() -> None:
    plain = HmacAuthentication.model_validate({"type": "hmac", "header": "X-Sig"})
    compiled = signature_of(plain)
    assert compiled is not None
    assert (compiled.header, compiled.detailed, plain.pseudo_headers) == ("x-sig", False, ())
