"""Signature vectors: GitHub's published example, and one for each option."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.event.compiled_source import Signature
from pipeline.event.encodings import MOST_PARTS
from pipeline.event.envelope import Envelope
from pipeline.event.events import Event
from pipeline.event.identity import fingerprint_of
from pipeline.event.outcomes import Reason
from pipeline.event.secrets import SecretError
from pipeline.event.signatures import find_fault, sign, verify
from pipeline.runtime.secret_store import SecretStore
from settings.source.authentication import HmacAuthentication
from settings.source.filling import compiled_as
from tests.support.fakes import FakeSsm

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.event.compiled_source import Catalog


def signature(**settings: Any) -> Signature:
    """As it is compiled from what `source.yaml` would say."""
    return compiled_as(Signature, HmacAuthentication(type="hmac", **settings))


GITHUB = signature(header="X-Hub-Signature-256", prefix="sha256=")
TIMED = signature(
    header="x-sig", prefix="v0=", signed="v0:{timestamp}:{body}", timestamp={"header": "X-Time"}
)
BODY = b'{"a": "\xff"}'


def outcome(
    catalog: Catalog,
    settings: Signature,
    headers: dict[str, str],
    *,
    body: bytes = BODY,
    arrived_ms: int = 1_000_000_000,
    parameter: str = "s3cret\nolder",
) -> Reason | str | None:
    source = replace(catalog.sources["github"], signature=settings)
    envelope = Envelope("id", arrived_ms, "github", "", body, "", headers)
    event = Event("1", "shardId-0", 0.0, envelope, source, "id", "1")
    store = SecretStore(FakeSsm({"/P/github/dev/signing_secret": parameter}), "P", "dev")
    result = verify(event, store.of)
    return None if result is None else result.reason or str(result.kind)


def test_githubs_published_example() -> None:
    """From 'Validating webhook deliveries' in GitHub's documentation."""
    assert sign(GITHUB, b"It's a Secret to Everybody", b"Hello, World!") == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


ENCODERS: dict[str, Callable[[bytes], str]] = {
    "hex": bytes.hex,
    "base64": lambda digest: base64.b64encode(digest).decode(),
    "base64url": lambda digest: base64.urlsafe_b64encode(digest).decode(),
}


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("encoding", ENCODERS)
@pytest.mark.parametrize("prefix", ["", "v1="])
def test_each_option(catalog: Catalog, algorithm: str, encoding: str, prefix: str) -> None:
    digest = hmac.new(b"s3cret", BODY, getattr(hashlib, algorithm))
    text = ENCODERS[encoding](digest.digest())
    settings = signature(header="X-Sig", prefix=prefix, algorithm=algorithm, encoding=encoding)
    assert outcome(catalog, settings, {"x-sig": prefix + text}) is None
    assert (
        outcome(catalog, settings, {"x-sig": prefix + text.rstrip("=")[:-1]})
        is Reason.BAD_SIGNATURE
    )
    changed = outcome(catalog, settings, {"x-sig": prefix + text}, body=BODY + b" ")
    assert changed is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("encoding", ENCODERS)
def test_each_spelling_of_the_same_bytes_fits_and_no_other_text(
    catalog: Catalog, algorithm: str, encoding: str
) -> None:
    digest = hmac.new(b"s3cret", BODY, algorithm).digest()
    settings = signature(header="X-Sig", prefix="v1=", algorithm=algorithm, encoding=encoding)
    text = ENCODERS[encoding](digest)
    bare = text.rstrip("=")
    same = {text, bare} if encoding != "hex" else {text, text.upper(), text[:9] + text[9:].upper()}
    other = {
        text.swapcase() if encoding != "hex" else text[:-1] + "g",
        f"{text}=",
        f" {text}",
        f"{text}\n",
        text[:8] + " " + text[8:],
        text[:-2],
        f"{text}00",
        f"{text}{text}",
        ENCODERS["base64" if encoding == "hex" else "hex"](digest),
        text[:-1] + "\u0661",
        "A" * 5_000_000,
        "=" * 64,
    }
    if encoding != "hex" and len(bare) % 4:
        # The bits that the last letter has over: another text of the same bytes, which none writes.
        other.add(bare[:-1] + chr(ord(bare[-1]) + 1))
    for one in same:
        assert outcome(catalog, settings, {"x-sig": f"v1={one}"}) is None, one
    for one in other - same:
        assert outcome(catalog, settings, {"x-sig": f"v1={one}"}) is Reason.BAD_SIGNATURE, one[:99]


