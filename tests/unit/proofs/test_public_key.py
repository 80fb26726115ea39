"""Signatures by public keys: vectors and libraries of others against the pipeline.

What others signed is in `tests/support/proof_vectors.json`, with who did.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pipeline.event import encodings
from pipeline.event.outcomes import Reason
from pipeline.event.proofs.keys import keys_of
from pipeline.event.secrets import SecretUnavailableError, only
from settings.source.loader import SourceError
from tests.support.proving import Proving, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.secrets import SecretsOf

VECTORS = json.loads((Path(__file__).parents[2] / "support" / "proof_vectors.json").read_text())
TIMED = {"timestamp": {"header": "X-Time"}}
SCHEMES: dict[str, dict[str, Any]] = {
    "sendgrid": {
        "algorithm": "ecdsa-p256-sha256",
        "header": "X-Twilio-Email-Event-Webhook-Signature",
        "encoding": "base64",
        "signed": "{timestamp}{body}",
        "timestamp": {"header": "X-Twilio-Email-Event-Webhook-Timestamp"},
    },
    "discord": {
        "algorithm": "ed25519",
        "header": "X-Signature-Ed25519",
        "signed": "{timestamp}{body}",
        "timestamp": {"header": "X-Signature-Timestamp"},
    },
    "telnyx": {
        "algorithm": "ed25519",
        "header": "telnyx-signature-ed25519",
        "encoding": "base64",
        "signed": "{timestamp}|{body}",
        "timestamp": {"header": "telnyx-timestamp"},
    },
    "wise": {"algorithm": "rsa-sha256", "header": "X-Signature-SHA256", "encoding": "base64"},
    "travis": {"algorithm": "rsa-sha1", "header": "Signature", "encoding": "base64"},
    "rfc8037": {"algorithm": "ed25519", "header": "X-Sig", "encoding": "base64url"},
    "pinned": {
        "algorithm": "rsa-sha256",
        "header": "X-Signature-SHA256",
        "encoding": "base64",
        "keys": [VECTORS["wise"]["key"]],
    },
    "named": {
        "algorithm": "rsa-sha256",
        "header": "X-Sig",
        "encoding": "base64",
        "certificate": {
            "header": "X-Cert-Url",
            "addresses": ["https://api.pay.example.com/v1/certs/CERT-*"],
        },
    },
    "set": {
        "algorithm": "ed25519",
        "header": "X-Sig",
        "encoding": "base64",
        "keys_url": "https://keys.example.com/.well-known/jwks.json",
    },
}


def settings_of(scheme: dict[str, Any], **more: Any) -> dict[str, Any]:
    when = scheme.get("timestamp", {}).get("header")
    by_address = scheme.get("certificate", {}).get("header")
    keep = [scheme["header"], *filter(None, (when, by_address))]
    split = {"split": {"path": "."}} if scheme is SCHEMES["sendgrid"] else {}
    authentication = {"type": "public_key", **scheme}
    return {"authentication": authentication, "headers": {"keep": keep}} | split | more


#: Of a form's field, and of digests of the body: Travis CI, PayPal, fal.ai.
PARTS: dict[str, dict[str, Any]] = {
    "travis-form": {
        **settings_of(SCHEMES["travis"] | {"signed": "{form.payload}"}),
        "content_types": ["application/x-www-form-urlencoded"],
        "body": {"format": "form", "unwrap": [{"path": "payload"}], "event": "payload"},
    },
    "paypal": settings_of(
        {
            "algorithm": "rsa-sha256",
            "header": "X-Sig",
            "encoding": "base64",
            "signed": "{header.X-Id}|{header.X-When}|WEBHOOK-1|{crc32(body)}",
        },
        headers={"keep": ["X-Sig", "X-Id", "X-When"]},
    ),
    "fal": settings_of(
        {
            "algorithm": "ed25519",
            "header": "X-Sig",
            "signed": "{header.X-Id}\n{timestamp}\n{sha256(body)}",
            "timestamp": {"header": "X-Time"},
        },
        headers={"keep": ["X-Sig", "X-Id", "X-Time"]},
    ),
}


@pytest.fixture(scope="module")
def proving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proving]:
    direct = {name: settings_of(scheme) for name, scheme in SCHEMES.items()}
    behind = settings_of(SCHEMES["wise"], ingest="receiver")
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("proving")
        yield Proving(folder, stack, {**direct, **PARTS, "wise-at-the-door": behind})


def vector(name: str) -> tuple[str, dict[str, str], bytes, float]:
    """Key, headers, body and time of a request that somebody else signed."""
    found, scheme = VECTORS[name], SCHEMES[name]
    headers = {scheme["header"]: found["signature"]}
    if "timestamp" in scheme:
        headers[scheme["timestamp"]["header"]] = found["time"]
    at = float(found.get("time", 1_700_000_000))
    return found["key"], headers, found["body"].encode(), at


OF_OTHERS = ["discord", "sendgrid", "telnyx", "wise", "travis", "rfc8037"]


@pytest.mark.parametrize("name", OF_OTHERS)
def test_what_others_signed_fits_and_nothing_that_was_changed(proving: Proving, name: str) -> None:
    key, headers, body, at = vector(name)
    keys = only(*key.encode().splitlines())
    assert proving.fault(name, keys, headers, body, at) is None
    assert proving.fault(name, keys, headers, body + b" ", at) is Reason.BAD_SIGNATURE
    flipped = bytes([body[0] ^ 1]) + body[1:]
    assert proving.fault(name, keys, headers, flipped, at) is Reason.BAD_SIGNATURE
    header = SCHEMES[name]["header"]
    encoding = SCHEMES[name].get("encoding", "hex")
    raw = bytearray(encodings.read(headers[header], encoding))
    raw[-1] ^= 1
    for text in (encodings.write(bytes(raw), encoding), "", "AAAA", "A" * 5_000, "\u00e9" * 64):
        changed = {**headers, header: text}
        assert proving.fault(name, keys, changed, body, at) is Reason.BAD_SIGNATURE
    if "timestamp" in SCHEMES[name]:
        assert proving.fault(name, keys, headers, body, at + 301) is Reason.STALE_SIGNATURE
        late = {**headers, SCHEMES[name]["timestamp"]["header"]: str(int(at) + 1)}
        assert proving.fault(name, keys, late, body, at) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("name", OF_OTHERS)
def test_another_key_of_the_same_kind_lets_nobody_in(proving: Proving, name: str) -> None:
    _, headers, body, at = vector(name)
    other = only(_der(_another(SCHEMES[name]["algorithm"])))
    assert proving.fault(name, other, headers, body, at) is Reason.BAD_SIGNATURE


def _another(algorithm: str) -> Any:
    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.generate().public_key()
    if algorithm.startswith("ecdsa"):
        return ec.generate_private_key(ec.SECP256R1()).public_key()
    return rsa.generate_private_key(65_537, 2_048).public_key()


def _der(key: Any) -> bytes:
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der)


def test_a_request_goes_the_whole_way(proving: Proving) -> None:
    key, headers, body, at = vector("discord")
    assert proving.whole("discord", (key,), headers, body, at)[0] == "delivered"
    assert proving.whole("discord", (key,), headers, body + b" ", at)[0] == "bad_signature"


def test_a_fields_text_is_signed_and_no_other(proving: Proving) -> None:
    key, headers, payload, at = vector("travis")
    form = "application/x-www-form-urlencoded"
    body, keys = urlencode({"payload": payload}).encode(), tuple(key.splitlines())
    headers = {**headers, "Content-Type": form}
    assert proving.whole("travis-form", keys, headers, body, at)[0] == "delivered"
    for other in (body.replace(b"Passed", b"Failed"), body + b"&" + body, b"", b"payload="):
        assert proving.whole("travis-form", keys, headers, other, at)[0] == "bad_signature"


def test_digests_of_the_body_are_signed(proving: Proving) -> None:
    own, body = _signers(), '{"id":"WH-1","text":"Größe"}'.encode()
    text = f"i-1|2026-11-26T00:00:00Z|WEBHOOK-1|{zlib.crc32(body)}".encode()
    signature = base64.b64encode(own["rsa"].sign(text, padding.PKCS1v15(), hashes.SHA256()))
    headers = {"X-Sig": signature.decode(), "X-Id": "i-1", "X-When": "2026-11-26T00:00:00Z"}
    keys = only(_der(own["rsa"].public_key()))
    assert proving.fault("paypal", keys, headers, body) is None
    assert proving.fault("paypal", keys, {**headers, "X-Id": "i-2"}, body) is Reason.BAD_SIGNATURE
    assert proving.fault("paypal", keys, headers, body + b" ") is Reason.BAD_SIGNATURE
    digest = hashlib.sha256(body).hexdigest()
    headers = {"X-Sig": own["ed"].sign(f"i-1\n1700000000\n{digest}".encode()).hex()}
    headers |= {"X-Id": "i-1", "X-Time": "1700000000"}
    keys, at = only(_der(own["ed"].public_key())), 1_700_000_000
    assert proving.fault("fal", keys, headers, body, at) is None
    assert proving.fault("fal", keys, headers, body + b" ", at) is Reason.BAD_SIGNATURE
    assert proving.fault("fal", keys, headers, body, at + 301) is Reason.STALE_SIGNATURE


def _signers() -> dict[str, Any]:
    return {
        "rsa": rsa.generate_private_key(public_exponent=65_537, key_size=2_048),
        "ed": ed25519.Ed25519PrivateKey.generate(),
    }


def test_the_receiver_turns_a_forgery_away(proving: Proving) -> None:
    key, headers, body, at = vector("wise")
    secrets = tuple(key.splitlines())
    assert proving.whole("wise-at-the-door", secrets, headers, body, at)[0] == "delivered"
    forged = body.replace(b"111", b"112")
    assert proving.whole("wise-at-the-door", secrets, headers, forged, at)[0] == "401"


def test_a_key_in_the_settings_needs_no_parameter(proving: Proving) -> None:
    _, headers, body, at = vector("wise")
    assert proving.fault("pinned", only(), headers, body, at) is None
    assert proving.loaded["pinned"].settings.parameter == ""
    assert proving.fault("pinned", only(), headers, b"{}", at) is Reason.BAD_SIGNATURE


WISE, TELNYX = VECTORS["wise"], VECTORS["telnyx"]


@pytest.mark.parametrize(
    ("algorithm", "lines"),
    [
        ("rsa-sha256", WISE["key"].splitlines()),
        ("rsa-sha256", WISE["pkcs1"].splitlines()),
        ("rsa-sha256", [WISE["key"].replace("\n", "")]),
        ("rsa-sha256", [WISE["key"].replace("\n", "\\n")]),
        ("rsa-sha256", ["".join(WISE["key"].splitlines()[1:-1])]),
        ("rsa-sha256", VECTORS["certificate"]["pem"].splitlines()),
        ("ed25519", [TELNYX["key"]]),
        ("ed25519", [base64.b64decode(TELNYX["key"]).hex()]),
        ("ed25519", [base64.b64decode(TELNYX["key"]).hex().upper()]),
        ("ecdsa-p256-sha256", [VECTORS["sendgrid"]["key"]]),
        ("ecdsa-p256-sha256", [base64.b64decode(VECTORS["sendgrid"]["key"]).hex()]),
        ("ecdsa-p256-sha256", [base64.b64decode(VECTORS["sendgrid"]["key"])[-65:].hex()]),
    ],
)
def test_a_key_is_read_in_the_forms_that_senders_show(algorithm: str, lines: list[str]) -> None:
    (key,) = keys_of([line.encode() for line in lines], algorithm)
    known = {
        "rsa-sha256": keys_of([WISE["key"].encode()], "rsa-sha256"),
        "ed25519": keys_of([TELNYX["key"].encode()], "ed25519"),
        "ecdsa-p256-sha256": keys_of([VECTORS["sendgrid"]["key"].encode()], "ecdsa"),
    }
    assert key == known[algorithm][0]


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("ed25519", WISE["key"]),
        ("rsa-sha256", TELNYX["key"]),
        ("ecdsa-p256-sha256", WISE["key"]),
        ("ed25519", VECTORS["sendgrid"]["key"]),
        ("rsa-sha256", "a secret that is no key"),
        ("rsa-sha256", ""),
        ("ed25519", "00" * 31),
        ("rsa-sha256", "A" * 100_000),
        ("rsa-sha256", WISE["key"][:200]),
        ("rsa-sha256", "-----BEGIN PRIVATE KEY-----AAAA-----END PRIVATE KEY-----"),
        ("rsa-sha256", _der(rsa.generate_private_key(65_537, 1_024).public_key()).decode()),
        ("ecdsa-p256-sha256", _der(ec.generate_private_key(ec.SECP384R1()).public_key()).decode()),
    ],
)
def test_what_is_no_key_of_the_algorithm_is_the_sources_fault(
    proving: Proving, algorithm: str, value: str
) -> None:
    with pytest.raises(SecretUnavailableError):
        keys_of([value.encode()], algorithm)
    name = {"ed25519": "telnyx", "rsa-sha256": "wise", "ecdsa-p256-sha256": "sendgrid"}[algorithm]
    _, headers, body, at = vector(name)
    with pytest.raises(SecretUnavailableError, match=f"^source {name}: "):
        proving.fault(name, only(value.encode()), headers, body, at)


def test_key_objects_are_made_once_for_each_value(
    proving: Proving, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.event.proofs import keys

    key, headers, body, at = vector("wise")
    secrets_of = only(key.encode())
    made: list[object] = []
    real = keys.keys_of

    def counted(*given: Any) -> Any:
        made.append(given)
        return real(*given)

    monkeypatch.setattr(keys, "keys_of", counted)
    for _ in range(3):
        assert proving.fault("wise", secrets_of, headers, body, at) is None
    assert len(made) == 1


class Addresses:
    """What is at addresses, and which were asked for."""

    def __init__(self, **found: str) -> None:
        self.found = {f"https://{name}": text for name, text in found.items()}
        self.asked: list[str] = []

    def __call__(self, _source: object, address: str = "", /) -> list[tuple[bytes, ...]]:
        self.asked.append(address)
        text = self.found.get(address)
        return [() if text is None else (text.encode(),)]


CERTIFICATE = "https://api.pay.example.com/v1/certs/CERT-360caa42-fca2a594"
IN_TIME = 1_800_000_000.0


def test_a_certificate_comes_from_a_pinned_address(proving: Proving) -> None:
    at = Addresses(**{CERTIFICATE.removeprefix("https://"): VECTORS["certificate"]["pem"]})
    headers = {"X-Sig": WISE["signature"], "X-Cert-Url": CERTIFICATE}
    body = WISE["body"].encode()
    assert proving.fault("named", at, headers, body, IN_TIME) is None
    assert proving.fault("named", at, headers, b"{}", IN_TIME) is Reason.BAD_SIGNATURE
    for outside in (1_700_000_000, 2_200_000_000):
        assert proving.fault("named", at, headers, body, outside) is Reason.BAD_SIGNATURE
    missing = {**headers, "X-Cert-Url": f"{CERTIFICATE}-gone"}
    assert proving.fault("named", at, missing, body, IN_TIME) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "address",
    [
        "",
        CERTIFICATE.replace("https:", "http:"),
        CERTIFICATE.replace("https:", "HTTPS:"),
        CERTIFICATE.replace("pay.example.com", "pay.example.com.evil.example"),
        CERTIFICATE.replace("api.pay", "evil.example/api.pay"),
        CERTIFICATE.replace("api.pay", "user@api.pay"),
        CERTIFICATE.replace("api.pay.example.com", "api.pay.example.com@evil.example"),
        CERTIFICATE.replace("api.pay.example.com", "api.pay.example.com:8443"),
        CERTIFICATE.replace("api.pay.example.com", "apixpay.example.com"),
        CERTIFICATE.replace("/v1/", "/v1/../"),
        CERTIFICATE.replace("CERT-", "CERT-../../"),
        f"{CERTIFICATE}/../x",
        f"{CERTIFICATE}?x=1",
        f"{CERTIFICATE}#x",
        f"{CERTIFICATE}\n",
        f" {CERTIFICATE}",
        f"{CERTIFICATE}%2e",
        f"{CERTIFICATE}\u0661",
        CERTIFICATE + "a" * 400,
        "https://169.254.169.254/latest",
        "file:///etc/passwd",
    ],
)
def test_no_other_address_is_asked_for(proving: Proving, address: str) -> None:
    at = Addresses()
    headers = {"X-Sig": WISE["signature"], "X-Cert-Url": address}
    body = WISE["body"].encode()
    assert proving.fault("named", at, headers, body, IN_TIME) is Reason.BAD_SIGNATURE
    assert at.asked == []


def test_a_key_that_was_mended_since_it_was_read_is_the_one_that_counts(proving: Proving) -> None:
    _, headers, body, at = vector("telnyx")
    right, broken = TELNYX["key"].encode(), b"no key at all"

    def first_broken(*then: bytes) -> SecretsOf:
        return lambda _source, _address="", /: ((broken,), then)

    assert proving.fault("telnyx", first_broken(right), headers, body, at) is None
    forged = proving.fault("telnyx", first_broken(right), headers, body + b" ", at)
    assert forged is Reason.BAD_SIGNATURE
    with pytest.raises(SecretUnavailableError):
        proving.fault("telnyx", first_broken(broken), headers, body, at)


def test_keys_of_a_set_are_tried_if_they_are_of_the_algorithm(proving: Proving) -> None:
    raw = base64.urlsafe_b64encode(base64.b64decode(TELNYX["key"])).decode().rstrip("=")
    right = {"kty": "OKP", "crv": "Ed25519", "x": raw}
    secret = base64.urlsafe_b64encode(b"published").decode()
    others: list[Any] = [{"kty": "oct", "k": secret}, {"kty": "RSA"}, 7, {"kty": "OKP", "crv": "X"}]
    headers = {"X-Sig": TELNYX["signature"]}
    signed = f"{TELNYX['time']}|{TELNYX['body']}".encode()
    where = "keys.example.com/.well-known/jwks.json"
    for keys, fits in (([*others, right], True), (others, False), ([], False)):
        at = Addresses(**{where: json.dumps({"keys": keys})})
        found = proving.fault("set", at, headers, signed)
        assert found is (None if fits else Reason.BAD_SIGNATURE)
        assert at.asked == [f"https://{where}"]
    for text in ("", "[]", '{"keys":7}', '{"keys":' + json.dumps([right] * 21) + "}", "<html>"):
        with pytest.raises(SecretUnavailableError):
            proving.fault("set", Addresses(**{where: text}), headers, signed)
    with pytest.raises(SecretUnavailableError):
        proving.fault("set", Addresses(), headers, signed)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"keys": [WISE["key"]], "keys_url": "https://k.example.com/a"}, "keys"),
        ({"keys": [TELNYX["key"]]}, "keys"),
        ({"keys_url": "http://k.example.com/a"}, "keys_url"),
        ({"keys_url": "https://u@k.example.com/a"}, "keys_url"),
        ({"keys_url": "https://k.example.com:1/a"}, "keys_url"),
        ({"keys_url": "https://127.0.0.1/a"}, "keys_url"),
        ({"keys_url": "https://k.example.com/*"}, "keys_url"),
        ({"keys_url": "https://vault.internal/a"}, "keys_url"),
        ({"keys_url": "https://localhost/a"}, "keys_url"),
        ({"certificate": {"header": "X-Url", "addresses": ["https://*.com/a"]}}, "certificate"),
        ({"certificate": {"header": "X-Url", "addresses": ["https://a.b*.com/a"]}}, "certificate"),
        ({"certificate": {"header": "X-Url", "addresses": []}}, "certificate"),
        ({"algorithm": "hs256"}, "algorithm"),
        ({"secret": {"encoding": "hex"}}, "secret"),
    ],
)
def test_settings_that_pin_nothing_are_refused(
    tmp_path: Path, change: dict[str, Any], key: str
) -> None:
    with pytest.raises(SourceError, match=key):
        written(tmp_path, "wise", **settings_of({**SCHEMES["wise"], **change}))
