"""Signature vectors for each scheme of the catalogue: published ones, and ones made by hand."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.event.envelope import Envelope
from pipeline.event.events import Event
from pipeline.event.outcomes import Reason
from pipeline.event.secrets import SecretError
from pipeline.event.signatures import find_fault, sign, signing_key, verify
from pipeline.runtime.secret_store import SecretStore
from tests.support.fakes import FakeSsm
from tests.support.schemes import (
    ARRIVED_MS,
    BODY,
    HEX_KEY,
    NAMES,
    SCHEMES,
    TIME,
    fault,
    secret_of,
    vector,
)

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

# What the parameter of a source must not be: each would be a key that anyone can guess.
EMPTY = ["", "\n", " \t\n ", "whsec_", " whsec_ \n", "whsec_\n\n"]
NO_BASE64 = ["whsec_no base64!", "whsec_abc*", "whsec_A", "whsec_=", "whsec_====", "whsec_a-b_"]


# name, parameter, headers, body, arrival in milliseconds
PUBLISHED = [
    pytest.param(
        # docs.github.com, "Validating webhook deliveries"
        "github",
        "It's a Secret to Everybody",
        {
            "x-hub-signature-256": "sha256="
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        },
        b"Hello, World!",
        ARRIVED_MS,
        id="github",
    ),
    pytest.param(
        # support.atlassian.com, "Manage webhooks": the example of a secret and its signature
        "bitbucket",
        "It's a Secret to Everybody",
        {
            "x-hub-signature": "sha256="
            "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
        },
        b"Hello World!",
        ARRIVED_MS,
        id="bitbucket",
    ),
    pytest.param(
        # docs.slack.dev, "Verifying requests from Slack"
        "slack",
        "8f742231b10e8888abcd99yyyzzz85a5",
        {
            "x-slack-request-timestamp": "1531420618",
            "x-slack-signature": "v0="
            "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        },
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
        b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447"
        b"fce8b6703c",
        1_531_420_618_000,
        id="slack",
    ),
    pytest.param(
        # docs.svix.com, "Verifying webhooks manually": the vector that the specification's
        # libraries test themselves with
        "standard-webhooks",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        b'{"test": 2432232314}',
        1_614_265_330_000,
        id="standard-webhooks",
    ),
]


@pytest.mark.parametrize(("name", "parameter", "headers", "body", "arrived_ms"), PUBLISHED)
def test_published_vectors(
    catalog: Catalog,
    name: str,
    parameter: str,
    headers: dict[str, str],
    body: bytes,
    arrived_ms: int,
) -> None:
    source = catalog.sources[name]
    assert fault(source, parameter, headers, body, arrived_ms) is None
    assert fault(source, parameter, headers, body + b" ", arrived_ms) is Reason.BAD_SIGNATURE


def test_the_vectors_are_those_of_sources_that_sign(catalog: Catalog) -> None:
    signing = {name for name, source in catalog.sources.items() if source.signature}
    assert signing >= set(SCHEMES)


@pytest.mark.parametrize("body", [BODY, b"", b"\x00\xff\xfe", b'{"a": 1}\r\n', b"." * 10_000])
@pytest.mark.parametrize("name", NAMES)
def test_a_scheme_by_hand(catalog: Catalog, name: str, body: bytes) -> None:
    source = catalog.sources[name]
    parameter, key = secret_of(name)
    headers = SCHEMES[name](key, body)
    assert fault(source, parameter, headers, body) is None
    assert fault(source, f"another12345\n{parameter}", headers, body) is None
    assert fault(source, "another12345\nthird1234567", headers, body) is Reason.BAD_SIGNATURE
    settings = source.signature
    assert settings is not None
    bare = {header: value for header, value in headers.items() if header != settings.header}
    if settings.timestamp_header == settings.header:
        bare[settings.header] = f"t={TIME}"
    assert sign(settings, parameter.encode(), body, bare) == headers[settings.header]


@pytest.mark.parametrize(
    ("unit", "written", "age"),
    [
        ("seconds", "1795464503", 0),
        ("milliseconds", "1795464503000", 0),
        ("milliseconds", "1795464202999", 301),
        ("iso8601", "2026-11-23T20:08:23Z", 0),
        ("iso8601", "2026-11-23T22:08:23.500+02:00", 0),
        ("iso8601", "2026-11-23T20:03:22+00:00", 301),
        ("iso8601", "20261123T200823Z", 0),
        ("iso8601", "2026-11-23T20:08:23.634234626Z", 0),  # Twitch writes nanoseconds
        ("iso8601", "2026-11-23T20:03:21.999999999Z", 301),
    ],
)
def test_units_of_time(catalog: Catalog, unit: str, written: str, age: int) -> None:
    assert outcome_of(catalog, unit, written) is (Reason.STALE_SIGNATURE if age else None)


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ("seconds", "1795464503000"),  # milliseconds
        ("seconds", "1795464503.0"),
        ("seconds", "2026-11-23T20:08:23Z"),
        ("milliseconds", "1795464503"),  # seconds
        ("milliseconds", "179546450300000"),
        ("iso8601", "1795464503"),
        ("iso8601", "2026-11-23T20:08:23"),  # no offset: no one can tell when that was
        ("iso8601", "2026-11-23"),
        ("iso8601", "2026-11-23T20:08:23.63423462xZ"),
        ("iso8601", "2026-11-23T20:08:23.Z"),
        ("iso8601", "0001-01-01T00:00:00+23:59"),
        ("iso8601", "9999-12-31T23:59:59-23:59"),
        ("iso8601", "\ud800"),
        ("iso8601", ""),
    ],
)
def test_a_time_in_another_unit_is_stale(catalog: Catalog, unit: str, written: str) -> None:
    assert outcome_of(catalog, unit, written) is Reason.STALE_SIGNATURE


def outcome_of(catalog: Catalog, unit: str, written: str) -> Reason | None:
    """Sign a time in another unit than the source's own."""
    source = catalog.sources["generic-hmac"]
    assert source.signature is not None
    settings = replace(source.signature, timestamp_unit=unit)
    headers = {"x-timestamp": written}
    headers["x-signature"] = sign(settings, HEX_KEY, BODY, headers)
    return fault(replace(source, signature=settings), HEX_KEY.decode(), headers)


