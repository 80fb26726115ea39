"""The senders' own libraries against this verifier: what the one accepts, so must the other."""

from __future__ import annotations

import hmac
import re
import time
from typing import TYPE_CHECKING

import pytest

from pipeline.event.outcomes import Reason
from pipeline.event.secrets import SecretError
from pipeline.event.signatures import sign
from tests.support.bench import PREVIOUS, SECRET
from tests.support.libraries import FRESH, LIBRARIES, NAMES
from tests.support.schemes import fault
from toolbox.sources.samples import authenticate

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.event.compiled_source import Catalog
    from settings.source.loader import LoadedSource
    from tests.support.libraries import Headers, Library

BODY = '{"text": "Größe 金額 \U0001f511", "n": 1.50}\n'.encode()
NOT_UTF8 = b'{"text": "Gr\xf6\xdfe"}'


def ours(catalog: Catalog, name: str, headers: Headers, body: bytes) -> Reason | None:
    arrived_ms = int(time.time() * 1000)
    return fault(catalog.sources[name], f"{SECRET}\n{PREVIOUS}", headers, body, arrived_ms)


def made_by_us(
    source: LoadedSource, body: bytes, secret: str = SECRET, also: str | None = None
) -> Headers:
    proof = authenticate(source, secret, body, now=time.time(), headers=FRESH, also=also)
    headers = {**FRESH, **proof} if source.name == "standard-webhooks" else proof
    return {name.lower(): value for name, value in headers.items()}


@pytest.mark.parametrize("body", [BODY, b"", b"{}", b'{"a":"\\u0000"}\r\n', b"x" * 5000])
@pytest.mark.parametrize("name", NAMES)
def test_what_we_sign_the_library_accepts(
    sources: dict[str, LoadedSource], name: str, body: bytes
) -> None:
    library = LIBRARIES[name]
    assert library.accepts(made_by_us(sources[name], body), body)
    assert library.accepts(made_by_us(sources[name], body, PREVIOUS), body, PREVIOUS)
    assert not library.accepts(made_by_us(sources[name], body, PREVIOUS), body)


@pytest.mark.parametrize("name", ["standard-webhooks", "stripe"])
def test_what_we_sign_twice_the_library_accepts(
    sources: dict[str, LoadedSource], name: str
) -> None:
    headers = made_by_us(sources[name], BODY, SECRET, also="AnotherSecretKey")
    # Where a signature begins: base64 can hold "v1" by chance.
    assert len(re.findall(r"(?:^|[ ,])v1[,=]", headers[LIBRARIES[name].header])) == 2
    assert headers[LIBRARIES[name].header].count("t=") == (name == "stripe")
    for secret in (SECRET, "AnotherSecretKey"):
        assert LIBRARIES[name].accepts(headers, BODY, secret)
    assert not LIBRARIES[name].accepts(headers, BODY, PREVIOUS)


@pytest.mark.parametrize("body", [BODY, b"", b"{}", b'{"a":"\\u0000"}\r\n', b"x" * 5000])
@pytest.mark.parametrize("name", NAMES)
def test_what_the_library_signs_we_accept(catalog: Catalog, name: str, body: bytes) -> None:
    sign = LIBRARIES[name].sign
    for secret, expected in (
        (SECRET, None),
        (PREVIOUS, None),
        ("AnotherSecretKey", Reason.BAD_SIGNATURE),
    ):
        assert ours(catalog, name, sign(secret, body, int(time.time())), body) is expected


def _value(change: Callable[[str], str]) -> Callable[[Library], tuple[Headers, bytes]]:
    """A request whose signature header was changed."""

    def make(library: Library) -> tuple[Headers, bytes]:
        headers = library.sign(SECRET, BODY, int(time.time()))
        return {**headers, library.header: change(headers[library.header])}, BODY

    return make


def _body(change: Callable[[bytes], bytes]) -> Callable[[Library], tuple[Headers, bytes]]:
    """A request whose body was changed after it was signed."""
    return lambda library: (library.sign(SECRET, BODY, int(time.time())), change(BODY))


def _age(seconds: int) -> Callable[[Library], tuple[Headers, bytes]]:
    """A request that was signed so long ago."""
    return lambda library: (library.sign(SECRET, BODY, int(time.time()) - seconds), BODY)


def _time(change: Callable[[str], str]) -> Callable[[Library], tuple[Headers, bytes]]:
    """A request whose time was changed after it was signed."""

    def make(library: Library) -> tuple[Headers, bytes]:
        at = int(time.time())
        headers = library.sign(SECRET, BODY, at)
        return {n: v.replace(str(at), change(str(at))) for n, v in headers.items()}, BODY

    return make


