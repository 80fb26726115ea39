"""What `source.yaml` cannot say of a signature, and what a sample cannot ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.reading import checked
from settings.source.authentication import HmacAuthentication
from settings.source.loader import SourceError, load_source
from toolbox.sources.samples import authenticate, load_samples

HMAC: dict[str, Any] = {"type": "hmac", "header": "X-Sig"}
TIMED = {"signed": "{timestamp}.{body}", "prefix": "v1=", "separator": ","}
PLACED = {"header": "X-Sig", "position": 1}
KEEP = {"keep": ["X-Sig", "X-Time", "X-Id"]}


def shared(prefix: str) -> dict[str, Any]:
    return HMAC | TIMED | {"timestamp": {"header": "x-sig", "prefix": prefix}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (HMAC | {"separator": "a"}, "separator: one to three characters .* no letters or digits"),
        (HMAC | {"separator": ""}, "separator: one to three characters"),
        (HMAC | {"separator": ";;;;"}, "separator: one to three characters"),
        (HMAC | {"separator": "\u00b7"}, "separator: one to three characters of ASCII"),
        (HMAC | {"separator": "\n"}, "separator: one to three characters"),
        (HMAC | {"separator": "/", "encoding": "base64"}, "separator: base64 holds it"),
        (HMAC | {"separator": "-", "encoding": "base64url"}, "separator: base64url holds it"),
        (HMAC | {"position": 2}, "position: needs a separator"),
        (HMAC | {"position": 0, "separator": ","}, "position: expected 1 or more"),
        (HMAC | {"further_headers": ["x-sig"]}, "further_headers: name each header once"),
        (HMAC | {"further_headers": ["Cookie"]}, "header: cookie carries a secret"),
        (HMAC | {"header": "Authorization"}, "prefix: in Authorization a scheme of its own"),
        (HMAC | {"header": "authorization", "prefix": "Bearer "}, "prefix: in Authorization"),
        (HMAC | {"further_headers": ["Authorization"], "prefix": "BASIC "}, "prefix: in Auth"),
        (HMAC | {"header": "Authorization", "prefix": 'H"$x '}, "prefix: in Authorization"),
        (
            HMAC | {"header": "Authorization", "prefix": "HMAC ", "separator": ","},
            "separator: Authorization holds one",
        ),
        (HMAC | {"key": "{timestamp}{secret}"}, "signed: contains {timestamp} if and only if"),
        (HMAC | {"key": "{body}{secret}"}, "key: {body} is unknown; use {secret}"),
        (HMAC | {"key": "{header.X-Id}"}, "key: must contain {secret} exactly once"),
        (HMAC | {"key": "{secret}{secret}"}, "key: must contain {secret} exactly once"),
        (HMAC | {"secret": {"digest": "md5"}}, "'sha1', 'sha256', 'sha384' or 'sha512'"),
        (HMAC | {"timestamp": {}}, "timestamp: give either 'header' or 'path'"),
        (HMAC | {"timestamp": {"header": "X-T", "path": "t"}}, "give either 'header' or 'path'"),
        (HMAC | {"timestamp": {"path": "."}}, "'path' names a field"),
        (HMAC | {"timestamp": {"path": "t", "prefix": "t="}}, "are a header's"),
        (
            HMAC | {"timestamp": {"path": "t"}, "signed": "{timestamp}{body}"},
            "signed: a time in the body is signed with it",
        ),
        (
            HMAC | TIMED | {"timestamp": {"header": "X-Time", "position": 1}},
            "timestamp.position: only in the signature's own header",
        ),
        (
            HMAC | TIMED | {"prefix": "", "position": 1, "timestamp": PLACED},
            "timestamp.position: is that of the first signature",
        ),
        (
            HMAC | TIMED | {"further_headers": ["X-Other"], "timestamp": PLACED},
            "timestamp: where there are several headers",
        ),
        (HMAC | {"separator": ",", "prefix": "v1,"}, "prefix 'v1,' holds it"),
        (HMAC | {"separator": " ", "prefix": "HMAC "}, "prefix 'HMAC ' holds it"),
        (HMAC | {"signed": "{header.X-SIG}{body}"}, "cannot be over its own header"),
        (HMAC | {"signed": "{body}{body}"}, "exactly once"),
        (HMAC | {"signed": "{body}", "timestamp": {"header": "X-Time"}}, "if and only if"),
        (shared("v1="), "neither prefix may start with the other"),
        (shared("v"), "neither prefix may start with the other"),
        (shared("v1=t="), "neither prefix may start with the other"),
        (shared("t,="), "prefix 't,=' holds it"),
        (shared(""), "both need a prefix or a position, and a separator"),
        (shared("t=") | {"separator": None}, "both need a prefix or a position, and a separator"),
        (shared("t=") | {"prefix": ""}, "both need a prefix or a position, and a separator"),
        (
            HMAC | TIMED | {"timestamp": {"header": "X-Time", "prefix": "t="}},
            "only in the signature's own header",
        ),
        (
            HMAC | TIMED | {"timestamp": {"header": "X-Time", "tolerance_seconds": 0}},
            "expected 1 or more",
        ),
        (HMAC | TIMED | {"timestamp": {"header": "X-Time", "unit": "hours"}}, "'seconds'"),
        (HMAC | {"secret": {"encoding": "rot13"}}, "'text', 'hex', 'base64' or 'base64url'"),
        (HMAC | {"encoding": "base32"}, "'hex', 'base64' or 'base64url'"),
        (HMAC | {"algorithm": "md5"}, "'sha1', 'sha256', 'sha384' or 'sha512'"),
        (HMAC | {"secret": {"value": "s3cret"}}, "unknown key"),
    ],
)
def test_what_no_request_could_satisfy_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        checked(HmacAuthentication, settings, Path("source.yaml"), SourceError)


def folder(tmp_path: Path, authentication: dict[str, Any], sample: dict[str, Any]) -> Path:
    path = tmp_path / "sender"
    (path / "samples").mkdir(parents=True)
    document = {"version": 1, "title": "x", "authentication": authentication}
    if authentication["type"] == "hmac":
        document["headers"] = KEEP
    (path / "source.yaml").write_text(yaml.safe_dump(document))
    text = {"description": "x", "body": "{}", "expect": {"outcome": "delivered"}, **sample}
    (path / "samples" / "one.yaml").write_text(yaml.safe_dump(text))
    return path


@pytest.mark.parametrize("authentication", [HMAC, {"type": "token"}])
@pytest.mark.parametrize(
    ("sign", "missing"), [("stale", "timestamp"), ("several", "separator or further_headers")]
)
def test_a_sample_that_would_show_nothing_is_refused(
    tmp_path: Path, authentication: dict[str, Any], sign: str, missing: str
) -> None:
    path = folder(tmp_path, authentication, {"sign": sign})
    with pytest.raises(SourceError, match=rf"one.yaml: sign: '{sign}' needs .*\.{missing}"):
        list(load_samples(load_source(path)))


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ({"outcome": "rejected"}, "expect.reason: is given if and only if"),
        ({"outcome": "delivered", "status": 401}, "expect.status: is given if and only if"),
        ({"outcome": "ignored", "answer": {"a": "b"}}, "expect.answer: is given only if"),
        ({"outcome": "delivered", "events": 0}, "expect.events: expected 1 or more, not 0"),
        ({"outcome": "refused", "status": 200}, "expect.status: expected 400 or more, not 200"),
    ],
)
def test_a_sample_that_expects_what_cannot_be(
    tmp_path: Path, expect: dict[str, Any], message: str
) -> None:
    path = folder(tmp_path, HMAC, {"expect": expect})
    with pytest.raises(SourceError, match=message):
        list(load_samples(load_source(path)))


@pytest.mark.parametrize(
    ("timestamp", "written"),
    [
        ({"unit": "seconds"}, "1795464503"),
        ({"unit": "milliseconds"}, "1795464503250"),
        ({"unit": "iso8601"}, "2026-11-23T20:08:23+00:00"),
    ],
)
def test_the_time_is_written_in_its_unit(
    tmp_path: Path, timestamp: dict[str, Any], written: str
) -> None:
    settings = HMAC | {
        "signed": "{timestamp}.{body}",
        "timestamp": {"header": "X-Time"} | timestamp,
    }
    source = load_source(folder(tmp_path, settings, {}))
    assert authenticate(source, "s", b"{}", now=1795464503.25)["X-Time"] == written


def test_a_shared_header_is_there_once(tmp_path: Path) -> None:
    """Also where source.yaml spells it in two ways: a client would send both."""
    source = load_source(folder(tmp_path, shared("t="), {}))
    one = authenticate(source, "s", b"{}", now=7)
    two = authenticate(source, "s", b"{}", now=7, also="other")
    assert list(one) == list(two) == ["X-Sig"]
    time, signature = one["X-Sig"].split(",")
    assert time == "t=7"
    assert two["X-Sig"].split(",")[::2] == [time, signature]
