"""Signatures of every source: what is signed verifies, and nothing else does."""

from __future__ import annotations

import base64
import hmac
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.event.envelope import decode_envelope
from pipeline.event.events import Event
from pipeline.event.keyed_hash import mac_with
from pipeline.event.outcomes import OutcomeKind, Reason
from pipeline.event.secrets import SecretError
from pipeline.event.signatures import find_fault, signing_key, verify
from pipeline.runtime.secret_store import SecretStore
from settings.source.model import HmacAuthentication
from tests.support.bench import NOW_MS, PREVIOUS, SECRET
from tests.support.catalogue import built_in
from tests.support.fakes import FakeSsm
from tests.support.schemes import NAMES, fault
from toolbox.sources.samples import authenticate

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog
    from settings.source.loader import LoadedSource

#: A source for each shape of a signature; the others of the catalogue have the same ones.
SIGNING = {name: built_in(name) for name in (*NAMES, "grafana", "zendesk")}
every_source = pytest.mark.parametrize("name", SIGNING)

BODIES = st.binary(max_size=120) | st.just('{"a": "Größe 金額"}'.encode())
# What an envelope can hold: its reader makes text of every byte, and never a lone surrogate.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
KEYS = st.binary(min_size=1, max_size=40)


def scheme(name: str) -> HmacAuthentication:
    settings = SIGNING[name].settings.authentication
    assert isinstance(settings, HmacAuthentication)
    return settings


def parameter(name: str, key: bytes) -> str:
    """The value of the source's parameter for these bytes, in the form that the source names."""
    form = scheme(name).secret
    text = base64.b64encode(key).decode() if form.encoding == "base64" else key.hex()
    return form.prefix + text


def signed(name: str, secret: str, body: bytes, extra: str, now: float = 0.0) -> dict[str, str]:
    """The headers that take part, by lower-case name; `extra` is in those that are signed too."""
    headers = {header.lower(): extra for header in scheme(name).headers}
    now = now or NOW_MS / 1000
    proof = authenticate(SIGNING[name], secret, body, now=now, headers=headers)
    return headers | {header.lower(): value for header, value in proof.items()}


def verdict(
    catalog: Catalog, name: str, secret: str, headers: dict[str, str], body: bytes
) -> Reason | None:
    return fault(catalog.sources[name], secret, headers, body, NOW_MS)


@every_source
@given(key=KEYS, older=KEYS, other=KEYS, body=BODIES, extra=TEXT)
def test_what_is_signed_verifies(
    catalog: Catalog, name: str, key: bytes, older: bytes, other: bytes, body: bytes, extra: str
) -> None:
    # HMAC fills a key up with zero bytes: keys that differ in those alone are one key.
    assume(other.rstrip(b"\0") not in {key.rstrip(b"\0"), older.rstrip(b"\0")})
    both = f"{parameter(name, key)}\n{parameter(name, older)}"
    for one in (key, older):
        headers = signed(name, parameter(name, one), body, extra)
        assert verdict(catalog, name, both, headers, body) is None
    forged = signed(name, parameter(name, other), body, extra)
    assert verdict(catalog, name, both, forged, body) is Reason.BAD_SIGNATURE


def same_digest(one: str, other: str) -> bool:
    """Whether two headers differ in the case of a hex digest, or in its padding, alone."""
    marks = [text[:-64] for text in (one, other)]
    hexes = [text[-64:].lower() for text in (one, other)]
    return (marks[0] == marks[1] and hexes[0] == hexes[1]) or one == other.rstrip("=")


