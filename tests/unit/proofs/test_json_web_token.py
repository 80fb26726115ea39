"""JSON Web Tokens: those of RFC 7515 and of senders' libraries, and what forgers make of them.

Here jwcrypto signs what PyJWT reads.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jwcrypto import jwk, jws

from ingest_lambdas.receiver import Receiver
from pipeline.event.bodies.body_form import BodyError, BodyForm
from pipeline.event.outcomes import Reason
from pipeline.event.proofs import keys
from pipeline.event.secrets import SecretUnavailableError, only
from pipeline.polling.fetched_keys import FetchedKeys
from pipeline.receiving.request import read_request
from pipeline.runtime.secret_store import SecretStore
from settings.source.loader import SourceError
from tests.support.fakes import FakeSsm, FakeStream
from tests.support.proving import Proving, written
from tests.support.receiving import proxy_event
from toolbox.sources.samples_as_sent import proof_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

VECTORS = json.loads((Path(__file__).parents[2] / "support" / "proof_vectors.json").read_text())
TOKENS = VECTORS["tokens"]
SECRET = "a-secret-that-has-32-bytes-or-so"
NOW = 1_800_000_000
KEYS_URL = "https://login.example.com/keys"
BODY = '{"id":"e-1","text":"Größe"}'.encode()
Json = dict[str, Any]

SOURCES: dict[str, Json] = {
    "netlify": {
        "authentication": {
            "type": "jwt",
            "header": "X-Webhook-Signature",
            "algorithms": ["HS256"],
            "claims": {"iss": "netlify"},
            "body_hash": {"claim": "sha256"},
        },
        "headers": {"keep": ["X-Webhook-Signature"]},
    },
    "livekit": {
        "authentication": {
            "type": "jwt",
            "header": "Authorization",
            "algorithms": ["HS256"],
            "claims": {"iss": "APIkey"},
            "body_hash": {"claim": "sha256", "encoding": "base64"},
        },
        "headers": {"keep": ["Authorization"]},
    },
    "pubsub": {
        "ingest": "receiver",
        "authentication": {
            "type": "jwt",
            "header": "Authorization",
            "prefix": "Bearer ",
            "algorithms": ["RS256"],
            "keys_url": KEYS_URL,
            "claims": {
                "iss": ["https://accounts.example.com", "accounts.example.com"],
                "aud": "https://hooks.example.com/pubsub",
                "email": "push@project.example.com",
                "email_verified": True,
            },
            "required": ["exp"],
        },
    },
    "ssf": {
        "authentication": {
            "type": "jwt",
            "algorithms": ["RS256", "ES256", "EdDSA"],
            "typ": "secevent+jwt",
            "keys_url": KEYS_URL,
            "claims": {"iss": "https://login.example.com", "aud": "us"},
            "required": ["jti", "iat"],
        },
        "body": {"format": "jwt"},
        "content_types": ["application/secevent+jwt"],
        "delivery_id": {"path": "jti"},
    },
    "rfc-rs256": {
        "authentication": {
            "type": "jwt",
            "algorithms": ["RS256"],
            "claims": {"iss": "joe", "http://example.com/is_root": True},
        },
        "body": {"format": "jwt"},
    },
    "rfc-es256": {
        "authentication": {"type": "jwt", "algorithms": ["ES256"], "claims": {"iss": "joe"}},
        "body": {"format": "jwt"},
    },
    "rfc-hs256": {
        "authentication": {
            "type": "jwt",
            "algorithms": ["HS256"],
            "claims": {"iss": "joe"},
            "secret": {"encoding": "base64url"},
        },
        "body": {"format": "jwt"},
    },
    "aged": {
        "authentication": {
            "type": "jwt",
            "header": "X-Token",
            "algorithms": ["HS256"],
            "max_age_seconds": 300,
            "body_hash": {"claim": "payload_hash"},
        },
        "headers": {"keep": ["X-Token"]},
    },
}


@pytest.fixture(scope="module")
def proving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proving]:
    with ExitStack() as stack:
        yield Proving(tmp_path_factory.mktemp("proving"), stack, SOURCES)


@cache
def key(kind: str, number: int = 1) -> jwk.JWK:
    made: dict[str, Json] = {
        "RS256": {"kty": "RSA", "size": 2_048},
        "ES256": {"kty": "EC", "crv": "P-256"},
        "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
    }
    return jwk.JWK.generate(**made[kind], kid=f"{kind}-{number}")


def signed(
    claims: Json | bytes, by: jwk.JWK | str, header: Json | None = None, algorithm: str = "HS256"
) -> str:
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    if isinstance(by, str):
        return _by_secret(payload, by, {"alg": algorithm, **(header or {})})
    token = jws.JWS(payload)
    token.allowed_algs = [algorithm]
    token.add_signature(by, None, json.dumps({"alg": algorithm, **(header or {})}))
    return str(token.serialize(compact=True))


def _by_secret(payload: bytes, secret: str, header: Json) -> str:
    text = f"{_based(json.dumps(header).encode())}.{_based(payload)}"
    digest = f"sha{header['alg'][2:]}"
    return f"{text}.{_based(hmac.new(secret.encode(), text.encode(), digest).digest())}"


def _based(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def plain(header: Json, claims: Json, signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(map(_based, parts))


class KeySet:
    """A JSON Web Key Set at one address."""

    def __init__(self, *keys: jwk.JWK | Json) -> None:
        public = [
            one.export_public(as_dict=True) if isinstance(one, jwk.JWK) else one for one in keys
        ]
        self.document = json.dumps({"keys": public}).encode()
        self.asked: list[str] = []

    def __call__(self, _source: object, address: str = "", /) -> list[tuple[bytes, ...]]:
        self.asked.append(address)
        return [(self.document,)]


NETLIFY = {"iss": "netlify", "sha256": hashlib.sha256(BODY).hexdigest()}


def netlify(claims: Json | bytes, secret: str = SECRET, **header: Any) -> Json:
    return {"X-Webhook-Signature": signed(claims, secret, header)}


@pytest.mark.parametrize("name", ["hs256", "rs256", "es256"])
def test_the_tokens_of_rfc_7515(proving: Proving, name: str) -> None:
    found = TOKENS[name]
    value = found["key"]["k"] if name == "hs256" else json.dumps(found["key"])
    secrets, source = only(value.encode()), f"rfc-{name}"
    token, at = found["token"].encode(), 1_300_819_300
    assert proving.fault(source, secrets, {}, token, at) is None
    assert proving.fault(source, secrets, {}, token + b"\r\n", at) is None
    assert proving.fault(source, secrets, {}, token, at + 500) is Reason.STALE_SIGNATURE
    for place in range(0, len(token), 7):
        changed = bytearray(token)
        changed[place] ^= 1
        assert proving.fault(source, secrets, {}, bytes(changed), at) is Reason.BAD_SIGNATURE
    said, messages = proving.whole(source, (value,), {}, token, at)
    assert said == "delivered"
    assert b'"iss":"joe"' in messages[0]


def test_a_request_that_livekits_library_signed(proving: Proving) -> None:
    found = TOKENS["livekit"]
    headers, body = {"Authorization": found["token"]}, found["body"].encode()
    assert proving.whole("livekit", (found["secret"],), headers, body, found["at"])[0] == (
        "delivered"
    )
    other = proving.whole("livekit", (found["secret"],), headers, body + b" ", found["at"])[0]
    assert other == "bad_signature"
    late = proving.whole("livekit", (found["secret"],), headers, body, found["at"] + 90_000)[0]
    assert late == "stale_signature"


def test_another_authorization_is_not_kept(proving: Proving) -> None:
    for value, kept in (("eyJhbGciOi.x.y", "eyJhbGciOi.x.y"), ("Bearer s3cret", "")):
        event = proxy_event("livekit", BODY, {"Authorization": value})
        assert read_request(event, proving.source("livekit")).kept == {"authorization": kept}


def test_a_hash_in_the_token_binds_the_body(proving: Proving) -> None:
    headers = netlify(NETLIFY)
    assert proving.fault("netlify", only(SECRET.encode()), headers, BODY, NOW) is None
    upper = netlify({**NETLIFY, "sha256": NETLIFY["sha256"].upper()})
    assert proving.fault("netlify", only(SECRET.encode()), upper, BODY, NOW) is None
    assert proving.fault("netlify", only(b"old", SECRET.encode()), headers, BODY, NOW) is None
    for other in (b"", BODY + b" ", BODY.replace(b"e-1", b"e-2")):
        found = proving.fault("netlify", only(SECRET.encode()), headers, other, NOW)
        assert found is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "claims",
    [
        {**NETLIFY, "iss": "evil"},
        {**NETLIFY, "iss": ["netlify"]},
        {**NETLIFY, "iss": None},
        {"sha256": NETLIFY["sha256"]},
        {"iss": "netlify"},
        {**NETLIFY, "sha256": ""},
        {**NETLIFY, "sha256": 7},
        {**NETLIFY, "sha256": NETLIFY["sha256"][:-2]},
        {**NETLIFY, "sha256": f"0x{NETLIFY['sha256']}"},
        b"[]",
        b"7",
        b"\xff",
        b"",
        b"{" + b'"a":[' * 3_000,
        json.dumps(NETLIFY).encode()[:-1] + b',"iss":"netlify"}',
        json.dumps(NETLIFY).encode()[:-1] + b',"x":{"a":1,"a":2}}',
    ],
)
def test_claims_that_are_not_the_sources_are_refused(proving: Proving, claims: Json) -> None:
    found = proving.fault("netlify", only(SECRET.encode()), netlify(claims), BODY, NOW)
    assert found is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "..",
        "a.b.c.d",
        "A" * 20_000,
        plain({"alg": "none"}, NETLIFY),
        plain({"alg": "None"}, NETLIFY),
        plain({"alg": "nOnE", "typ": "JWT"}, NETLIFY),
        plain({}, NETLIFY),
        plain({"alg": ["HS256"]}, NETLIFY),
        plain({"alg": "HS256"}, NETLIFY),
        plain({"alg": "HS256"}, NETLIFY, b"\x00" * 32),
        plain({"alg": "HS256", "x": "A" * 5_000}, NETLIFY, b"\x00" * 32),
        signed(NETLIFY, ""),
        signed(NETLIFY, "another-secret-of-32-bytes-or-so"),
        signed(NETLIFY, SECRET, algorithm="HS512"),
        signed(NETLIFY, SECRET) + "=",
        " " + signed(NETLIFY, SECRET),
        signed(NETLIFY, SECRET) + " ",
        signed(NETLIFY, SECRET) + ".",
        signed(NETLIFY, SECRET).replace(".", "..", 1),
        signed(NETLIFY, key("ES256"), algorithm="ES256"),
        signed(NETLIFY, SECRET).rpartition(".")[0] + ".",
    ],
)
def test_tokens_that_the_sender_did_not_make_are_refused(proving: Proving, token: str) -> None:
    headers = {"X-Webhook-Signature": token}
    found = proving.fault("netlify", only(SECRET.encode()), headers, BODY, NOW)
    assert found is Reason.BAD_SIGNATURE


def test_extensions_are_refused(proving: Proving) -> None:
    for more in ({"crit": ["exp"], "exp": 1}, {"b64": True}, {"b64": False, "crit": ["b64"]}):
        headers = netlify(NETLIFY, **more)
        found = proving.fault("netlify", only(SECRET.encode()), headers, BODY, NOW)
        assert found is Reason.BAD_SIGNATURE


EVENT: Json = {
    "iss": "https://login.example.com",
    "aud": "us",
    "jti": "756E69717565",
    "iat": NOW,
    "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}},
}
SET = {"typ": "secevent+jwt"}


@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
def test_a_security_event_token_is_the_body_and_its_claims_the_event(
    proving: Proving, kind: str
) -> None:
    published = KeySet(key("RS256", 2), key(kind))
    token = signed(EVENT, key(kind), {**SET, "kid": f"{kind}-1"}, kind).encode()
    assert proving.fault("ssf", published, {}, token, NOW) is None
    assert set(published.asked) == {KEYS_URL}
    listed = signed({**EVENT, "aud": ["others", "us"]}, key(kind), SET, kind).encode()
    assert proving.fault("ssf", published, {}, listed, NOW) is None
    media = signed(EVENT, key(kind), {"typ": "application/SecEvent+JWT"}, kind).encode()
    assert proving.fault("ssf", published, {}, media, NOW) is None


@pytest.mark.parametrize(
    ("claims", "header"),
    [
        ({"aud": "others"}, {}),
        ({"aud": ["others"]}, {}),
        ({"aud": []}, {}),
        ({"aud": {"us": 1}}, {}),
        ({"iss": "https://login.example.com.evil.example"}, {}),
        ({"jti": None, "drop": "jti"}, {}),
        ({}, {"typ": "JWT"}),
        ({}, {"typ": "at+jwt"}),
        ({}, {"typ": 7}),
        ({}, {"kid": "unknown"}),
    ],
)
def test_tokens_for_others_are_refused(proving: Proving, claims: Json, header: Json) -> None:
    claims = {**EVENT, **claims}
    if name := claims.pop("drop", None):
        del claims[name]
    token = signed(claims, key("RS256"), {**SET, **header}, "RS256").encode()
    found = proving.fault("ssf", KeySet(key("RS256")), {}, token, NOW)
    assert found is Reason.BAD_SIGNATURE


def test_a_token_names_no_key_of_its_own(proving: Proving) -> None:
    """`jwk`, `jku`, `x5u` and `x5c` of a header (RFC 7515, 4.1) are not looked at."""
    evil, published = key("RS256", 3), KeySet(key("RS256"))
    own = json.loads(evil.export_public())
    for header in (
        {"jwk": own},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert.pem"},
        {"x5c": ["MIIB"]},
        {"kid": "../../dev/null"},
        {"kid": "https://evil.example/keys"},
        {"kid": ["RS256-1"]},
    ):
        token = signed(EVENT, evil, {**SET, **header}, "RS256").encode()
        assert proving.fault("ssf", published, {}, token, NOW) is Reason.BAD_SIGNATURE
    assert set(published.asked) == {KEYS_URL}


def test_a_public_key_is_no_secret_of_an_hmac(proving: Proving) -> None:
    """The classic confusion of algorithms: the published key as the secret of HS256."""
    pem = key("RS256").export_to_pem().decode()
    document = KeySet(key("RS256")).document.decode()
    for secret in (pem, pem.strip(), key("RS256").export_public(), document):
        token = signed(EVENT, secret, SET, "HS256").encode()
        found = proving.fault("ssf", KeySet(key("RS256")), {}, token, NOW)
        assert found is Reason.BAD_SIGNATURE
    # A set that publishes a secret has none of it taken.
    oct_ = {"kty": "oct", "k": base64.urlsafe_b64encode(SECRET.encode()).decode(), "kid": "o"}
    token = signed(EVENT, SECRET, {**SET, "kid": "o"}, "HS256").encode()
    assert proving.fault("ssf", KeySet(oct_), {}, token, NOW) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "change",
    [{"alg": "RS512"}, {"use": "enc"}, {"kid": "another"}, {"kty": "oct"}, {"n": "AQAB"}],
)
def test_a_key_that_is_for_something_else_is_not_taken(proving: Proving, change: Json) -> None:
    published = {**json.loads(key("RS256").export_public()), **change}
    token = signed(EVENT, key("RS256"), {**SET, "kid": "RS256-1"}, "RS256").encode()
    found = proving.fault("ssf", KeySet(published), {}, token, NOW)
    assert found is Reason.BAD_SIGNATURE


def test_a_key_that_came_anew_is_found_and_trouble_is_no_decision(proving: Proving) -> None:
    token = signed(EVENT, key("RS256"), SET, "RS256").encode()
    old, new = KeySet(key("RS256", 2)), KeySet(key("RS256"))
    assert proving.fault("ssf", lambda *_: [(old.document,), (new.document,)], {}, token, NOW) is (
        None
    )
    for broken in ([()], [(b"<html>",)], [(b'{"keys":{}}',), (b"",)]):
        with pytest.raises(SecretUnavailableError, match=r"^source ssf: "):
            proving.fault("ssf", lambda *_, found=broken: found, {}, token, NOW)
    mended = [(b"<html>",), (new.document,)]
    assert proving.fault("ssf", lambda *_: mended, {}, token, NOW) is None


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"exp": NOW - 60}, None),
        ({"exp": NOW - 61}, Reason.STALE_SIGNATURE),
        ({"nbf": NOW + 60}, None),
        ({"nbf": NOW + 61}, Reason.STALE_SIGNATURE),
        ({"iat": NOW + 61}, Reason.STALE_SIGNATURE),
        ({"iat": NOW - 86_400}, None),
        ({"exp": "never"}, Reason.STALE_SIGNATURE),
        ({"exp": True}, Reason.STALE_SIGNATURE),
        ({"exp": None}, Reason.STALE_SIGNATURE),
        ({"iat": float("nan")}, Reason.STALE_SIGNATURE),
        ({"exp": float("inf")}, Reason.STALE_SIGNATURE),
        ({"exp": 10**400}, Reason.STALE_SIGNATURE),
        ({"exp": -1}, Reason.STALE_SIGNATURE),
    ],
)
def test_times_are_judged_by_the_arrival(
    proving: Proving, times: Json, expected: Reason | None
) -> None:
    headers = netlify({**NETLIFY, **times})
    assert proving.fault("netlify", only(SECRET.encode()), headers, BODY, NOW) is expected


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"iat": NOW - 300}, None),
        ({"iat": NOW - 301}, Reason.STALE_SIGNATURE),
        ({}, Reason.STALE_SIGNATURE),
    ],
)
def test_a_token_can_have_an_age(proving: Proving, claims: Json, expected: Reason | None) -> None:
    claims = {**claims, "payload_hash": hashlib.sha256(BODY).hexdigest()}
    headers = {"X-Token": signed(claims, SECRET)}
    assert proving.fault("aged", only(SECRET.encode()), headers, BODY, NOW) is expected


OIDC: Json = {
    "iss": "https://accounts.example.com",
    "aud": "https://hooks.example.com/pubsub",
    "email": "push@project.example.com",
    "email_verified": True,
    "exp": NOW + 3_600,
    "iat": NOW,
}


def test_a_credential_is_checked_at_the_door_and_never_kept(proving: Proving) -> None:
    document = KeySet(key("RS256")).document
    store = SecretStore(FakeSsm({}), "P", "dev", keys=FetchedKeys(lambda _: document))
    stream = FakeStream()
    receiver = Receiver(proving.catalog, store, stream, "events")
    token = signed(OIDC, key("RS256"), {"kid": "RS256-1"}, "RS256")

    def status(value: str | None) -> int:
        headers = {} if value is None else {"Authorization": value}
        event = proxy_event("pubsub", BODY, headers, arrived_ms=NOW * 1_000)
        return receiver.receive(event)[1].status

    assert status(f"Bearer {token}") == 200
    assert token not in str(stream.records)
    assert b"authorization" not in str(stream.records).lower().encode()
    for claims in ({"aud": "https://evil.example"}, {"email": "x@y"}, {"email_verified": "true"}):
        forged = signed({**OIDC, **claims}, key("RS256"), {"kid": "RS256-1"}, "RS256")
        assert status(f"Bearer {forged}") == 401
    without = {name: value for name, value in OIDC.items() if name != "exp"}
    for value in (
        None,
        token,
        "Bearer ",
        f"bearer {token}",
        f"Bearer  {token}",
        f"Bearer {signed(without, key('RS256'), {}, 'RS256')}",
        f"Bearer {signed(OIDC, key('RS256', 2), {}, 'RS256')}",
    ):
        assert status(value) == 401
    assert len(stream.records) == 1


def test_a_credential_is_no_header_beside_the_proof(proving: Proving) -> None:
    assert proof_headers(proving.loaded["pubsub"].settings) == {"authorization"}
    assert proof_headers(proving.loaded["ssf"].settings) == set()


def test_key_objects_are_made_once_for_each_set(
    proving: Proving, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    real = keys.key_of_jwk

    def counted(one: Json) -> Any:
        made.append(one)
        return real(one)

    monkeypatch.setattr(keys, "key_of_jwk", counted)
    token = signed(EVENT, key("RS256"), SET, "RS256").encode()
    known = (KeySet(key("RS256")).document,)
    for _ in range(3):
        assert proving.fault("ssf", lambda *_: [known], {}, token, NOW) is None
    assert len(made) == 1


def test_a_body_that_is_no_token_has_no_json() -> None:
    form = BodyForm(format="jwt", lists=(), unwrap=(), event=None)
    assert form.json_in(f" {signed(EVENT, SECRET)}\n".encode()) == json.dumps(EVENT).encode()
    for body in (b"", b"{}", b"a.b", b"\xff.\xff.\xff", b"a.b.c.d"):
        with pytest.raises(BodyError):
            form.json_in(body)


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("netlify", {"algorithms": ["none"]}, "algorithms"),
        ("netlify", {"algorithms": []}, "algorithms"),
        ("netlify", {"algorithms": ["HS256", "RS256"]}, "list one sort"),
        ("netlify", {"algorithms": ["RS256", "ES256"]}, "of one kind"),
        ("netlify", {"keys_url": KEYS_URL}, "in the source's parameter alone"),
        ("netlify", {"keys": ["AAAA"]}, "in the source's parameter alone"),
        ("netlify", {"algorithms": ["RS256"], "keys": ["AAAA"]}, "authentication.keys"),
        ("netlify", {"body_hash": None}, "checked at the door"),
        ("netlify", {"body_hash": {"claim": "x", "algorithm": "md5"}}, "md5"),
        ("netlify", {"header": None}, "is missing"),
        ("netlify", {"prefix": '")#set($x'}, "prefix"),
        ("pubsub", {"claims": {"iss": "x"}}, "claims.aud"),
        ("pubsub", {"secret": {"prefix": "x"}}, "says itself"),
        ("pubsub", {"keys_url": "http://login.example.com/keys"}, "https"),
        ("ssf", {"header": "X-Token"}, "body.format"),
        ("ssf", {"typ": None, "claims": {}, "required": []}, "these keys sign other tokens"),
    ],
)
def test_settings_that_let_forgers_in_are_refused(
    tmp_path: Path, name: str, change: Json, told: str
) -> None:
    settings = SOURCES[name]
    changed = {**settings, "authentication": {**settings["authentication"], **change}}
    with pytest.raises(SourceError, match=told):
        written(tmp_path, name, **changed)


def test_claims_that_nobody_verifies_are_no_body(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nobody would verify the claims"):
        written(tmp_path, "a", authentication={"type": "token"}, body={"format": "jwt"})
    kept = {**SOURCES["pubsub"], "headers": {"keep": ["Authorization"]}}
    with pytest.raises(SourceError, match=r"headers\.keep"):
        written(tmp_path, "b", **kept)
