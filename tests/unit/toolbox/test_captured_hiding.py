"""Values that can be secrets, however a body writes them."""

from __future__ import annotations

import json

import pytest

from toolbox.sources.captured.hiding import hidden
from toolbox.sources.captured.request import CaptureError

SECRET = 'sécret/"value"&<1>'


@pytest.mark.parametrize(
    "body",
    [
        '{"token": "sécret/\\"value\\"&<1>", "a": 1}'.encode(),
        b'{"token":"s\\u00e9cret/\\"value\\"&<1>","a":1}',
        b'{"token":"s\\u00e9cret\\/\\"value\\"&<1>","a":1}',
        b"a=1&token=s%C3%A9cret%2F%22value%22%26%3C1%3E",
        b"token=s%c3%a9cret%2f%22value%22%26%3c1%3e&a=1",
        '<r><token>\n  sécret/"value"&amp;&lt;1&gt;</token><a>1</a></r>'.encode(),
        b"--b\r\nContent-Disposition: form-data; name=token\r\n\r\n"
        + SECRET.encode()
        + b"\r\n--b--",
    ],
)
def test_a_secret_is_replaced_and_the_rest_stays(body: bytes) -> None:
    clean = hidden(body, {"token": SECRET, "a": "1"})
    assert clean.replaced == ("token",)
    assert clean.left == ()
    assert b"cret" not in clean.content
    assert clean.content.count(b"EXAMPLE-NOT-A-SECRET") == 1


def test_what_is_written_otherwise_is_said() -> None:
    body = b'{"token":"\\u0061bcdefgh"}'
    clean = hidden(body, {"token": "abcdefgh"})
    assert (clean.content, clean.replaced, clean.left) == (body, (), ("token",))


def test_a_secret_that_was_given_is_replaced_by_any_name() -> None:
    clean = hidden(
        b'{"x":"abcdefgh","y":"ijklmnop"}', {"x": "abcdefgh", "y": "ijklmnop"}, ["abcdefgh"]
    )
    assert clean.content == b'{"x":"EXAMPLE-NOT-A-SECRET","y":"ijklmnop"}'


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"users": [{"a": 1}, {"password": "abcdefgh"}]}, "users.*.password"),
        ({"client secret": "abcdefgh"}, "client secret"),
        ({"a": {"b": {"c": {"d": {"e": {"token": "abcdefgh"}}}}}}, "a.b.c.d.e.token"),
        ([{"api_key": ["abcdefgh"]}], "*.api_key.*"),
        ({"names": ["x", "the-secret-that-was-given"]}, "names.*"),
    ],
)
def test_a_secret_is_found_wherever_it_is(document: object, place: str) -> None:
    clean = hidden(json.dumps(document).encode(), document, ["the-secret-that-was-given"])
    assert (clean.replaced, clean.left) == ((place,), ())
    assert b"abcdefgh" not in clean.content
    assert b"given" not in clean.content


def test_a_body_of_secrets_in_plenty_is_refused() -> None:
    """To look for each of them in all of it would take hours."""
    document = {f"{number}_token": f"secret-{number:08}" for number in range(20_000)}
    with pytest.raises(CaptureError, match="more than 100 values of a body can be secrets"):
        hidden(json.dumps(document).encode(), document)
    same = [{"token": "abcdefgh"}] * 20_000
    clean = hidden(json.dumps(same).encode(), same)
    assert (clean.replaced, b"abcdefgh" in clean.content) == (("*.token",), False)
