"""Senders whose signatures have details of their own, each by a folder of settings alone."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pipeline.event.outcomes import OutcomeKind, Reason
from pipeline.receiving.answers import Answer
from settings.source.authentication import HmacAuthentication
from settings.source.compiler import signature_of
from settings.source.loader import load_source
from tests.support.schemes import fault
from tests.support.signing_senders import BODY, NOW, SENDERS, mac
from toolbox.cli.secret_forms import SecretFormError, check_form, generate
from toolbox.sources.rehearsal import Rehearsal, compiled
from toolbox.sources.samples import SampleRequest, authenticate, dated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.event.compiled_source import Catalog
    from settings.source.loader import LoadedSource

WAYS = ("direct", "receiver")
every_sender = pytest.mark.parametrize("name", SENDERS)


def written(
    folder: Path, name: str, authentication: dict[str, Any], ingest: str, **more: Any
) -> LoadedSource:
    named = [authentication["header"], *authentication.get("further_headers", [])]
    time = authentication.get("timestamp", {}).get("header")
    keep = ["Content-Type", *dict.fromkeys([*named, *([time] if time else [])])]
    document = {
        "version": 1,
        "title": name,
        "ingest": ingest,
        "authentication": {"type": "hmac", **authentication},
        "headers": {"keep": keep},
        **more,
    }
    path = folder / f"{name}-{ingest}"
    path.mkdir()
    (path / "source.yaml").write_text(yaml.safe_dump(document))
    return load_source(path)


@pytest.fixture(scope="module")
def senders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedSource]:
    folder = tmp_path_factory.mktemp("senders")
    loaded = [
        written(folder, name, sender.authentication, way)
        for name, sender in SENDERS.items()
        for way in WAYS
    ]
    return {source.name: source for source in loaded}


@pytest.fixture(scope="module")
def known(senders: dict[str, LoadedSource]) -> Iterator[Catalog]:
    with compiled(senders) as catalog:
        yield catalog


def _request(headers: dict[str, str], body: bytes) -> SampleRequest:
    return SampleRequest({"Content-Type": "application/json", **headers}, body)


class Senders:
    """The way of a request to a source, with one secret in its parameter."""

    def __init__(self, senders: dict[str, LoadedSource], known: Catalog) -> None:
        self.sources = senders
        self._known = known

    def says(
        self, source: str, secret: str, headers: dict[str, str], body: bytes, now: float = NOW
    ) -> Reason | str | None:
        """Return why a request was turned away; None where its event was delivered."""
        rehearsal = Rehearsal(self.sources, self._known, (secret,), now=now)
        ending = rehearsal.take(source, _request(headers, body), "request")
        if isinstance(ending.door, Answer):
            return str(ending.door.told.get("error", ending.door.status))
        (outcome,) = ending.outcomes
        return None if outcome.kind is OutcomeKind.DELIVERED else outcome.reason


@pytest.fixture(scope="module")
def ways(senders: dict[str, LoadedSource], known: Catalog) -> Senders:
    return Senders(senders, known)


@pytest.mark.parametrize("way", WAYS)
@every_sender
def test_a_sender_is_taken_by_settings_alone(ways: Senders, name: str, way: str) -> None:
    sender, source = SENDERS[name], f"{name}-{way}"
    headers = sender.sign(sender.secret, BODY)
    assert ways.says(source, sender.secret, headers, BODY) is None
    assert ways.says(source, f"{sender.other}\n{sender.secret}", headers, BODY) is None
    lower = {header.lower(): value for header, value in headers.items()}
    assert ways.says(source, sender.secret, lower, BODY) is None
    bad = Reason.BAD_SIGNATURE if way == "direct" else "bad_signature"
    assert ways.says(source, sender.other, headers, BODY) == bad
    for bit in (0, 7, 8 * len(BODY) - 1):
        changed = bytearray(BODY)
        changed[bit // 8] ^= 1 << bit % 8
        assert ways.says(source, sender.secret, headers, bytes(changed)) == bad
    assert ways.says(source, sender.secret, {}, BODY) == bad


@every_sender
def test_a_time_that_is_signed_counts(ways: Senders, name: str) -> None:
    sender = SENDERS[name]
    when = sender.authentication.get("timestamp")
    headers = sender.sign(sender.secret, BODY)
    late = NOW + when["tolerance_seconds"] + 1 if when and "tolerance_seconds" in when else NOW
    late = late if late != NOW else NOW + 301
    expected = Reason.STALE_SIGNATURE if when else None
    assert ways.says(f"{name}-direct", sender.secret, headers, BODY, late) is expected
    forged = sender.sign(sender.other, BODY)
    found = ways.says(f"{name}-direct", sender.secret, forged, BODY, late)
    assert found is Reason.BAD_SIGNATURE


@every_sender
def test_a_sample_is_signed_as_the_sender_signs(ways: Senders, name: str) -> None:
    """What `source check`, `send` and the load tests make, verified by what was tested above."""
    sender = SENDERS[name]
    source = ways.sources[f"{name}-direct"]
    headers = authenticate(source, sender.secret, BODY, now=NOW)
    assert ways.says(source.name, sender.secret, headers, BODY) is None
    assert ways.says(source.name, sender.other, headers, BODY) is Reason.BAD_SIGNATURE
    scheme = source.settings.hmac
    assert scheme is not None
    if scheme.separator or scheme.further_headers:
        both = authenticate(source, sender.secret, BODY, now=NOW, also=sender.other)
        for secret in (sender.secret, sender.other):
            assert ways.says(source.name, secret, both, BODY) is None
    if scheme.timestamp is not None:
        later = NOW + 100_000
        body = dated(source, BODY, now=later, stale=True)
        stale = authenticate(source, sender.secret, body, now=later, stale=True)
        assert ways.says(source.name, sender.secret, stale, body, later) is Reason.STALE_SIGNATURE
        body = dated(source, BODY, now=later)
        fresh = authenticate(source, sender.secret, body, now=later)
        assert ways.says(source.name, sender.secret, fresh, body, later) is None


@every_sender
def test_a_secret_is_made_in_the_form_of_its_sender(ways: Senders, name: str) -> None:
    source = ways.sources[f"{name}-direct"]
    made = generate(source)
    check_form(source, made)
    check_form(source, SENDERS[name].secret)
    assert len(made) >= 40
    headers = authenticate(source, made, BODY, now=NOW)
    assert ways.says(source.name, made, headers, BODY) is None
    if SENDERS[name].authentication.get("secret", {}).get("encoding"):
        with pytest.raises(SecretFormError, match=r"the signing secret is not (hex|base64)"):
            check_form(source, "no encoding has these: !?")


def test_what_sanitys_own_library_signs(ways: Senders) -> None:
    """As encodeSignatureHeader of the npm package @sanity/webhook 4.0.4 made it."""
    text = "t=1633519811129,v1=tLa470fx7qkLLEcMOcEUFuBbRSkGujyskxrNXcoh0N0"
    headers = {"sanity-webhook-signature": text}
    now = 1_633_519_811
    assert ways.says("sanity-direct", "test", headers, b'{"_id":"resume"}', now) is None
    found = ways.says("sanity-direct", "test", headers, b'{"_id":"resumE"}', now)
    assert found is Reason.BAD_SIGNATURE


def test_only_the_detailed_are_compiled_as_such(known: Catalog, catalog: Catalog) -> None:
    """The others load nothing of it, and are compiled as they were before."""
    detailed = {
        name.removesuffix("-direct")
        for name, source in known.sources.items()
        if source.signature is not None and source.signature.detailed
    }
    wanted = {"gitguardian", "linear", "box", "docusign", "connectwise", "recurly"}
    assert {name for name in detailed if not name.endswith("-receiver")} == wanted
    plain = ("github", "bitbucket", "pagerduty", "stripe", "zoom", "slack", "standard-webhooks")
    signatures = [catalog.sources[name].signature for name in plain]
    assert all(one is not None and not one.detailed for one in signatures)


def test_a_body_has_one_fingerprint_whenever_and_wherever_it_is_signed(
    senders: dict[str, LoadedSource], known: Catalog
) -> None:
    """A signature that holds a time in its key, or is in another header, is another one each time.

    Otherwise a copy would be taken for a known id with another body.
    """
    for name in ("gitguardian", "docusign"):
        found = set()
        for now in (NOW, NOW + 60):
            source = senders[f"{name}-direct"]
            rehearsal = Rehearsal(senders, known, (SENDERS[name].secret,), now=now)
            headers = authenticate(source, SENDERS[name].secret, BODY, now=now)
            if now > NOW and name == "docusign":
                headers = {"X-DocuSign-Signature-2": headers["X-DocuSign-Signature-1"]}
            (event,) = rehearsal.take(source.name, _request(headers, BODY), "one").delivered
            found.add(event.fingerprint)
        assert len(found) == 1
        assert len(found.pop()) == 32


def test_a_time_in_the_body_is_read_once_the_signature_fits(ways: Senders) -> None:
    sender = SENDERS["linear"]
    for body, expected in (
        (b'{"webhookTimestamp": "soon"}', Reason.STALE_SIGNATURE),
        (b'{"webhookTimestamp": true}', Reason.STALE_SIGNATURE),
        (b'{"webhookTimestamp": [1]}', Reason.STALE_SIGNATURE),
        (b'{"webhookTimestamp": 1e400}', Reason.STALE_SIGNATURE),
        (b'{"other": 1}', Reason.STALE_SIGNATURE),
        (b"[]", Reason.STALE_SIGNATURE),
        (b"{", Reason.INVALID_JSON),
        (b"[" * 100_000, Reason.TOO_DEEP),
    ):
        headers = sender.sign(sender.secret, body)
        assert ways.says("linear-direct", sender.secret, headers, body) is expected, body[:40]
        forged = sender.sign(sender.other, body)
        found = ways.says("linear-direct", sender.secret, forged, body)
        assert found is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "value",
    [
        ",",
        "," * 1_000_000,
        ";" * 1_000_000,
        f"{NOW}000",
        f"{NOW}000," + "0" * 1_000_000,
        f"{NOW}000," + ",".join(["0" * 64] * 10_000),
        f"{NOW}000,\u0661\u0662,\ud800",
        f"{'1' * 100_000},{'0' * 64}",
        "none,sha256,md5",
    ],
)
@every_sender
def test_hostile_headers_fit_nothing(known: Catalog, name: str, value: str) -> None:
    """Of any length, though no envelope holds so much: what is tried is bounded here as well."""
    source = known.sources[f"{name}-direct"]
    assert source.signature is not None
    headers = dict.fromkeys(source.kept_headers, value)
    headers[source.signature.header] = source.signature.prefix + value
    found = fault(source, SENDERS[name].secret, headers, BODY, NOW * 1000)
    assert found is Reason.BAD_SIGNATURE


def test_a_signature_does_not_stand_at_the_time_s_place(ways: Senders) -> None:
    """Nor at any before the first signature's: what is signed is signed with its own time."""
    secret = SENDERS["recurly"].secret
    digest = mac(secret.encode(), f"{NOW}000.".encode(), BODY).hex()
    for value in (f"{digest},{NOW}000", digest, f",{NOW}000,{digest}", f"{NOW}001,{digest}"):
        found = ways.says("recurly-direct", secret, {"recurly-signature": value}, BODY)
        assert found is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("settings", "value", "fits"),
    [
        ({"position": 2}, "key-7,{good}", True),
        ({"position": 2}, "key-7,{bad},{good}", True),
        ({"position": 2}, "{good},key-7", False),
        ({"position": 2}, "{good}", False),
        ({"position": 1, "timestamp": 2}, "{good},{time}", True),
        ({"position": 1, "timestamp": 2}, "{time},{good}", False),
        ({"position": 1, "timestamp": 3}, "{bad}, {good} ,{time}", True),
        ({"position": 1, "timestamp": 3}, "{good},{time}", False),
        ({"prefix": "v1=", "timestamp": 1}, "{time},v1={good}", True),
        ({"prefix": "v1=", "timestamp": 1}, "{time},{good}", False),
    ],
)
def test_what_has_no_name_has_its_place(
    catalog: Catalog, settings: dict[str, Any], value: str, fits: bool
) -> None:
    more: dict[str, Any] = {name: one for name, one in settings.items() if name != "timestamp"}
    time = b""
    if "timestamp" in settings:
        time = str(NOW).encode()
        where = {"header": "X-Sig", "position": settings["timestamp"]}
        more |= {"timestamp": where, "signed": "{timestamp}{body}"}
    scheme = HmacAuthentication(type="hmac", header="X-Sig", separator=",", **more)
    source = replace(catalog.sources["github"], signature=signature_of(scheme))
    good, bad = mac(b"secret-key", time, BODY).hex(), mac(b"other-key", time, BODY).hex()
    text = value.format(good=good, bad=bad, time=NOW)
    expected = None if fits else Reason.BAD_SIGNATURE
    assert fault(source, "secret-key", {"x-sig": text}, BODY, NOW * 1000) is expected


@pytest.mark.parametrize("place", [0, 9])
def test_a_challenge_is_answered_with_the_request_s_own_key(tmp_path: Path, place: int) -> None:
    """Hashed, or with the time in it, as the request's signature has it."""
    secrets = [f"secret-number-{number}" for number in range(10)]
    secret = secrets[place].encode()
    authentication = {
        "header": "X-Sig",
        "secret": {"digest": "sha256"},
        "key": "{timestamp}{secret}",
        "timestamp": {"header": "X-Time"},
    }
    post = {"path": "type", "equals": "check", "challenge": "token", "answer": {"signed": "$hmac"}}
    source = written(tmp_path, "asks", authentication, "receiver", handshake={"post": post})
    key = str(NOW).encode() + hashlib.sha256(secret).digest()
    body = b'{"type":"check","token":"c-0123"}'
    headers = {"X-Sig": mac(key, body).hex(), "X-Time": str(NOW)}
    with compiled({source.name: source}) as catalog:
        rehearsal = Rehearsal({source.name: source}, catalog, tuple(secrets), now=NOW)
        door = rehearsal.take(source.name, _request(headers, body), "handshake").door
    assert isinstance(door, Answer)
    assert door.body == {"signed": mac(key, b"c-0123").hex()}