@every_source
@given(body=st.binary(min_size=1, max_size=120), data=st.data())
def test_any_bit_of_the_body(catalog: Catalog, name: str, body: bytes, data: st.DataObject) -> None:
    headers = signed(name, SECRET, body, "x")
    bit = data.draw(st.integers(0, 8 * len(body) - 1))
    changed = bytearray(body)
    changed[bit // 8] ^= 1 << bit % 8
    assert verdict(catalog, name, SECRET, headers, bytes(changed)) is Reason.BAD_SIGNATURE


@every_source
@given(body=BODIES, data=st.data())
def test_any_bit_of_a_header(catalog: Catalog, name: str, body: bytes, data: st.DataObject) -> None:
    headers = signed(name, SECRET, body, "msg_1")
    header = data.draw(st.sampled_from(sorted(headers)))
    value = headers[header]
    place = data.draw(st.integers(0, len(value) - 1))
    flipped = chr(ord(value[place]) ^ 1 << data.draw(st.integers(0, 6)))
    changed = {**headers, header: value[:place] + flipped + value[place + 1 :]}
    assume(not same_digest(changed[header], value))
    assert verdict(catalog, name, SECRET, changed, body) is Reason.BAD_SIGNATURE


@every_source
@given(body=BODIES, data=st.data())
def test_a_part_of_a_header(catalog: Catalog, name: str, body: bytes, data: st.DataObject) -> None:
    headers = signed(name, SECRET, body, "msg_1")
    header = data.draw(st.sampled_from(sorted(headers)))
    value = headers[header]
    start, end = sorted((data.draw(st.integers(0, len(value))), data.draw(st.integers(0, 200))))
    part = value[start:end]
    assume(part != value and not same_digest(part, value))
    changed = {**headers, header: part}
    assert verdict(catalog, name, SECRET, changed, body) is Reason.BAD_SIGNATURE


HOSTILE = st.text(max_size=40) | st.sampled_from(
    ["", ",", " ", "v1=", "v1,", "t=,v1=", "t=1,t=2", "sha256=", "\0", "\ud800", "v0=" + "0" * 64]
)


@every_source
@given(body=BODIES, data=st.data())
def test_hostile_headers_are_rejected(
    catalog: Catalog, name: str, body: bytes, data: st.DataObject
) -> None:
    """With lone surrogates too, which no envelope holds but an event's JSON can."""
    names = sorted({header.lower() for header in scheme(name).headers})
    headers = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(names, HOSTILE)))
    assert verdict(catalog, name, SECRET, headers, body) is Reason.BAD_SIGNATURE


@every_source
@given(body=BODIES, data=st.data())
def test_hostile_bytes_in_an_envelope_are_rejected(
    catalog: Catalog, name: str, body: bytes, data: st.DataObject
) -> None:
    names = sorted({header.lower() for header in scheme(name).headers})
    values = data.draw(st.fixed_dictionaries(dict.fromkeys(names, st.binary(max_size=40))))
    fields = "".join(f"&h.{n}={quote_from_bytes(value)}" for n, value in values.items())
    envelope = decode_envelope(f"v=1&id=a&ts={NOW_MS}&source={name}{fields}\n".encode() + body)
    event = Event("1", "shardId-0", 0.0, envelope, catalog.sources[name], "a", "1")
    ssm = FakeSsm({f"/P/{name}/dev/signing_secret": f"{SECRET}\n{PREVIOUS}"})
    outcome = verify(event, SecretStore(ssm, "P", "dev").of)
    assert outcome is not None
    assert (outcome.kind, outcome.reason) == (OutcomeKind.REJECTED, Reason.BAD_SIGNATURE)


@pytest.mark.parametrize("name", [n for n in SIGNING if scheme(n).timestamp is not None])
@given(age=st.integers(-1000, 1000), body=BODIES)
def test_a_time_is_stale_beyond_the_tolerance_either_way(
    catalog: Catalog, name: str, age: int, body: bytes
) -> None:
    when = scheme(name).timestamp
    assert when is not None
    second = NOW_MS // 1000
    headers = signed(name, SECRET, body, "x", now=second - age)
    ssm = FakeSsm({f"/P/{name}/dev/signing_secret": SECRET})
    store = SecretStore(ssm, "P", "dev")
    found = find_fault(catalog.sources[name], store.of, headers, body, second * 1000)
    stale = abs(age) > when.tolerance_seconds
    assert (found[0] if found else None) is (Reason.STALE_SIGNATURE if stale else None)


@every_source
@given(secret=st.binary(max_size=60) | TEXT.map(lambda text: f"whsec_{text}".encode()))
def test_a_key_is_made_or_the_secret_is_refused(catalog: Catalog, name: str, secret: bytes) -> None:
    settings = catalog.sources[name].signature
    assert settings is not None
    with suppress(SecretError):
        key = signing_key(settings, secret)
        assert key
        assert key.strip() or settings.key_encoding == "base64"


def test_there_are_sources_to_test(sources: dict[str, LoadedSource]) -> None:
    assert len(SIGNING) >= 8
    assert set(SIGNING) <= set(sources)


@given(
    st.binary(max_size=300),
    st.lists(st.binary(max_size=300) | st.integers(2_000, 2_100).map(bytes), min_size=1),
    st.sampled_from(["sha1", "sha256", "sha384", "sha512"]),
)
def test_a_kept_key_gives_the_macs_of_the_standard_library(
    key: bytes, messages: list[bytes], algorithm: str
) -> None:
    kept = mac_with(key, algorithm)
    for message in messages:
        assert kept(message) == hmac.digest(key, message, algorithm)