def _listed(*positions: str) -> Callable[[Library], tuple[Headers, bytes]]:
    """A request whose header lists several signatures."""

    def make(library: Library) -> tuple[Headers, bytes]:
        at = int(time.time())
        right, wrong = (library.sign(s, BODY, at)[library.header] for s in (SECRET, "Another0"))
        head = ""
        if library.name == "stripe":
            head, right = right.split(",")
            wrong = wrong.split(",")[1]
        values = {"right": right, "wrong": wrong, "later": "v9,abc", "bare": "v9", "v0": "v0=abc"}
        separator = " " if library.name == "standard-webhooks" else ","
        text = separator.join([*([head] if head else []), *(values[p] for p in positions)])
        return {**library.sign(SECRET, BODY, at), library.header: text}, BODY

    return make


TAMPERED: dict[str, Callable[[Library], tuple[Headers, bytes]]] = {
    "nothing": _value(str),
    "first bit of the body": _body(lambda body: bytes([body[0] ^ 1]) + body[1:]),
    "last bit of the body": _body(lambda body: body[:-1] + bytes([body[-1] ^ 0x80])),
    "body without its newline": _body(bytes.rstrip),
    "body with a NUL": _body(lambda body: body + b"\0"),
    "no body": _body(lambda body: b""),
    "truncated": _value(lambda value: value[:-1]),
    "upper case": _value(lambda value: value[:16] + value[16:].upper()),
    "another prefix": _value(lambda value: value.replace("v1", "v2").replace("v0=", "v3=")),
    "no prefix": _value(lambda value: value[-44:] if value[-1] == "=" else value[-64:]),
    "prefix alone": _value(lambda value: value[:3]),
    "empty": _value(lambda value: ""),
    "blank": _value(lambda value: " "),
    "white space before": _value(lambda value: f" {value}"),
    "white space after": _value(lambda value: f"{value} "),
    "NUL before": _value(lambda value: f"\0{value}"),
    "NUL after": _value(lambda value: f"{value}\0"),
    "NUL for the last": _value(lambda value: f"{value[:-1]}\0"),
    "Unicode after": _value(lambda value: f"{value}ü"),
    "full-width digits": _value(lambda value: f"{value[:-1]}\uff11"),
    "junk after": _value(lambda value: f"{value}=!"),
    "right first": _listed("right", "wrong"),
    "right last": _listed("wrong", "right"),
    "right absent": _listed("wrong", "wrong"),
    "of another version": _listed("later", "right"),
    "of another version, no value": _listed("bare", "right"),
    "twice the same": _listed("right", "right"),
    "time one second later": _time(lambda at: str(int(at) + 1)),
    "no time": _time(lambda at: ""),
    "time as a float": _time(lambda at: f"{at}.0"),
    "time with a sign": _time(lambda at: f"+{at}"),
    "time with a zero": _time(lambda at: f"0{at}"),
    "time in white space": _time(lambda at: f" {at}"),
    "time in other digits": _time(
        lambda at: "".join(chr(ord("\u0660") + int(digit)) for digit in at)
    ),
    "four minutes old": _age(240),
    "six minutes old": _age(360),
    "four minutes early": _age(-240),
    "six minutes early": _age(-360),
}

# Where the two differ on purpose: (library, case) -> (do we accept it?, why)
_EXACT = "we compare exact text; the library decodes and drops what is no base64"
_BYTES = "we compare the digest, whose hex may be in either case and whose padding may be left out"
_LIST = "HTTP allows white space around the values of a list, and a proxy may add it"
_SIGNED_TEXT = "we sign the time as it was sent; the library parses it and signs its own writing"
_FUTURE = "we refuse a time that is to come as well; the library looks at old ones only"
DIFFERENT: dict[tuple[str, str], tuple[bool, str]] = {
    ("github", "upper case"): (True, _BYTES),
    ("slack", "upper case"): (True, _BYTES),
    ("stripe", "upper case"): (True, _BYTES),
    ("standard-webhooks", "truncated"): (True, _BYTES),
    ("standard-webhooks", "NUL after"): (False, _EXACT),
    ("standard-webhooks", "junk after"): (False, _EXACT),
    ("standard-webhooks", "white space before"): (True, _LIST),
    ("standard-webhooks", "of another version, no value"): (
        True,
        "the library raises at a value without a comma; the specification asks to try each",
    ),
    ("standard-webhooks", "time as a float"): (False, _SIGNED_TEXT),
    ("standard-webhooks", "time with a sign"): (False, _SIGNED_TEXT),
    ("standard-webhooks", "time with a zero"): (False, _SIGNED_TEXT),
    ("standard-webhooks", "time in white space"): (False, _SIGNED_TEXT),
    ("standard-webhooks", "time in other digits"): (False, _SIGNED_TEXT),
    ("stripe", "junk after"): (False, "the library leaves out what follows a second '='"),
    ("stripe", "white space before"): (True, _LIST),
    ("stripe", "white space after"): (True, _LIST),
    ("stripe", "time with a sign"): (False, _SIGNED_TEXT),
    ("stripe", "time with a zero"): (False, _SIGNED_TEXT),
    ("stripe", "time in white space"): (False, _SIGNED_TEXT),
    ("stripe", "time in other digits"): (False, _SIGNED_TEXT),
    ("stripe", "six minutes early"): (False, _FUTURE),
}


