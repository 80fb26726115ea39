"""Requests that were changed on the way, for each signature scheme of the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.event.outcomes import Reason
from pipeline.event.signatures import sign
from tests.support.schemes import (
    BODY,
    LISTED,
    NAMES,
    SCHEMES,
    TIME,
    TIMED,
    fault,
    secret_of,
    vector,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.event.compiled_source import Catalog

CHANGES: dict[str, Callable[[str], str]] = {
    "truncated": lambda value: value.rstrip("=")[:-1],
    "halved": lambda value: value[: len(value) // 2],
    "longer": lambda value: value + "0",
    "another case": lambda value: value.swapcase(),
    "upper-case mark": lambda value: value[:1].upper() + value[1:],
    "no prefix": lambda value: value.rpartition("=")[2] if value[-1] != "=" else value[3:],
    "another prefix": lambda value: f"v9={value}",
    "prefix alone": lambda value: value[:3],
    "run on": lambda value: value + value[-8:],
    "a NUL at the end": lambda value: value + "\0",
    "a NUL for the last": lambda value: value[:-1] + "\0",
    "a NUL at the start": lambda value: "\0" + value,
    "full-width last": lambda value: value[:-1] + "\uff11",
    "no-break space": lambda value: value + "\xa0",
    "a lone surrogate": lambda value: value[:-1] + "\ud800",
    "empty": lambda value: "",
    "blank": lambda value: "   ",
    "quoted": lambda value: f'"{value}"',
    "zeros": lambda value: "".join("0" if char.isalnum() else char for char in value),
    "separators": lambda value: ", , ,,  ,",
    "very long": lambda value: "v1=0," * 2000,
}

#: What is the same digest, or no change.
SAME = {("generic-hmac", one) for one in ("no prefix", "another case", "upper-case mark")}


@pytest.mark.parametrize(
    ("name", "change"),
    [(name, change) for name in NAMES for change in CHANGES if (name, change) not in SAME],
)
def test_a_changed_signature_is_refused(catalog: Catalog, name: str, change: str) -> None:
    source, parameter, header, headers = vector(catalog, name)
    changed = {**headers, header: CHANGES[change](headers[header])}
    assert changed != headers
    assert fault(source, parameter, changed) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_header_is_refused(catalog: Catalog, name: str) -> None:
    source, parameter, _, headers = vector(catalog, name)
    for missing in headers:
        rest = {header: value for header, value in headers.items() if header != missing}
        assert fault(source, parameter, rest) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("space", [" {}", "{} ", "\t{}", "{}\t"])
def test_white_space_around_the_header(catalog: Catalog, name: str, space: str) -> None:
    """A list may have white space around its values (RFC 9110); a single value is exact text."""
    source, parameter, header, headers = vector(catalog, name)
    changed = {**headers, header: space.format(headers[header])}
    expected = None if name in LISTED else Reason.BAD_SIGNATURE
    assert fault(source, parameter, changed) is expected


@pytest.mark.parametrize("name", LISTED)
def test_several_signatures(catalog: Catalog, name: str) -> None:
    source, parameter, header, headers = vector(catalog, name)
    settings = source.signature
    assert settings is not None
    assert settings.separator is not None
    time, good = "", headers[header]
    if name == "stripe":
        time, good = good.split(",")
        time += ","
    other = SCHEMES[name](b"another", BODY)[header].rpartition(",v1=")[2]
    other = other if other.startswith(settings.prefix) else settings.prefix + other
    unknown = {"stripe": "v0=" + "6" * 64, "pagerduty": "v2=" + "6" * 64}.get(
        name, "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8A=="
    )
    for listed, expected in (
        ([good, other], None),
        ([other, good], None),
        ([unknown, other, good, unknown], None),
        ([other, other], Reason.BAD_SIGNATURE),
        ([unknown], Reason.BAD_SIGNATURE),
        ([other, good.rstrip("=")[:-1]], Reason.BAD_SIGNATURE),
        ([other[:-10], good[-10:]], Reason.BAD_SIGNATURE),
        (["", "", good, ""], None),
    ):
        value = time + settings.separator.join(listed)
        assert fault(source, parameter, {**headers, header: value}) is expected, value
    spaced = time + f"{settings.separator} ".join([other, good])
    assert fault(source, parameter, {**headers, header: spaced}) is None


@pytest.mark.parametrize("name", NAMES)
def test_another_spelling_of_the_same_digest_fits(catalog: Catalog, name: str) -> None:
    """The bytes are compared: senders write upper-case hex, and leave out the padding."""
    source, parameter, header, headers = vector(catalog, name)
    text = headers[header]
    spelled = text.rstrip("=") if text[-1] == "=" else text[:-64] + text[-64:].upper()
    assert spelled != text
    assert fault(source, parameter, {**headers, header: spelled}) is None


def test_the_mark_of_one_version_does_not_stand_for_another(catalog: Catalog) -> None:
    """The right digest under another mark is no signature: v1a, v0 and v2 are other schemes."""
    for name, before, after in (
        ("standard-webhooks", "v1,", "v1a,"),
        ("stripe", "v1=", "v0="),
        ("pagerduty", "v1=", "v2="),
    ):
        source, parameter, header, headers = vector(catalog, name)
        changed = {**headers, header: headers[header].replace(before, after)}
        assert fault(source, parameter, changed) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize(
    ("beyond", "expected"),
    [(0, None), (1, Reason.STALE_SIGNATURE), (86_400 * 365, Reason.STALE_SIGNATURE)],
)
def test_the_time_from_signing_to_arrival(
    catalog: Catalog, name: str, beyond: int, expected: Reason | None
) -> None:
    source, parameter, _, headers = vector(catalog, name)
    assert source.signature is not None
    seconds = source.signature.tolerance_seconds + beyond
    for arrived in (int(TIME) + seconds, int(TIME) - seconds):
        assert fault(source, parameter, headers, arrived_ms=arrived * 1000) is expected


@pytest.mark.parametrize("name", TIMED)
def test_the_time_is_signed(catalog: Catalog, name: str) -> None:
    source, parameter, _, headers = vector(catalog, name)
    later = str(int(TIME) + 1)
    changed = {header: value.replace(TIME, later) for header, value in headers.items()}
    assert changed != headers
    assert fault(source, parameter, changed) is Reason.BAD_SIGNATURE


def test_of_two_times_the_first_is_signed_and_judged(catalog: Catalog) -> None:
    """Stripe's library takes the first as well: a fresh time cannot be put beside an old one."""
    source, parameter, header, headers = vector(catalog, "stripe")
    much_later = int(TIME) + 5000
    for value, expected in (
        (f"{headers[header]},t={much_later}", Reason.STALE_SIGNATURE),
        (f"t={much_later},{headers[header]}", Reason.BAD_SIGNATURE),
    ):
        arrived_ms = much_later * 1000
        assert fault(source, parameter, {header: value}, arrived_ms=arrived_ms) is expected


def test_an_id_that_is_signed_cannot_be_changed(catalog: Catalog) -> None:
    source, parameter, _, headers = vector(catalog, "standard-webhooks")
    for changed in ("msg_2", "", "msg_1 ", f"msg_1.{TIME}"):
        altered = {**headers, "webhook-id": changed}
        assert fault(source, parameter, altered) is Reason.BAD_SIGNATURE


def test_bytes_that_look_alike_are_not_alike(catalog: Catalog) -> None:
    """A lone surrogate must not be signed as '?': two ids would share one signature."""
    source = catalog.sources["standard-webhooks"]
    settings = source.signature
    assert settings is not None
    parameter, _ = secret_of(source.name)
    headers = {"webhook-id": "a?", "webhook-timestamp": TIME}
    headers["webhook-signature"] = sign(settings, parameter.encode(), BODY, headers)
    assert fault(source, parameter, headers) is None
    assert fault(source, parameter, {**headers, "webhook-id": "a\ud800"}) is Reason.BAD_SIGNATURE