@pytest.mark.parametrize("parameter", EMPTY)
@pytest.mark.parametrize("name", NAMES)
def test_an_empty_secret_settles_nothing(catalog: Catalog, name: str, parameter: str) -> None:
    source, _, _, _ = vector(catalog, name)
    settings = source.signature
    assert settings is not None
    # Both with the key that the text would make, and with an empty one: neither lets anyone in.
    for key in (b"", parameter.encode(), parameter.strip().encode()):
        headers = SCHEMES[name](key, BODY)
        with pytest.raises(SecretError, match=r"is empty|source .*: the signing secret is empty"):
            fault(source, parameter, headers)
        envelope = Envelope("id", ARRIVED_MS, name, "", BODY, "", headers)
        event = Event("1", "shardId-0", 0.0, envelope, source, "id", "1")
        ssm = FakeSsm({f"/P/{name}/dev/{source.secret_kind}": parameter})
        outcome = verify(event, SecretStore(ssm, "P", "dev").of)
        assert outcome is not None
        assert outcome.reason is Reason.SECRET_UNAVAILABLE
    for given in (parameter.encode(), parameter.strip().encode()):
        with pytest.raises(SecretError):
            signing_key(settings, given)
        with pytest.raises(SecretError):
            sign(settings, given, BODY)


@pytest.mark.parametrize("parameter", NO_BASE64)
def test_a_secret_that_is_no_base64_settles_nothing(catalog: Catalog, parameter: str) -> None:
    source, _, _, _ = vector(catalog, "standard-webhooks")
    for key in (b"", parameter.encode(), parameter.removeprefix("whsec_").encode()):
        with pytest.raises(
            SecretError, match="standard-webhooks: the signing secret is not base64"
        ):
            fault(source, parameter, SCHEMES["standard-webhooks"](key, BODY))


def test_the_form_of_the_secret(catalog: Catalog) -> None:
    """The mark may be left out, and so may the padding: the specification's libraries take both."""
    source = catalog.sources["standard-webhooks"]
    for key in (b"24 bytes, no padding", b"25 bytes, with a padding."):
        headers = SCHEMES["standard-webhooks"](key, BODY)
        text = base64.b64encode(key).decode()
        for parameter in (text, f"whsec_{text}", text.rstrip("="), f"  whsec_{text}\r\n"):
            assert fault(source, parameter, headers) is None
    # Stripe shows the same mark, and the whole text is the key.
    parameter, key = secret_of("stripe")
    assert fault(catalog.sources["stripe"], parameter, SCHEMES["stripe"](key, BODY)) is None
    bare = SCHEMES["stripe"](key.removeprefix(b"whsec_"), BODY)
    assert fault(catalog.sources["stripe"], parameter, bare) is Reason.BAD_SIGNATURE


def test_one_bad_line_of_the_two_settles_nothing(catalog: Catalog) -> None:
    """A half-written rotation is for its operator to mend; until then no request is turned away."""
    source, parameter, _, headers = vector(catalog, "standard-webhooks")
    with pytest.raises(SecretError):
        fault(source, f"{parameter}\nwhsec_no base64!", headers)


def test_a_mended_secret_is_read_at_once(catalog: Catalog) -> None:
    source, parameter, _, headers = vector(catalog, "standard-webhooks")
    ssm = FakeSsm({"/P/standard-webhooks/dev/signing_secret": "whsec_no base64!"})
    now = 1000.0
    store = SecretStore(ssm, "P", "dev", lambda: now)
    with pytest.raises(SecretError):
        find_fault(source, store.of, headers, BODY, ARRIVED_MS)
    ssm.parameters["/P/standard-webhooks/dev/signing_secret"] = parameter
    now += 20  # past the pause between two readings, far from the five minutes that a value serves
    assert find_fault(source, store.of, headers, BODY, ARRIVED_MS) is None


def test_a_header_without_a_signature_does_not_ask_for_the_secret(catalog: Catalog) -> None:
    source = catalog.sources["pagerduty"]
    ssm = FakeSsm({})
    headers = {"x-pagerduty-signature": "v2=00,,v0=00"}
    found = find_fault(source, SecretStore(ssm, "P", "dev").of, headers, BODY, ARRIVED_MS)
    assert found == (
        Reason.BAD_SIGNATURE,
        "header x-pagerduty-signature has no signature that starts with v1=: no 32 bytes in hex",
    )