@pytest.mark.parametrize("case", TAMPERED)
@pytest.mark.parametrize("name", NAMES)
def test_both_agree_on_what_was_tampered_with(catalog: Catalog, name: str, case: str) -> None:
    library = LIBRARIES[name]
    headers, body = TAMPERED[case](library)
    we, they = ours(catalog, name, headers, body) is None, library.accepts(headers, body)
    expected, why = DIFFERENT.get((name, case), (they, "the library"))
    assert we == expected, why
    assert (we != they) == ((name, case) in DIFFERENT), (we, they)


def test_bytes_that_are_no_utf8(catalog: Catalog) -> None:
    """We sign bytes, as the senders document it. Three of the libraries decode the body first."""
    key, at = SECRET.encode(), int(time.time())
    for name, prefix, before in (
        ("github", "sha256=", ""),
        ("slack", "v0=", f"v0:{at}:"),
        ("stripe", f"t={at},v1=", f"{at}."),
    ):
        library = LIBRARIES[name]
        digest = hmac.new(key, before.encode() + NOT_UTF8, "sha256").hexdigest()
        headers = {**library.sign(SECRET, b"", at), library.header: prefix + digest}
        assert ours(catalog, name, headers, NOT_UTF8) is None
        assert library.accepts(headers, NOT_UTF8) == (name == "github")
    headers = made_by_us_standard(catalog, NOT_UTF8, FRESH["webhook-id"])
    assert ours(catalog, "standard-webhooks", headers, NOT_UTF8) is None
    assert not LIBRARIES["standard-webhooks"].accepts(headers, NOT_UTF8)


def made_by_us_standard(catalog: Catalog, body: bytes, identifier: str) -> Headers:
    settings = catalog.sources["standard-webhooks"].signature
    assert settings is not None
    headers = {"webhook-id": identifier, "webhook-timestamp": str(int(time.time()))}
    return {**headers, settings.header: sign(settings, SECRET.encode(), body, headers)}


@pytest.mark.parametrize("identifier", ["msg_ü金\U0001f511", "msg 1", "a.b.c", "\0", "m" * 500])
def test_an_id_of_any_text(catalog: Catalog, identifier: str) -> None:
    headers = made_by_us_standard(catalog, BODY, identifier)
    assert ours(catalog, "standard-webhooks", headers, BODY) is None
    assert LIBRARIES["standard-webhooks"].accepts(headers, BODY)
    other = {**headers, "webhook-id": f"{identifier}x"}
    assert ours(catalog, "standard-webhooks", other, BODY) is Reason.BAD_SIGNATURE
    assert not LIBRARIES["standard-webhooks"].accepts(other, BODY)


def test_an_empty_id_is_the_signers_own(catalog: Catalog) -> None:
    """The library asks for an id. We take a request whose signer left it out, keyed by its body."""
    headers = made_by_us_standard(catalog, BODY, "")
    assert ours(catalog, "standard-webhooks", headers, BODY) is None
    assert not LIBRARIES["standard-webhooks"].accepts(headers, BODY)


def test_sha1_is_not_taken_from_github(catalog: Catalog) -> None:
    """gidgethub takes the older X-Hub-Signature's form; GitHub sends SHA-256 beside it."""
    digest = hmac.new(SECRET.encode(), BODY, "sha1").hexdigest()
    headers = {"x-hub-signature-256": f"sha1={digest}"}
    assert ours(catalog, "github", headers, BODY) is Reason.BAD_SIGNATURE
    assert LIBRARIES["github"].accepts(headers, BODY)


@pytest.mark.parametrize("secret", ["", " \t", "whsec_"])
@pytest.mark.parametrize("name", NAMES)
def test_no_secret_lets_no_one_in(catalog: Catalog, name: str, secret: str) -> None:
    """Stricter than the libraries: gidgethub signs with an empty key, Stripe's with "whsec_"."""
    headers = LIBRARIES[name].sign(SECRET, BODY, int(time.time()))
    with pytest.raises(SecretError, match="is empty"):
        fault(catalog.sources[name], secret, headers, BODY, int(time.time() * 1000))


def test_the_keys_that_everyone_knows(catalog: Catalog) -> None:
    """What three of the libraries accept, and we do not."""
    now = int(time.time())
    for name, secret in (("github", ""), ("stripe", "whsec_"), ("slack", "whsec_")):
        library = LIBRARIES[name]
        forged = library.sign(secret, BODY, now)
        assert library.accepts(forged, BODY, secret)
        with pytest.raises(SecretError, match="is empty"):
            fault(catalog.sources[name], secret, forged, BODY, now * 1000)