def test_of_a_header_with_thousands_of_values_a_bounded_number_is_tried(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = signature(header="X-Sig", prefix="v1=", separator=",")
    good = sign(settings, b"s3cret", BODY)
    other = "v1=" + "0" * 64
    compared: list[bytes] = []

    def compare(one: bytes, given: bytes) -> bool:
        compared.append(given)
        return one == given

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for listed in ([other] * 49 + [good], [good] + [other] * 20_000):
        assert outcome(catalog, settings, {"x-sig": ",".join(listed)}) is None
    assert len(compared) <= 2 * 2 * MOST_PARTS
    late = ",".join([other] * 50 + [good])
    assert outcome(catalog, settings, {"x-sig": late}) is Reason.BAD_SIGNATURE
    for value in ("," * 1_000_000, "v1=," * 250_000, f"v1={'0' * 1_000_000}"):
        assert outcome(catalog, settings, {"x-sig": value}) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("algorithm", "encoding", "kept"),
    [
        # What is stored today: the first 32 characters of what the sender wrote.
        ("sha1", "hex", "8c0af747973d635f257a82e372fd57a1"),
        ("sha256", "hex", "062a63e4adb644ba7f6b5381c55b2abb"),
        ("sha1", "base64", "jAr3R5c9Y18leoLjcv1XoWLDUMc="),
        ("sha256", "base64", "Bipj5K22RLp/a1OBxVsqu7tSyL4Jyorc"),
    ],
)
def test_the_fingerprint_of_a_body_is_one_whatever_the_spelling(
    catalog: Catalog, algorithm: str, encoding: str, kept: str
) -> None:
    digest = hmac.new(b"s3cret", BODY, algorithm).digest()
    settings = signature(header="X-Sig", prefix="v1=", algorithm=algorithm, encoding=encoding)
    text = ENCODERS[encoding](digest)
    found = set()
    for one in (text, text.rstrip("="), text.upper() if encoding == "hex" else text):
        headers = {"x-sig": f"v1={one}"}
        assert outcome(catalog, settings, headers) is None
        source = replace(catalog.sources["github"], signature=settings)
        envelope = Envelope("id", 0, "github", "", BODY, "", headers)
        found.add(fingerprint_of(Event("1", "shardId-0", 0.0, envelope, source, "id", "1")))
    assert found == {text[:32]}
    assert text[:32] == kept


def timed(secret: bytes = b"s3cret", time: str = "1000000") -> dict[str, str]:
    signed = b"v0:" + time.encode() + b":" + BODY
    return {"x-time": time, "x-sig": "v0=" + hmac.new(secret, signed, "sha256").hexdigest()}


def test_a_signed_time(catalog: Catalog) -> None:
    assert outcome(catalog, TIMED, timed()) is None
    assert outcome(catalog, TIMED, {**timed(), "x-time": "1000001"}) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("time", "stale"), [("999701", False), ("999699", True), ("1000301", True)]
)
def test_the_tolerance_is_from_signing_to_arrival(catalog: Catalog, time: str, stale: bool) -> None:
    expected = Reason.STALE_SIGNATURE if stale else None
    assert outcome(catalog, TIMED, timed(time=time)) is expected


@pytest.mark.parametrize("time", ["", "soon", "-5", "1e6", "\u0661", "1" * 40])
def test_a_time_that_is_none(catalog: Catalog, time: str) -> None:
    assert outcome(catalog, TIMED, timed(time=time)) is Reason.STALE_SIGNATURE


def test_a_forged_request_is_bad_before_it_is_stale(catalog: Catalog) -> None:
    assert outcome(catalog, TIMED, timed(b"forged", "5")) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "given", ["", "sha256=", "sha256=zz", "ü", "sha1=" + "0" * 64, "sha256=" + "0" * 10_000]
)
def test_hostile_values(catalog: Catalog, given: str) -> None:
    headers = {"x-hub-signature-256": given}
    assert outcome(catalog, GITHUB, headers) is Reason.BAD_SIGNATURE


def test_each_secret_of_the_parameter_and_no_other(catalog: Catalog) -> None:
    older = {"x-hub-signature-256": sign(GITHUB, b"older", BODY)}
    assert outcome(catalog, GITHUB, older) is None
    assert outcome(catalog, GITHUB, older, parameter="s3cret\nother\nolder") is None
    assert outcome(catalog, GITHUB, older, parameter="s3cret\nother") is Reason.BAD_SIGNATURE
    eleven = "\n".join(f"s3cret-{number}" for number in range(10)) + "\nolder"
    assert outcome(catalog, GITHUB, older, parameter=eleven) is Reason.SECRET_UNAVAILABLE


def test_the_keys_that_are_remembered_are_those_of_these_secrets(catalog: Catalog) -> None:
    source = replace(catalog.sources["github"], signature=GITHUB)
    one, other, broken = (b"s3cret", b"older"), (b"another",), (b"",)
    for known, secret, fits in (
        (one, b"s3cret", True),
        (one, b"older", True),
        (other, b"s3cret", False),
        (other, b"another", True),
        (one, b"another", False),
        (one, b"s3cret", True),
    ):
        headers = {"x-hub-signature-256": sign(GITHUB, secret, BODY)}
        found = find_fault(source, lambda *_, known=known: [known], headers, BODY, 0)
        assert (found is None) == fits
        for _ in range(2):
            with pytest.raises(SecretError, match="is empty"):
                find_fault(source, lambda *_, broken=broken: [broken], headers, BODY, 0)


def test_an_empty_parameter_lets_no_one_in(catalog: Catalog) -> None:
    forged = {"x-hub-signature-256": "sha256=" + hmac.new(b"", BODY, "sha256").hexdigest()}
    assert outcome(catalog, GITHUB, forged, parameter="\n") is Reason.SECRET_UNAVAILABLE
